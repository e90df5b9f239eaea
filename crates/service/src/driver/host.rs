//! The service manager that started this program: what it wants becomes news, and it is told how the service is.

use std::time::Duration;

use bilayer_core::StopReason;
use bilayer_platform::{Hint, Notice, ServiceHost, Signal};
use tokio::sync::mpsc;

use super::Driver;
use super::news::News;

/// Hints that may wait for the sessions task. One enumeration answers them all.
pub(super) const HINTS_WAITING_MAX: usize = 16;

/// Passes on what the service manager wants, in its order.
pub(super) async fn forward(host: ServiceHost, hints: mpsc::Sender<Hint>, news: mpsc::Sender<News>) {
    loop {
        let heard = match host.next().await {
            Notice::Stop { shutdown, within } => {
                let reason = if shutdown { StopReason::Shutdown } else { StopReason::ServiceStop };
                news.send(News::Stop(reason, within)).await.is_ok()
            }
            Notice::Reload => {
                // The sessions as well: where the manager cannot say that one changed, this is how to have it noticed.
                hint(&hints, Hint::Sessions).await && news.send(News::Signal(Signal::Reload)).await.is_ok()
            }
            Notice::Session { change, session } => {
                tracing::debug!(session, "the service manager says: {change}");
                hint(&hints, Hint::Sessions).await
            }
            Notice::Power(power) => hint(&hints, power).await,
        };
        if !heard {
            return;
        }
    }
}

/// Returns whether somebody listens. The sessions task may be inside an enumeration, so that it is not waited for with a hint that
/// the next enumeration answers anyway.
async fn hint(hints: &mpsc::Sender<Hint>, hint: Hint) -> bool {
    match hint {
        Hint::Sessions if hints.capacity() < HINTS_WAITING_MAX => !hints.is_closed(),
        other => hints.send(other).await.is_ok(),
    }
}

fn count(number: usize, one: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {one}s") }
}

impl Driver {
    /// Tells the service manager that a stop goes on. An announced shutdown that can still be called off is not told: as far
    /// as the manager is concerned, the service runs.
    pub(super) fn tell_host(&self, remaining: u32, left: Duration) {
        if let (Some(host), true) = (&self.host, self.stopping) {
            host.stopping(remaining, left);
        }
    }

    /// Tells the service manager that the loop goes round, and what there is where that is something else than before: after
    /// all that followed from a piece of news, and with what is about to run, so that a restart of an agent is none.
    pub(super) fn look_alive(&mut self) {
        let Some(host) = &self.host else { return };
        host.alive();
        let (agents, workers) = self.runs.count_with_underway();
        let now = (agents, self.seats.len(), workers);
        if self.stopping || self.told.replace(now) == Some(now) {
            return;
        }
        let (agents, sessions, workers) = now;
        let mut status = format!("{} in {}", count(agents, "agent"), count(sessions, "session"));
        if workers > 0 {
            status.push_str(&format!(", {}", count(workers, "worker")));
        }
        host.status(&status);
    }
}
