//! What an agent prints, line by line, into the log.
//!
//! Every byte of it is hostile: a line may never end, hold escape sequences for an administrator's terminal, or come a
//! million times a second. Lines are cut at [`LINE_BYTES`], escaped by the log's formatter, and past a rate they are counted instead of
//! written. Layer 0 reads on in every case, because an agent that blocks on a full pipe is hung by its own supervisor.

mod lines;
mod quota;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bilayer_platform::Output;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, timeout_at};

use crate::log::Held;
use lines::Lines;
pub(crate) use quota::Quota;

/// The target of every line that comes from an agent, whatever the way.
pub(crate) const TARGET: &str = "bilayer::agent";

/// Where a line is cut.
pub(crate) const LINE_BYTES: usize = 4096;

/// How long after the count of dropped lines began it is reported at the latest.
const DROPPED_REPORT_AFTER: Duration = Duration::from_secs(5);

/// Who printed it; the fields of every line in the log.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    pub(crate) agent: String,
    pub(crate) session: String,
    pub(crate) user: String,
    pub(crate) pid: u32,
}

/// Copies one stream of an agent into the log until it ends.
#[expect(clippy::manual_async_fn, reason = "an async fn would hold its arguments twice, for every agent")]
pub(crate) fn capture(
    mut stream: Output,
    name: &'static str,
    origin: Arc<Origin>,
) -> impl Future<Output = ()> + Send {
    async move {
        let mut lines = Lines::default();
        let mut quota = Quota::default();
        let mut report_at: Option<Instant> = None;
        loop {
            let read = match report_at {
                None => read_lines(&mut stream, &mut lines).await,
                // Seldom, and larger than the rest of this future.
                Some(at) => match Box::pin(timeout_at(at, read_lines(&mut stream, &mut lines))).await {
                    Ok(read) => read,
                    Err(_elapsed) => {
                        report_dropped(&mut quota, name, &origin);
                        report_at = None;
                        continue;
                    }
                },
            };
            // Written at once, and then noted as written: a kill in between is all that can make a line come twice.
            let held = Held::new();
            while let Some(line) = lines.next() {
                if quota.admit(Instant::now()) {
                    if report_at.take().is_some() {
                        report_dropped(&mut quota, name, &origin);
                    }
                    write(name, &origin, &line);
                } else {
                    report_at.get_or_insert_with(|| Instant::now() + DROPPED_REPORT_AFTER);
                }
            }
            drop(held);
            stream.settle(lines.held());
            if !matches!(read, Ok(1..)) {
                break;
            }
        }
        if let Some(rest) = lines.rest() {
            write(name, &origin, &rest);
            stream.settle(0);
        }
        report_dropped(&mut quota, name, &origin);
    }
}

/// Reads once. The buffer is on the stack, so that a hundred silent agents cost no memory.
async fn read_lines(stream: &mut (impl AsyncRead + Unpin), lines: &mut Lines) -> std::io::Result<usize> {
    poll_fn(|context| {
        let mut bytes = [0u8; 8192];
        let mut buffer = ReadBuf::new(&mut bytes);
        match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(())) => {
                lines.push(buffer.filled());
                Poll::Ready(Ok(buffer.filled().len()))
            }
        }
    })
    .await
}

fn write(stream: &'static str, origin: &Origin, line: &str) {
    let Origin { agent, session, user, pid } = origin;
    tracing::info!(target: TARGET, %agent, %session, %user, pid, stream, "{line}");
}

fn report_dropped(quota: &mut Quota, stream: &'static str, origin: &Origin) {
    let dropped = quota.take_dropped();
    if dropped > 0 {
        let Origin { agent, session, user, pid } = origin;
        tracing::warn!(
            target: TARGET, %agent, %session, %user, pid, stream,
            "dropped {dropped} lines: the agent prints faster than {} lines a second",
            quota::LINES_PER_SECOND,
        );
    }
}
