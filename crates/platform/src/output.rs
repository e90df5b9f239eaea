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
/// that holds the other end has closed it: not before the program's own children have, nor before its [`OutputEnd`] is gone.
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

    /// For saying that its program has ended. Of a pipe, it is for whoever launched the program.
    pub fn end(&self) -> OutputEnd {
        match &self.0 {
            Source::Pipe(_) => OutputEnd::default(),
            Source::File(follower) => OutputEnd { file: Some(follower.growth()), pipe: None },
        }
    }

    /// The same for a program that was just launched, with the end that it has inherited.
    pub(crate) fn end_with(&self, theirs: Inherited) -> OutputEnd {
        match &self.0 {
            Source::Pipe(_) => OutputEnd { file: None, pipe: Some(theirs) },
            Source::File(_) => self.end(),
        }
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

/// Says that the program of an output has ended, so that what it has written is all.
///
/// A pipe would know by itself; but a process that ends closes its pipes before it can be waited for, and whoever is woken by
/// that gets in the way of the end that they wait for. So our own hold on the other end keeps a pipe open until then.
#[derive(Debug, Default)]
pub struct OutputEnd {
    file: Option<Growth>,
    pipe: Option<Inherited>,
}

impl OutputEnd {
    /// Nothing more comes, but from what the program has left. A pipe's is announced also by dropping this.
    pub fn announce(self) {
        drop(self.pipe);
        if let Some(growth) = &self.file {
            growth.end();
        }
    }
}
