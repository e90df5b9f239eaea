//! Requests from the outside, as Unix signals.

use std::io;
use std::task::Poll;

use tokio::signal::unix::{SignalKind, signal};

use crate::Signal;

/// The signals this process answers: SIGINT and SIGTERM stop it, SIGHUP reloads it.
pub struct Signals {
    sources: [(Signal, tokio::signal::unix::Signal); 3],
}

impl Signals {
    /// Takes over the signals from their default action. Needs a runtime.
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            sources: [
                (Signal::Stop, signal(SignalKind::terminate())?),
                (Signal::Stop, signal(SignalKind::interrupt())?),
                (Signal::Reload, signal(SignalKind::hangup())?),
            ],
        })
    }

    /// The next request. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| {
            for (meaning, source) in &mut self.sources {
                if let Poll::Ready(Some(())) = source.poll_recv(context) {
                    return Poll::Ready(*meaning);
                }
            }
            Poll::Pending
        })
        .await
    }
}
