//! How a call fails: 0, and the thread's last error.

use std::path::Path;

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_HANDLE, ERROR_INVALID_PARAMETER, FALSE, HANDLE, SetLastError, TRUE,
};
use windows_sys::core::BOOL;

use crate::Script;
use crate::script::FOLDER;

/// Why a call fails: an error code of the system.
pub(crate) type Refusal = u32;

/// `RPC_S_SERVER_UNAVAILABLE`: the service that knows the sessions does not run.
const UNAVAILABLE: Refusal = 1722;

/// The `BOOL` of a call.
pub(crate) fn answer(outcome: Result<(), Refusal>) -> BOOL {
    match outcome {
        Ok(()) => TRUE,
        Err(code) => {
            // SAFETY: takes a plain value.
            unsafe { SetLastError(code) };
            FALSE
        }
    }
}

/// What is true now.
pub(crate) fn script() -> Result<Script, Refusal> {
    Script::read(Path::new(FOLDER)).map_err(|error| {
        // Else a script with a mistake would look like terminal services that are away.
        if error.kind() != std::io::ErrorKind::NotFound {
            eprintln!("wtsapi32 stand-in: the script cannot be read: {error}");
        }
        UNAVAILABLE
    })
}

/// Only this machine's own services are played: `WTS_CURRENT_SERVER_HANDLE`.
pub(crate) fn local(server: HANDLE) -> Result<(), Refusal> {
    if server.is_null() { Ok(()) } else { Err(ERROR_INVALID_HANDLE) }
}

/// Writes where the caller said; nowhere is an error.
///
/// # Safety
///
/// The place is null, or the caller's to be written.
pub(crate) unsafe fn put<T>(place: *mut T, value: T) -> Result<(), Refusal> {
    if place.is_null() {
        return Err(ERROR_INVALID_PARAMETER);
    }
    // SAFETY: by the caller's word.
    unsafe { place.write_unaligned(value) };
    Ok(())
}
