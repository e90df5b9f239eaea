//! Who is at the other end of a connection.

use std::io;
use std::os::windows::io::{AsHandle as _, BorrowedHandle, OwnedHandle};

use tokio::net::windows::named_pipe::NamedPipeServer;
use windows_sys::Win32::Security::{TOKEN_DUPLICATE, TOKEN_QUERY};

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
    administrator: bool,
}

impl Peer {
    pub(super) fn of(server: &NamedPipeServer) -> io::Result<Peer> {
        let pid = pipe::client_of(server)?;
        let process = open_process(pid)?;
        let session = session_of(pid)?;
        // Noted when the pipe was opened. A process that has the number by now and came from elsewhere shows.
        if pipe::client_session_of(server)? != session {
            return Err(io::Error::other("the process that connected is gone, and another has its number"));
        }
        let user = Token::of(process.as_handle())?.user()?;
        // Who may not be looked at so closely has not shown that it is one.
        let asked = Token::of_with(process.as_handle(), TOKEN_QUERY | TOKEN_DUPLICATE);
        let administrator = asked.and_then(|token| token.is_administrator()).unwrap_or(false);
        Ok(Peer { process, pid, user, session, administrator })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Its user's SID.
    pub fn user_id(&self) -> &str {
        self.user.as_str()
    }

    /// Whether it is LocalSystem or has the rights of an administrator, not only the prospect of them: a program that was
    /// not started "as administrator" has not.
    pub fn is_administrator(&self) -> bool {
        self.administrator || self.user.is_local_system()
    }

    /// Whether it has the same user as this process.
    pub fn is_same_user(&self) -> bool {
        self.user == *own_sid()
    }

    /// Whether it can be an agent of that station: it has its user and is in its session.
    pub fn may_serve(&self, station: &Station) -> bool {
        station.sid() == Some(&self.user) && self.session == station.session()
    }

    pub(super) fn process(&self) -> BorrowedHandle<'_> {
        self.process.as_handle()
    }
}

/// What a client must find at the other end: the SID of this process's user.
pub fn server_identity() -> String {
    own_sid().to_string()
}
