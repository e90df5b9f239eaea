//! The task beside every process: its end, and what it prints.

use std::sync::Arc;
use std::time::Duration;

use bilayer_core::InstanceKey;
use bilayer_platform::{Output, Process};
use tokio::sync::mpsc;

use super::news::News;
use crate::output::{self, Origin};

/// How long after its end the last lines of a process are waited for. A survivor that was left alone may hold the stream
/// open for ever.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(2);

/// Tells the loop when the process ends, and copies what it prints into the log.
pub(super) async fn watch(
    instance: InstanceKey,
    generation: u32,
    process: Arc<Process>,
    (stdout, stderr): (Output, Output),
    origin: Origin,
    news: mpsc::Sender<News>,
) {
    let printed = async {
        tokio::join!(
            output::capture(stdout, "stdout", origin.clone()),
            output::capture(stderr, "stderr", origin.clone())
        );
    };
    tokio::pin!(printed);
    let mut silent = false;
    let exit = loop {
        tokio::select! {
            biased;
            exit = process.exited() => break exit,
            () = &mut printed, if !silent => silent = true,
        }
    };
    // Before the last lines: a restart does not wait for what a dead process printed.
    if news.send(News::Exited(instance, generation, exit)).await.is_err() || silent {
        return;
    }
    tokio::task::yield_now().await;
    // The lines are in the log when it is given up; nothing else is lost.
    let _ = tokio::time::timeout(LAST_LINES_WITHIN, printed).await;
}
