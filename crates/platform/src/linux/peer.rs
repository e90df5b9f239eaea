//! Who is at the other end of a connection.

use std::io;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::net::UnixStream;

use super::pidfd::Pidfd;
use crate::Station;

/// asm-generic/socket.h
const SO_PEERPIDFD: libc::c_int = 77;

/// The process that connected, as the kernel noted it at connect(2): `SO_PEERCRED`, unix(7).
pub struct Peer {
    pid: i32,
    uid: u32,
    user_id: String,
    /// The process itself rather than its number: `SO_PEERPIDFD`, Linux 6.5. Before that, opened by number at once.
    pidfd: Option<Pidfd>,
}

impl Peer {
    pub(super) fn of(socket: &UnixStream) -> io::Result<Peer> {
        let found = socket_peercred(socket)?;
        let (pid, uid) = (found.pid.as_raw_nonzero().get(), found.uid.as_raw());
        let pidfd = peer_pidfd(socket).or_else(|| Pidfd::open(pid).ok());
        Ok(Peer { pid, uid, user_id: uid.to_string(), pidfd })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    pub(super) fn raw_pid(&self) -> i32 {
        self.pid
    }

    /// Whether the process that connected has ended, so that its number may mean another.
    pub(super) fn is_gone(&self) -> bool {
        self.pidfd.as_ref().is_none_or(Pidfd::has_ended)
    }

    /// Its user's uid in decimal.
    pub fn user_id(&self) -> &str {
        &self.user_id
    }

    /// Whether it is root.
    pub fn is_administrator(&self) -> bool {
        self.uid == 0
    }

    /// Whether it has the same user as this process.
    pub fn is_same_user(&self) -> bool {
        self.uid == geteuid().as_raw()
    }

    /// Whether it can be an agent of that station: it has its user. Which session it is in is told by
    /// [`Process::owns`](crate::Process::owns).
    pub fn may_serve(&self, station: &Station) -> bool {
        self.uid == station.uid()
    }
}

/// What a client must find at the other end: this process's effective uid in decimal.
pub fn server_identity() -> String {
    geteuid().as_raw().to_string()
}

fn peer_pidfd(socket: &UnixStream) -> Option<Pidfd> {
    let mut fd: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: getsockopt(2) writes at most `length` bytes to `fd` and says how many.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut fd).cast(),
            &raw mut length,
        )
    };
    if answer != 0 || fd < 0 {
        return None;
    }
    // SAFETY: the kernel has made the descriptor for this call alone.
    Some(Pidfd::new(unsafe { OwnedFd::from_raw_fd(fd) }))
}
