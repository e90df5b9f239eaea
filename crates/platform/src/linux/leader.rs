//! The process that opened a session: the display manager's, login's or sshd's child that PAM ran in.

use std::io;

use tokio::io::unix::AsyncFd;

use super::pidfd::Pidfd;
use super::proc;

/// A session's leader, watched: its death is the end of the session, whatever else still runs in it.
pub(crate) struct Leader {
    start: u64,
    pidfd: AsyncFd<Pidfd>,
}

impl Leader {
    /// Finds the leader. An error of kind `NotFound` or `ESRCH` says that it is gone already.
    pub(crate) fn watch(pid: i32) -> io::Result<Leader> {
        let start = proc::stat(pid)?.start;
        let pidfd = Pidfd::open_verified(pid, start)?.watched()?;
        Ok(Leader { start, pidfd })
    }

    /// In clock ticks since the boot.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.pidfd.get_ref().has_ended()
    }

    /// Resolves when it has ended.
    pub(crate) async fn death(&self) {
        // An error means that the runtime goes down: nobody waits any more.
        let _ = self.pidfd.readable().await;
    }
}
