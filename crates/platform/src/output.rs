//! What a launched program writes.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};

use crate::follow::{Follower, Growth};
use crate::system::pipe_reader::{Inherited, Reader, pipe};

/// The reading end of a program's standard output or error.
///
/// That of a kept program is a file, and ends when [`OutputEnd`] says so. Any other is a pipe, and ends when the last process
/// that holds the other end has closed it: not before the program's own children have.
pub struct Output(Source);

enum Source {
    Pipe(Reader),
    File(Follower),
}

impl Output {
    /// A pipe: the reading end, and the one that the program inherits, which blocks, as programs expect.
    pub(crate) fn pipe() -> io::Result<(Output, Inherited)> {
        pipe().map(|(reader, theirs)| (Output(Source::Pipe(reader)), theirs))
    }

    pub(crate) fn file(follower: Follower) -> Output {
        Output(Source::File(follower))
    }

    /// All but the last `held` bytes that were read are dealt with: the next life of this program reads on from there. Means
    /// nothing to a pipe, which ends with this one.
    pub fn settle(&mut self, held: usize) {
        if let Source::File(follower) = &mut self.0 {
            follower.settle(held);
        }
    }

    /// For saying that its program has ended.
    pub fn end(&self) -> OutputEnd {
        OutputEnd(match &self.0 {
            Source::Pipe(_) => None,
            Source::File(follower) => Some(follower.growth()),
        })
    }
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Source::Pipe(pipe) => Pin::new(pipe).poll_read(context, buffer),
            Source::File(follower) => follower.poll_read(context, buffer),
        }
    }
}

/// Says that the program of an output has ended, so that what it has written is all. A pipe knows by itself.
#[derive(Clone, Debug)]
pub struct OutputEnd(Option<Growth>);

impl OutputEnd {
    /// Nothing more comes.
    pub fn announce(&self) {
        if let Some(growth) = &self.0 {
            growth.end();
        }
    }
}
