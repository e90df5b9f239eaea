//! A pipe that a launched program writes to.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use tokio::net::unix::pipe::Receiver;

/// What a program inherits.
pub(crate) type Inherited = OwnedFd;

/// Our end.
pub(crate) type Reader = Receiver;

/// Both ends: ours, and the one for the program, which blocks, as programs expect.
pub(crate) fn pipe() -> io::Result<(Reader, Inherited)> {
    let (ours, theirs) = pipe_with(PipeFlags::CLOEXEC)?;
    rustix::fs::fcntl_setfl(&ours, OFlags::NONBLOCK)?;
    Ok((Receiver::from_owned_fd_unchecked(ours)?, theirs))
}
