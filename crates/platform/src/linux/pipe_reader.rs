//! A pipe that a launched program writes to.

use std::io;
use std::mem;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;

/// What a program inherits.
pub(crate) type Inherited = OwnedFd;

/// Our end. The runtime hears of it when it is first read: its program is born by then, and did not have to wait for that.
pub(crate) enum Reader {
    Unread(OwnedFd),
    Read(Receiver),
    /// The runtime cannot watch it.
    Lost,
}

/// Both ends: ours, and the one for the program, which blocks, as programs expect.
pub(crate) fn pipe() -> io::Result<(Reader, Inherited)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Reader::Unread(ours), theirs))
}

impl Reader {
    fn watched(ours: OwnedFd) -> io::Result<Reader> {
        rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK)?;
        Receiver::from_owned_fd_unchecked(ours).map(Reader::Read)
    }
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        *self = match mem::replace(&mut *self, Reader::Lost) {
            Reader::Unread(ours) => Reader::watched(ours)?,
            watched => watched,
        };
        match &mut *self {
            Reader::Read(receiver) => Pin::new(receiver).poll_read(context, buffer),
            // Its error was told when it was lost.
            Reader::Unread(_) | Reader::Lost => Poll::Ready(Ok(())),
        }
    }
}
