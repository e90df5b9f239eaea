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

use super::sid::Sid;
use super::token::{Token, open_process, own_sid};
use super::{dirs, pipe, security, service_process};
use crate::{ConnectError, Dirs};

/// How long a client waits for a server that is busy with another.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// The session of services: nobody logs on to it.
const SERVICES: u32 = 0;

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
    prove(address, &client, server)?;
    Ok(Stream { end: End::Client(client) })
}

/// Connects to the control endpoint of a service, and proves that the other end is that service: for an installed one, the process
/// that the service manager knows or LocalSystem; for a run in a console, this user.
pub async fn connect_control(dirs: &Dirs) -> Result<Stream, ConnectError> {
    let Some(service) = dirs::service_of(dirs) else {
        return connect(&dirs::control_pipes(dirs).concat(), own_sid().as_str()).await;
    };
    let mut refused = None;
    for address in dirs::control_pipes(dirs) {
        match open(&address).await {
            Ok(client) => {
                if !is_process_of(&service, &client) {
                    prove(&address, &client, Sid::LOCAL_SYSTEM)?;
                }
                return Ok(Stream { end: End::Client(client) });
            }
            Err(source) => refused = Some(refusal(&address, source)),
        }
        if !matches!(refused, Some(ConnectError::NotRunning { .. })) {
            break;
        }
    }
    Err(refused.expect("a service has at least one address"))
}

/// Whether the service manager says that the other end is the process of this service.
fn is_process_of(service: &str, client: &NamedPipeClient) -> bool {
    match (service_process::of(service), pipe::server_of(client)) {
        (Ok(Some(known)), Ok(found)) => known == found,
        _ => false,
    }
}

/// Makes sure that a pipe was made by this user, and nobody else's process is at its other end.
fn prove(address: &str, client: &NamedPipeClient, server: &str) -> Result<(), ConnectError> {
    let found = server_user(client, server).map_err(|source| refusal(address, source))?;
    if found == server {
        return Ok(());
    }
    Err(ConnectError::Impostor { address: address.into(), expected: server.into(), found })
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

/// The user who serves a pipe. Its owner tells, which nobody can give away to another. But whoever may write to a pipe may also
/// offer further instances of it, so the process at the other end counts, too: its user, where we may look at it. An ordinary
/// user may not look at a process of the system, but is told its session: that of the system's services is 0, and no program of
/// an ordinary user that we may not look at runs there.
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
        Err(error) if error.kind() != ErrorKind::PermissionDenied => Err(error),
        Err(_) => match pipe::server_session_of(client)? {
            SERVICES => Ok(owner),
            session => Ok(format!("a process of session {session}")),
        },
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
