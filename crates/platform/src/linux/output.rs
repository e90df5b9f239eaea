//! What a launched program writes.

use std::io;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;

/// The reading end of a program's standard output or error. It ends when the last process that holds the other end has
/// closed it: not before the program's own children have.
pub struct Output {
    pipe: Receiver,
}

impl Output {
    /// Takes the reading end of a pipe that does not block.
    pub(crate) fn new(pipe: OwnedFd) -> io::Result<Output> {
        Ok(Output { pipe: Receiver::from_owned_fd_unchecked(pipe)? })
    }
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.pipe).poll_read(context, buffer)
    }
}
