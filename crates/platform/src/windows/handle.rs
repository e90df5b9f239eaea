//! Handles, owned from the line after the call.

use std::io;
use std::os::windows::io::{FromRawHandle as _, OwnedHandle};

use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE, LocalFree};

/// Takes a handle that a call has just returned; null and `INVALID_HANDLE_VALUE` both say that it failed, and the thread's last
/// error says why.
pub(super) fn owned(raw: HANDLE) -> io::Result<OwnedHandle> {
    if raw.is_null() || raw == INVALID_HANDLE_VALUE {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call returned this handle to us alone, and it is valid; we close it once, with `CloseHandle`.
    Ok(unsafe { OwnedHandle::from_raw_handle(raw) })
}

/// Reads the `BOOL` that most calls return: zero says that it failed, and the thread's last error says why.
pub(super) fn succeeded(result: i32) -> io::Result<()> {
    if result == 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Memory that a call allocated with `LocalAlloc` and left to us.
pub(super) struct LocalMemory(pub(super) HANDLE);

impl Drop for LocalMemory {
    fn drop(&mut self) {
        // SAFETY: the memory is from `LocalAlloc`, ours alone and freed once.
        unsafe { LocalFree(self.0) };
    }
}
