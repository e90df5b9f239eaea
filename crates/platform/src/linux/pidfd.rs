//! A process by descriptor: pidfd_open(2). It never comes to mean another process.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::proc;

/// A process, alive or not.
pub(crate) struct Pidfd {
    fd: OwnedFd,
}

impl Pidfd {
    pub(crate) fn new(fd: OwnedFd) -> Pidfd {
        Pidfd { fd }
    }

    /// Opens the process that has this pid now.
    pub(crate) fn open(pid: i32) -> io::Result<Pidfd> {
        let pid = Pid::from_raw(pid).ok_or(Errno::SRCH)?;
        Ok(Pidfd { fd: pidfd_open(pid, PidfdFlags::empty())? })
    }

    /// Opens a process only if it is the one that started at this time: the pid may have been given to another since.
    pub(crate) fn open_verified(pid: i32, start: u64) -> io::Result<Pidfd> {
        let opened = Pidfd::open(pid)?;
        // Read after the opening: if the start time is right now, the descriptor names the right process.
        if proc::stat(pid)?.start == start { Ok(opened) } else { Err(Errno::SRCH.into()) }
    }

    /// Sends a signal. A process that has ended is no error.
    pub(crate) fn signal(&self, signal: Signal) -> io::Result<()> {
        match pidfd_send_signal(&self.fd, signal) {
            Ok(()) | Err(Errno::SRCH) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Whether the process has ended, be it waited for or not.
    pub(crate) fn has_ended(&self) -> bool {
        let mut fds = [PollFd::new(&self.fd, PollFlags::IN)];
        poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })).is_ok_and(|ready| ready > 0)
    }

    /// For waiting on the loop. Needs a runtime.
    pub(crate) fn watched(self) -> io::Result<AsyncFd<Pidfd>> {
        // SAFETY: the descriptor is owned by `self`, which keeps it open and the same until the registration is dropped.
        Ok(unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }?)
    }
}

impl AsFd for Pidfd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl std::os::fd::AsRawFd for Pidfd {
    fn as_raw_fd(&self) -> std::os::fd::RawFd {
        self.fd.as_raw_fd()
    }
}
