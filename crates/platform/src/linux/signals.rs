//! Requests from the outside, as Unix signals.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll};

use tokio::signal::unix::{SignalKind, signal};

use crate::Signal;

/// The signals this process answers: SIGINT and SIGTERM stop it, SIGHUP reloads it.
///
/// The kernel also sends SIGHUP when the terminal that a program was started from is closed: tty_ioctl(4). A program that
/// had a terminal and has it no longer is meant to stop.
pub struct Signals {
    had_terminal: bool,
    sources: [(Signal, tokio::signal::unix::Signal); 3],
}

impl Signals {
    /// Takes over the signals from their default action. Needs a runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            had_terminal: has_terminal(),
            sources: [
                (Signal::Stop, signal(SignalKind::terminate())?),
                (Signal::Stop, signal(SignalKind::interrupt())?),
                (Signal::Reload, signal(SignalKind::hangup())?),
            ],
        })
    }

    /// The next request. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        poll_fn(|context| self.poll_next(context)).await
    }

    /// The next request, if there is one.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Signal> {
        for (meaning, source) in &mut self.sources {
            if let Poll::Ready(Some(())) = source.poll_recv(context) {
                let terminal_closed = self.had_terminal && !has_terminal();
                return Poll::Ready(if terminal_closed { Signal::Stop } else { *meaning });
            }
        }
        Poll::Pending
    }
}

/// Whether this process has a controlling terminal: tty(4) cannot be opened without one.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}
