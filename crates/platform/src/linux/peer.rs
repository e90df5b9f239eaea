//! Who is at the other end of a connection.

use std::io;

use rustix::net::sockopt::socket_peercred;
use rustix::process::geteuid;
use tokio::net::UnixStream;

use crate::Station;

/// The process that connected, as the kernel noted it at connect(2): `SO_PEERCRED`, unix(7).
#[derive(Debug)]
pub struct Peer {
    pid: u32,
    uid: u32,
    user_id: String,
}

impl Peer {
    pub(super) fn of(socket: &UnixStream) -> io::Result<Peer> {
        let found = socket_peercred(socket)?;
        let uid = found.uid.as_raw();
        Ok(Peer { pid: found.pid.as_raw_nonzero().get().unsigned_abs(), uid, user_id: uid.to_string() })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
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
