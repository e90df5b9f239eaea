//! The client's end of an endpoint.

use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::sockopt::socket_peercred;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::UnixStream;

use crate::{ConnectError, Dirs};

/// A connection over an endpoint: a Unix stream socket.
pub struct Stream {
    socket: UnixStream,
}

/// Connects to the endpoint at `address`, the path of a socket, and proves that it was opened by the user `server`, a uid in
/// decimal, before it returns: `SO_PEERCRED`, unix(7). Nothing was written by then.
pub async fn connect(address: &str, server: &str) -> Result<Stream, ConnectError> {
    let socket = UnixStream::connect(address).await.map_err(|source| refusal(address, source))?;
    let found = socket_peercred(&socket).map_err(|errno| refusal(address, errno.into()))?;
    let found = found.uid.as_raw().to_string();
    if found != server {
        return Err(ConnectError::Impostor { address: address.into(), expected: server.into(), found });
    }
    Ok(Stream { socket })
}

/// Connects to the control endpoint of a service. Its server must be whoever owns the folder that the endpoint is in, and that
/// may be only root or this user.
pub async fn connect_control(dirs: &Dirs) -> Result<Stream, ConnectError> {
    use std::os::unix::fs::MetadataExt as _;

    let path = super::dirs::control_socket(dirs);
    let address = path.to_string_lossy();
    let folder = std::fs::symlink_metadata(&dirs.runtime).map_err(|source| refusal(&address, source))?;
    let own = rustix::process::geteuid().as_raw();
    if folder.uid() != 0 && folder.uid() != own {
        return Err(ConnectError::Impostor {
            address: address.into_owned(),
            expected: own.to_string(),
            found: folder.uid().to_string(),
        });
    }
    connect(&address, &folder.uid().to_string()).await
}

fn refusal(address: &str, source: io::Error) -> ConnectError {
    let address = address.to_owned();
    match source.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ConnectError::NotRunning { address, source },
        ErrorKind::PermissionDenied => ConnectError::NotPermitted { address, source },
        _ => ConnectError::Failed { address, source },
    }
}

impl Stream {
    /// Takes a connected socket.
    #[cfg(feature = "host")]
    pub(crate) fn new(socket: UnixStream) -> Stream {
        Stream { socket }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
