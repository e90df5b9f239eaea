//! Who is at the other end of a connection.

use std::io;
use std::os::windows::io::{AsHandle as _, BorrowedHandle, OwnedHandle};

use tokio::net::windows::named_pipe::NamedPipeServer;

use super::pipe;
use super::sid::Sid;
use super::station::session_of;
use super::token::{Token, open_process, own_sid};
use crate::Station;

/// The process that opened the other end of a pipe. It is held open from the accept on, so that its id means this process for
/// as long as this value lives. Nobody is impersonated.
#[derive(Debug)]
pub struct Peer {
    process: OwnedHandle,
    pid: u32,
    user: Sid,
    session: u32,
    elevated: bool,
}

impl Peer {
    pub(super) fn of(server: &NamedPipeServer) -> io::Result<Peer> {
        let pid = pipe::client_of(server)?;
        let process = open_process(pid)?;
        let token = Token::of(process.as_handle())?;
        Ok(Peer {
            pid,
            user: token.user()?,
            session: session_of(pid)?,
            elevated: token.is_elevated()?,
            process,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its user's SID.
    pub fn user_id(&self) -> &str {
        self.user.as_str()
    }

    /// Whether it is LocalSystem or has the full rights of an administrator.
    pub fn is_administrator(&self) -> bool {
        self.elevated || self.user.is_local_system()
    }

    /// Whether it has the same user as this process.
    pub fn is_same_user(&self) -> bool {
        self.user == *own_sid()
    }

    /// Whether it can be an agent of that station: it has its user and is in its session.
    pub fn may_serve(&self, station: &Station) -> bool {
        station.user() == Some(&self.user) && self.session == station.session()
    }

    pub(super) fn process(&self) -> BorrowedHandle<'_> {
        self.process.as_handle()
    }
}

/// What a client must find at the other end: the SID of this process's user.
pub fn server_identity() -> String {
    own_sid().to_string()
}
