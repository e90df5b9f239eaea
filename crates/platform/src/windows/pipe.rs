//! Named pipes: their names, and who is at their ends.

use std::io;
use std::os::windows::io::AsRawHandle;

use windows_sys::Win32::Foundation::ERROR_SEM_TIMEOUT;
#[cfg(feature = "host")]
use windows_sys::Win32::System::Pipes::{GetNamedPipeClientProcessId, GetNamedPipeClientSessionId};
use windows_sys::Win32::System::Pipes::{
    GetNamedPipeServerProcessId, GetNamedPipeServerSessionId, WaitNamedPipeW,
};

use super::handle::succeeded;
use super::wide::wide;

/// The folder of all pipes of this machine. An address outside of it could lead to another machine, which would then see who
/// we are.
pub(super) const PREFIX: &str = r"\\.\pipe\";

/// The process that made a pipe.
pub(super) fn server_of(client: &impl AsRawHandle) -> io::Result<u32> {
    let mut pid = 0;
    // SAFETY: the handle is alive; `pid` is ours to be written.
    succeeded(unsafe { GetNamedPipeServerProcessId(client.as_raw_handle(), &mut pid) })?;
    Ok(pid)
}

/// The session of the process that made a pipe.
pub(super) fn server_session_of(client: &impl AsRawHandle) -> io::Result<u32> {
    let mut session = 0;
    // SAFETY: the handle is alive; `session` is ours to be written.
    succeeded(unsafe { GetNamedPipeServerSessionId(client.as_raw_handle(), &mut session) })?;
    Ok(session)
}

/// The session from which a pipe of ours was opened, as it was noted then.
#[cfg(feature = "host")]
pub(super) fn client_session_of(server: &impl AsRawHandle) -> io::Result<u32> {
    let mut session = 0;
    // SAFETY: the handle is alive; `session` is ours to be written.
    succeeded(unsafe { GetNamedPipeClientSessionId(server.as_raw_handle(), &mut session) })?;
    Ok(session)
}

/// The process that opened a pipe of ours.
#[cfg(feature = "host")]
pub(super) fn client_of(server: &impl AsRawHandle) -> io::Result<u32> {
    let mut pid = 0;
    // SAFETY: the handle is alive; `pid` is ours to be written.
    succeeded(unsafe { GetNamedPipeClientProcessId(server.as_raw_handle(), &mut pid) })?;
    Ok(pid)
}

/// Waits until somebody listens at a pipe and is free, without opening it. Blocks.
pub(super) fn wait(address: &str, timeout_ms: u32) -> io::Result<()> {
    let name = wide(address);
    // SAFETY: `name` has its end marker.
    succeeded(unsafe { WaitNamedPipeW(name.as_ptr(), timeout_ms) })
}

/// Whether somebody listens at a pipe, free or not. Nothing is opened.
pub(super) fn exists(address: &str) -> bool {
    // 1 ms is the shortest wait: 0 means the pipe's own default.
    match wait(address, 1) {
        Ok(()) => true,
        Err(error) => error.raw_os_error() == Some(ERROR_SEM_TIMEOUT.cast_signed()),
    }
}

/// A name that nobody can guess: 128 random bits.
#[cfg(feature = "host")]
pub(super) fn random_name(what: &str) -> String {
    format!("{PREFIX}bilayer-{what}-{:032x}", u128::from_ne_bytes(super::random_bytes()))
}
