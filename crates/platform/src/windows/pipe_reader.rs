//! A pipe that a launched program writes to, and what it inherits else.

use std::fs::OpenOptions;
use std::future::Future as _;
use std::io;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
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

/// What a program inherits.
pub(crate) type Inherited = OwnedHandle;

/// Our end: of a named pipe, because the system's anonymous ones cannot be read without a thread for each.
pub(crate) struct Reader(NamedPipeServer);

/// Both ends: ours, and the inheritable one that the program writes to.
pub(crate) fn pipe() -> io::Result<(Reader, Inherited)> {
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
    Ok((Reader(server), writer))
}

impl AsyncRead for Reader {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        read_to_end(Pin::new(&mut self.0).poll_read(context, buffer))
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
    set_inheritance(handle, HANDLE_FLAG_INHERIT)
}

/// Lets a handle be inherited no more.
pub(super) fn disinherit(handle: &OwnedHandle) -> io::Result<()> {
    set_inheritance(handle, 0)
}

fn set_inheritance(handle: &OwnedHandle, flag: u32) -> io::Result<()> {
    // SAFETY: the handle is alive.
    succeeded(unsafe { SetHandleInformation(handle.as_raw_handle(), HANDLE_FLAG_INHERIT, flag) })
}
