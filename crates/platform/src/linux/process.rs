//! A launched process and all that it started.

use std::io;

use crate::{Exit, Peer};

/// A running root process of an instance, by pidfd: never a bare pid.
pub struct Process {
    pid: u32,
}

impl Process {
    /// Its process id, for people and logs.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Resolves once the root process has ended. May be awaited again and by several.
    pub async fn exited(&self) -> Exit {
        std::future::pending().await
    }

    /// Asks the root process to end: SIGTERM. A process that has ended is no error.
    pub fn terminate(&self) -> io::Result<()> {
        Ok(())
    }

    /// Kills the root process and everything that it started.
    pub fn kill_all(&self) -> io::Result<()> {
        Ok(())
    }

    /// The root process is gone: kills what it left, and says how many there were.
    pub fn sweep(&self) -> io::Result<usize> {
        Ok(0)
    }

    /// The root process is gone: lets go of what it left.
    pub fn leave(&self) -> io::Result<()> {
        Ok(())
    }

    /// Whether a peer is the root process or one that it started.
    pub fn owns(&self, peer: &Peer) -> bool {
        peer.pid() == self.pid
    }
}
