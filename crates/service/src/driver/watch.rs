//! The task beside every process: its end, and what it prints.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bilayer_core::InstanceKey;
use bilayer_platform::{Output, OutputEnd, Outputs, Process};
use tokio::sync::mpsc;

use super::news::News;
use crate::output::{self, Origin};

/// How long after its end the last lines of a process are waited for. A survivor that was left alone may hold the stream
/// open for ever.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);

/// What a process prints.
pub(super) struct Prints {
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    /// For saying to both that it has ended.
    pub(super) ends: [OutputEnd; 2],
    /// Where it prints to files: in which folder, and under which label.
    pub(super) files: Option<(Outputs, String)>,
}

/// Tells the loop when the process ends, and copies what it prints into the log.
pub(super) async fn watch(
    instance: InstanceKey,
    generation: u32,
    process: Arc<Process>,
    prints: Option<Prints>,
    origin: Origin,
    news: mpsc::Sender<News>,
) {
    let Some(Prints { stdout, stderr, ends, files }) = prints else {
        let exit = process.exited().await;
        // A service that ends hears nothing.
        let _ = news.send(News::Exited(instance, generation, exit)).await;
        process.reap();
        return;
    };
    let mut printed = capture(stdout, stderr, origin);
    let mut silent = false;
    let exit = loop {
        tokio::select! {
            biased;
            exit = process.exited() => break exit,
            () = &mut printed, if !silent => silent = true,
        }
    };
    // Before the last lines: a restart does not wait for what a dead process printed.
    if news.send(News::Exited(instance, generation, exit)).await.is_err() {
        return;
    }
    tokio::task::yield_now().await;
    process.reap();
    ends.into_iter().for_each(OutputEnd::announce);
    if !silent {
        // The lines are in the log when it is given up; nothing else is lost.
        let _ = tokio::time::timeout(LAST_LINES_WITHIN, printed).await;
    }
    if let Some((outputs, label)) = files {
        outputs.remove(&label);
    }
}

/// Copies into the log what a process printed that ended while nobody read, and removes its files.
pub(super) async fn read_rest(outputs: Outputs, label: String, origin: Origin) {
    match outputs.resume(&label) {
        Ok(Some((stdout, stderr))) => {
            stdout.end().announce();
            stderr.end().announce();
            let _ = tokio::time::timeout(LAST_LINES_WITHIN, capture(stdout, stderr, origin)).await;
        }
        Ok(None) => {}
        Err(error) => {
            let Origin { agent, session, .. } = &origin;
            tracing::warn!(%agent, %session, "cannot read what it printed before it ended: {error}");
        }
    }
    outputs.remove(&label);
}

/// Copies both streams into the log. In a place of its own, which is moved where a future would be copied: there is one of
/// these for every agent, and it lives as long.
fn capture(stdout: Output, stderr: Output, origin: Origin) -> Pin<Box<impl Future<Output = ()> + Send>> {
    let origin = Arc::new(origin);
    let stdout = output::capture(stdout, "stdout", Arc::clone(&origin));
    let stderr = output::capture(stderr, "stderr", origin);
    Box::pin(async move {
        tokio::join!(stdout, stderr);
    })
}
