//! Hints on their way from whoever noticed something to whoever enumerates.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::Hint;

/// How many power events may wait. They come in pairs, minutes apart; past this the oldest are dropped.
const POWER_EVENTS_MAX: usize = 16;

/// A queue in which any number of hints to enumerate are one.
#[derive(Clone, Default)]
pub(crate) struct Hints {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    pending: Mutex<Pending>,
    raised: Notify,
}

#[derive(Default)]
struct Pending {
    sessions: bool,
    power: VecDeque<Hint>,
}

impl Hints {
    pub(crate) fn raise(&self, hint: Hint) {
        let mut pending = self.pending();
        match hint {
            Hint::Sessions => pending.sessions = true,
            Hint::Suspend | Hint::Resume | Hint::ShutdownAnnounced { .. } | Hint::ShutdownCalledOff => {
                if pending.power.len() == POWER_EVENTS_MAX {
                    pending.power.pop_front();
                }
                pending.power.push_back(hint);
            }
        }
        drop(pending);
        self.shared.raised.notify_one();
    }

    /// The next hint; power events first, in their order. Cancel safe.
    pub(crate) async fn next(&self) -> Hint {
        loop {
            if let Some(hint) = self.take() {
                return hint;
            }
            // A raise between the look and the wait has left a permit.
            self.shared.raised.notified().await;
        }
    }

    fn take(&self) -> Option<Hint> {
        let mut pending = self.pending();
        pending.power.pop_front().or_else(|| std::mem::take(&mut pending.sessions).then_some(Hint::Sessions))
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.shared.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_one_hint_and_power_events_keep_their_order() {
        let hints = Hints::default();
        for hint in [Hint::Sessions, Hint::Suspend, Hint::Sessions, Hint::Resume, Hint::Sessions] {
            hints.raise(hint);
        }
        let taken: Vec<_> = std::iter::from_fn(|| hints.take()).collect();
        assert_eq!(taken, [Hint::Suspend, Hint::Resume, Hint::Sessions]);
    }
}
