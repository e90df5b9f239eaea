//! A connection over a named pipe, and the client's way to one.

use std::io::{self, ErrorKind};
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
#[cfg(feature = "host")]
use tokio::net::windows::named_pipe::NamedPipeServer;
use tokio::net::windows::named_pipe::{ClientOptions, NamedPipeClient};
use windows_sys::Win32::Foundation::{ERROR_BROKEN_PIPE, ERROR_PIPE_BUSY};
use windows_sys::Win32::Storage::FileSystem::SECURITY_IDENTIFICATION;

use super::token::{Token, open_process, own_sid};
use super::{dirs, pipe, security};
use crate::{ConnectError, Dirs};

/// How long a client waits for a server that is busy with another.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// A connection over an endpoint: a byte-mode named pipe.
pub struct Stream {
    end: End,
}

enum End {
    Client(NamedPipeClient),
    #[cfg(feature = "host")]
    Server(NamedPipeServer),
}

/// Connects to the endpoint at `address`, the path of a local pipe, and proves that it was made by the user `server`, a SID,
/// before it returns. Nothing was written by then, and the server could learn who we are but not act as us.
pub async fn connect(address: &str, server: &str) -> Result<Stream, ConnectError> {
    if !address.starts_with(pipe::PREFIX) {
        let source =
            io::Error::new(ErrorKind::InvalidInput, format!("it does not start with {}", pipe::PREFIX));
        return Err(refusal(address, source));
    }
    let client = open(address).await.map_err(|source| refusal(address, source))?;
    let found = server_user(&client, server).map_err(|source| refusal(address, source))?;
    if found != server {
        return Err(ConnectError::Impostor { address: address.into(), expected: server.into(), found });
    }
    Ok(Stream { end: End::Client(client) })
}

/// Connects to the control endpoint of a service, which must be run by LocalSystem or, for a run in a console, by this user.
pub async fn connect_control(dirs: &Dirs) -> Result<Stream, ConnectError> {
    let server = if dirs::is_console(dirs) { own_sid().as_str() } else { super::sid::Sid::LOCAL_SYSTEM };
    connect(&dirs::control_pipe(dirs), server).await
}

async fn open(address: &str) -> io::Result<NamedPipeClient> {
    let deadline = Instant::now() + BUSY_MAX;
    loop {
        // The server may ask who we are, and no more.
        match ClientOptions::new().security_qos_flags(SECURITY_IDENTIFICATION).open(address) {
            Err(error) if is(&error, ERROR_PIPE_BUSY) => {
                let left = deadline.saturating_duration_since(Instant::now());
                let left_ms = u32::try_from(left.as_millis()).unwrap_or(u32::MAX);
                if left_ms == 0 {
                    return Err(error);
                }
                let name = address.to_owned();
                // When its time is over the loop ends with "busy"; when the pipe is gone, with that.
                let waited = tokio::task::spawn_blocking(move || pipe::wait(&name, left_ms)).await;
                waited.map_err(io::Error::other)?.ok();
            }
            result => return result,
        }
    }
}

/// The user who serves a pipe. Its owner tells; and where we may look at the process that made it, its user must be the same.
/// (An ordinary user may not look at a process of the system.)
fn server_user(client: &NamedPipeClient, expected: &str) -> io::Result<String> {
    // SAFETY: the handle is open for as long as `client` is borrowed.
    let handle = unsafe { BorrowedHandle::borrow_raw(client.as_raw_handle()) };
    let owner = security::owner_of(handle)?.to_string();
    if owner != expected {
        return Ok(owner);
    }
    let maker = open_process(pipe::server_of(client)?);
    match maker.and_then(|process| Token::of(process.as_handle())?.user()) {
        Ok(maker) => Ok(maker.to_string()),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => Ok(owner),
        Err(error) => Err(error),
    }
}

fn refusal(address: &str, source: io::Error) -> ConnectError {
    let address = address.to_owned();
    match source.kind() {
        ErrorKind::NotFound => ConnectError::NotRunning { address, source },
        ErrorKind::PermissionDenied => ConnectError::NotPermitted { address, source },
        _ => ConnectError::Failed { address, source },
    }
}

pub(super) fn is(error: &io::Error, code: u32) -> bool {
    error.raw_os_error() == Some(code.cast_signed())
}

/// Reads from a pipe; that the other end was closed is the end, not an error.
pub(super) fn read_to_end(read: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
    match ready!(read) {
        Err(error) if is(&error, ERROR_BROKEN_PIPE) => Poll::Ready(Ok(())),
        result => Poll::Ready(result),
    }
}

impl Stream {
    /// Takes the server's end of a connection.
    #[cfg(feature = "host")]
    pub(super) fn new(server: NamedPipeServer) -> Stream {
        Stream { end: End::Server(server) }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_to_end(match &mut self.end {
            End::Client(pipe) => Pin::new(pipe).poll_read(context, buffer),
            #[cfg(feature = "host")]
            End::Server(pipe) => Pin::new(pipe).poll_read(context, buffer),
        })
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.end {
            End::Client(pipe) => Pin::new(pipe).poll_write(context, bytes),
            #[cfg(feature = "host")]
            End::Server(pipe) => Pin::new(pipe).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.end {
            End::Client(pipe) => Pin::new(pipe).poll_flush(context),
            #[cfg(feature = "host")]
            End::Server(pipe) => Pin::new(pipe).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.end {
            End::Client(pipe) => Pin::new(pipe).poll_shutdown(context),
            #[cfg(feature = "host")]
            End::Server(pipe) => Pin::new(pipe).poll_shutdown(context),
        }
    }
}
