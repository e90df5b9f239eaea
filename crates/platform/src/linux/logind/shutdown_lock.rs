//! The lock that holds up a shutdown: an inhibitor of logind, org.freedesktop.login1(5).

use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Delays a shutdown for as long as it lives, or until the system's longest delay is over.
pub(super) struct ShutdownLock {
    /// The end for writing of a named pipe; logind holds the other one.
    pipe: OwnedFd,
}

impl ShutdownLock {
    pub(super) fn new(pipe: OwnedFd) -> ShutdownLock {
        ShutdownLock { pipe }
    }

    /// Whether logind still counts it. One that was started again opens the pipes of its predecessor; one that lost its memory does
    /// not, and then nobody reads here any more: poll(2), `POLLERR`.
    pub(super) fn is_held(&self) -> bool {
        let mut watched = [PollFd::new(&self.pipe, PollFlags::empty())];
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut watched, Some(&at_once)).is_ok() && !watched[0].revents().contains(PollFlags::ERR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_lost_when_nobody_holds_the_other_end() {
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let lock = ShutdownLock::new(writer);
        assert!(lock.is_held());
        drop(reader);
        assert!(!lock.is_held());
    }
}
