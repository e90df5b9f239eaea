//! Between the handler, which must not wait, and the loop, which may be busy.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::Notice;

/// More than can come while the loop does one thing. Session changes are hints, and the enumeration that answers the newest
/// answers them all, so that past this the oldest notice makes room; a stop never does.
const NOTICES_MAX: usize = 64;

/// Notices on their way to the loop, in the order in which they came.
pub(super) struct Inbox {
    notices: Mutex<VecDeque<Notice>>,
    put: Notify,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox { notices: Mutex::new(VecDeque::with_capacity(NOTICES_MAX)), put: Notify::new() }
    }

    /// Adds a notice. Never waits, and allocates nothing.
    pub(super) fn put(&self, notice: Notice) {
        push(&mut self.notices.lock().unwrap_or_else(PoisonError::into_inner), notice);
        self.put.notify_one();
    }

    /// Takes the oldest notice. Cancel safe.
    pub(super) async fn next(&self) -> Notice {
        loop {
            if let Some(notice) = self.take() {
                return notice;
            }
            // One that was put since is not lost: the permit of `notify_one` is kept for the next who waits.
            self.put.notified().await;
        }
    }

    fn take(&self) -> Option<Notice> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

fn push(notices: &mut VecDeque<Notice>, notice: Notice) {
    // Asking for the same again before it was heard asks for nothing more.
    if notices.contains(&notice) && !matches!(notice, Notice::Power(_)) {
        return;
    }
    if notices.len() == NOTICES_MAX {
        let oldest = notices.iter().position(|notice| !matches!(notice, Notice::Stop { .. }));
        // There are fewer kinds of stop than places.
        oldest.map(|index| notices.remove(index));
    }
    notices.push_back(notice);
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::{Hint, SessionChange};

    const STOP: Notice = Notice::Stop { shutdown: false, within: None };

    fn lock(session: u32) -> Notice {
        Notice::Session { change: SessionChange::Lock, session: Some(session) }
    }

    #[test]
    fn a_flood_loses_the_oldest_and_never_a_stop() {
        let mut notices = VecDeque::new();
        push(&mut notices, STOP);
        for session in 0..1_000 {
            push(&mut notices, lock(session));
            push(&mut notices, STOP);
        }
        assert_eq!(notices.len(), NOTICES_MAX);
        assert_eq!(notices.front(), Some(&STOP));
        assert_eq!(notices.back(), Some(&lock(999)));
    }

    #[test]
    fn sleep_and_wake_keep_their_order() {
        let mut notices = VecDeque::new();
        let said = [Hint::Suspend, Hint::Resume, Hint::Suspend].map(Notice::Power);
        said.into_iter().for_each(|notice| push(&mut notices, notice));
        assert_eq!(notices, said);
    }

    #[test]
    fn what_was_put_before_anybody_waited_is_heard() {
        let inbox = Arc::new(Inbox::new());
        inbox.put(Notice::Reload);
        inbox.put(STOP);
        let mut context = Context::from_waker(Waker::noop());
        let mut next = || std::pin::pin!(inbox.next()).poll(&mut context);
        assert_eq!(next(), Poll::Ready(Notice::Reload));
        assert_eq!(next(), Poll::Ready(STOP));
        assert_eq!(next(), Poll::Pending);
    }
}
