//! Changes in the folder of the bed.

use std::time::Duration;

use windows_sys::Win32::Foundation::{
    GetLastError, HANDLE, INVALID_HANDLE_VALUE, WAIT_OBJECT_0, WAIT_TIMEOUT,
};
use windows_sys::Win32::Storage::FileSystem::{
    FILE_NOTIFY_CHANGE_FILE_NAME, FILE_NOTIFY_CHANGE_LAST_WRITE, FindCloseChangeNotification,
    FindFirstChangeNotificationW, FindNextChangeNotification,
};
use windows_sys::Win32::System::Threading::{INFINITE, WaitForSingleObject};

use crate::refusal::Refusal;
use crate::script::FOLDER;

/// A subscription to changes in the folder.
pub(crate) struct Changes(HANDLE);

// SAFETY: a handle may be used from every thread.
unsafe impl Send for Changes {}

impl Changes {
    /// From here on no change is missed.
    pub(crate) fn watch() -> Result<Changes, Refusal> {
        let folder: Vec<u16> = FOLDER.encode_utf16().chain([0]).collect();
        let what = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_LAST_WRITE;
        // SAFETY: the path has its end marker.
        let handle = unsafe { FindFirstChangeNotificationW(folder.as_ptr(), 0, what) };
        if handle == INVALID_HANDLE_VALUE {
            // SAFETY: takes nothing.
            return Err(unsafe { GetLastError() });
        }
        Ok(Changes(handle))
    }

    /// Waits for a change; false if the time was over before, no limit without one.
    pub(crate) fn wait(&self, limit: Option<Duration>) -> Result<bool, Refusal> {
        let limit_ms =
            limit.map_or(INFINITE, |limit| u32::try_from(limit.as_millis()).unwrap_or(INFINITE - 1));
        // SAFETY: the handle is open.
        match unsafe { WaitForSingleObject(self.0, limit_ms) } {
            WAIT_OBJECT_0 => {}
            WAIT_TIMEOUT => return Ok(false),
            // SAFETY: takes nothing.
            _ => return Err(unsafe { GetLastError() }),
        }
        // SAFETY: the handle is open.
        match unsafe { FindNextChangeNotification(self.0) } {
            // SAFETY: takes nothing.
            0 => Err(unsafe { GetLastError() }),
            _ => Ok(true),
        }
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        // SAFETY: the handle is open, ours alone and closed once.
        unsafe { FindCloseChangeNotification(self.0) };
    }
}
