//! One deadline per instance, in order.

use alloc::collections::BTreeSet;

use crate::{InstanceKey, Time};

/// The index of deadlines. Whoever owns an instance remembers under which time it stands here, so the index holds at most
/// one entry per instance and never a dead one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Timers(BTreeSet<(Time, InstanceKey)>);

impl Timers {
    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Time> {
        self.0.first().map(|&(at, _)| at)
    }

    /// Moves the entry of `key` from `armed` to `deadline`; or leaves it where it stands, if it may be `early`: then its
    /// owner is asked too soon, once, and moves it on. That spares the index where a deadline is put off again and again.
    pub(crate) fn set(
        &mut self,
        key: InstanceKey,
        armed: &mut Option<Time>,
        deadline: Option<Time>,
        early: bool,
    ) {
        if *armed == deadline || (early && armed.is_some() && *armed < deadline) {
            return;
        }
        if let Some(at) = armed.take() {
            self.0.remove(&(at, key));
        }
        if let Some(at) = deadline {
            self.0.insert((at, key));
        }
        *armed = deadline;
    }

    /// The earliest entry, if it is due. It stays in the index until its owner moves it.
    pub(crate) fn due(&self, now: Time) -> Option<InstanceKey> {
        self.0.first().filter(|&&(at, _)| at <= now).map(|&(_, key)| key)
    }
}
