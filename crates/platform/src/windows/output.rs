//! What a launched program writes.

use std::fs::OpenOptions;
use std::future::Future as _;
use std::io;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::path::Path;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::windows::named_pipe::{NamedPipeServer, PipeMode, ServerOptions};
use windows_sys::Win32::Foundation::{HANDLE_FLAG_INHERIT, SetHandleInformation};

use super::handle::succeeded;
use super::security::Descriptor;
use super::stream::read_to_end;
use super::token::own_sid;
use super::{endpoint, pipe, sddl};
use crate::Error;

/// The reading end of a program's standard output or error. It ends when the last process that holds the other end has
/// closed it: not before the program's own children have.
///
/// A named pipe, because the system's anonymous ones cannot be read without a thread for each.
pub struct Output {
    pipe: NamedPipeServer,
}

impl Output {
    /// Both ends: ours, and the inheritable one that the program writes to.
    pub(super) fn pair() -> io::Result<(Output, OwnedHandle)> {
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
        Ok((Output { pipe: server }, writer))
    }
}

impl Output {
    /// All but the last `held` bytes that were read are dealt with: the next life of this program reads on from there. Means
    /// nothing to a pipe, which ends with this one.
    pub fn settle(&mut self, _held: usize) {}

    /// For saying that its program has ended.
    pub fn end(&self) -> OutputEnd {
        OutputEnd
    }
}

/// Says that the program of an output has ended, so that what it has written is all. A pipe knows by itself.
#[derive(Clone, Debug)]
pub struct OutputEnd;

impl OutputEnd {
    /// Nothing more comes.
    pub fn announce(&self) {}
}

/// The folder of files in which kept processes write. There are none yet.
#[derive(Clone, Debug)]
pub struct Outputs;

impl Outputs {
    /// Opens the folder, and makes it if it is not there. Needs a runtime.
    ///
    /// # Errors
    /// The folder cannot be had, or watched.
    pub fn open(_folder: &Path) -> Result<Outputs, Error> {
        Ok(Outputs)
    }

    /// Standard output and error of a launch of an earlier life, from where that left off; `None`: there are no such files.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn resume(&self, _label: &str) -> io::Result<Option<(Output, Output)>> {
        Ok(None)
    }

    /// The labels of all files that are there.
    pub fn labels(&self) -> Vec<String> {
        Vec::new()
    }

    /// Removes the files of a launch. Whoever has them open keeps them.
    pub fn remove(&self, _label: &str) {}
}

/// An inheritable handle to nothing, for a program's standard input: reading it gives the end of the file.
pub(super) fn nothing() -> io::Result<OwnedHandle> {
    let nothing = OwnedHandle::from(OpenOptions::new().read(true).open(r"\\.\NUL")?);
    inherit(&nothing)?;
    Ok(nothing)
}

fn inherit(handle: &OwnedHandle) -> io::Result<()> {
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
        read_to_end(Pin::new(&mut self.pipe).poll_read(context, buffer))
    }
}
