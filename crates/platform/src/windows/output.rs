//! What a launched program writes.

use std::fs::OpenOptions;
use std::future::Future as _;
use std::io;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::windows::named_pipe::{NamedPipeServer, PipeMode, ServerOptions};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};

pub use super::follow::Outputs;
use super::follow::{Follower, Signal};
use super::handle::succeeded;
use super::security::Descriptor;
use super::stream::read_to_end;
use super::token::own_sid;
use super::{endpoint, pipe, sddl};

/// The reading end of a program's standard output or error.
///
/// That of a kept program is a file, and ends when [`OutputEnd`] says so. Any other is a pipe, and ends when the last process
/// that holds the other end has closed it: not before the program's own children have.
pub struct Output(Source);

enum Source {
    /// A named one, because the system's anonymous pipes cannot be read without a thread for each.
    Pipe(NamedPipeServer),
    File(Follower),
}

impl Output {
    /// Both ends: ours, and the inheritable one that the program writes to.
    pub(super) fn pipe() -> io::Result<(Output, OwnedHandle)> {
        let name = pipe::random_name("output");
        let descriptor = Descriptor::parse(&sddl::console_pipe(own_sid().as_str()))?;
        let mut options = ServerOptions::new();
        options.pipe_mode(PipeMode::Byte).access_outbound(false).max_instances(1);
        let server = endpoint::create(options.first_pipe_instance(true), &name, &descriptor)?;
        // Opened as a file: programs expect handles that block.
        let writer = OwnedHandle::from(OpenOptions::new().write(true).open(&name)?);
        inherit(&writer)?;
        // The other end is there already, so this is not waited for; it only tells the runtime to start reading.
        match pin!(server.connect()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(connected) => connected?,
            Poll::Pending => {
                return Err(io::Error::other("a pipe that both ends have opened is not connected"));
            }
        }
        Ok((Output(Source::Pipe(server)), writer))
    }

    pub(super) fn file(follower: Follower) -> Output {
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
            Source::File(follower) => Some(follower.signal()),
        })
    }
}

/// Says that the program of an output has ended, so that what it has written is all. A pipe knows by itself.
#[derive(Clone, Debug)]
pub struct OutputEnd(Option<Signal>);

impl OutputEnd {
    /// Nothing more comes.
    pub fn announce(&self) {
        if let Some(signal) = &self.0 {
            signal.end();
        }
    }
}

/// An inheritable handle to nothing, for a program's standard input: reading it gives the end of the file.
pub(super) fn nothing() -> io::Result<OwnedHandle> {
    let nothing = OwnedHandle::from(OpenOptions::new().read(true).open(r"\\.\NUL")?);
    inherit(&nothing)?;
    Ok(nothing)
}

/// Lets a handle be inherited by a process that is created with it in its list.
pub(super) fn inherit(handle: &OwnedHandle) -> io::Result<()> {
    // SAFETY: the handle is alive.
    succeeded(unsafe {
        SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, HANDLE_FLAG_INHERIT)
    })
}

impl AsyncRead for Output {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Source::Pipe(pipe) => read_to_end(Pin::new(pipe).poll_read(context, buffer)),
            Source::File(follower) => follower.poll_read(context, buffer),
        }
    }
}
