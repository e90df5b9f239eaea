//! What the world has planned, in order of time and, at the same time, in the order in which it was planned.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Something planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The next step of a process, unless its plan changed since (another token).
    Process { index: u32, token: u32 },
    /// The end of a process is noticed, late.
    ExitSeen { index: u32, token: u32 },
    /// An event about a process that is gone arrives once more.
    Stale { slot: u8 },
    /// An enumeration of the sessions arrives.
    Enumeration,
    /// The periodic reconcile.
    Reconcile,
    /// Something happens to users or machine.
    Life,
    /// A session that lingers in closing is gone.
    SessionGone { place: u32, serial: u32 },
    /// The logoff that the agents felt coming is announced.
    LogoffSeen { place: u32, serial: u32 },
    /// The display and the groups of a session are known.
    SessionComplete { place: u32, serial: u32 },
    /// The environment of a session is known.
    EnvironmentKnown { place: u32, serial: u32 },
    /// The machine wakes up.
    Resume,
    /// The announced shutdown takes place, or does not.
    ShutdownOutcome,
    /// A tick that nobody asked for.
    Spurious,
}

#[derive(Clone, Copy)]
struct Entry {
    at: u64,
    order: u32,
    what: What,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    /// Reversed: the earliest is the greatest, for a max-heap.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// The plan.
#[derive(Default)]
pub(crate) struct Schedule {
    heap: BinaryHeap<Entry>,
    order: u32,
    /// The first entry was taken and stands there still. What happens mostly leads to the next thing at once, and to put
    /// that in its place is half the work of removing the one and adding the other.
    taken: bool,
}

impl Schedule {
    #[inline]
    pub(crate) fn push(&mut self, at: u64, what: What) {
        self.order = self.order.wrapping_add(1);
        let entry = Entry { at, order: self.order, what };
        if std::mem::take(&mut self.taken)
            && let Some(mut first) = self.heap.peek_mut()
        {
            *first = entry;
        } else {
            self.heap.push(entry);
        }
    }

    /// When the next thing happens.
    #[inline]
    pub(crate) fn next(&mut self) -> u64 {
        self.clear();
        self.heap.peek().map_or(u64::MAX, |entry| entry.at)
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<What> {
        self.clear();
        let first = self.heap.peek()?;
        self.taken = true;
        Some(first.what)
    }

    /// Removes what was taken.
    #[inline]
    fn clear(&mut self) {
        if std::mem::take(&mut self.taken) {
            self.heap.pop();
        }
    }
}
