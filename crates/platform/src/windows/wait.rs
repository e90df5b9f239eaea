//! Waiting for the end of a process, without a thread for each and without the limit of 64 handles of a wait call.

use std::ffi::c_void;
use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle};
use std::ptr;

use tokio::sync::watch;
use windows_sys::Win32::Foundation::{HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Threading::{
    INFINITE, RegisterWaitForSingleObject, UnregisterWaitEx, WT_EXECUTEINWAITTHREAD, WT_EXECUTEONLYONCE,
};

use super::handle::succeeded;

/// A wait that the system's thread pool keeps. Dropping it ends the wait.
pub(super) struct Wait {
    wait: HANDLE,
    sender: *mut watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

// SAFETY: a registered wait may be ended by any thread, and the sender behind the pointer is `Send + Sync` and is only used by the
// callback until the wait was ended.
unsafe impl Send for Wait {}
// SAFETY: as above; nothing behind `&self` writes.
unsafe impl Sync for Wait {}

impl Wait {
    /// Waits for a process to end.
    pub(super) fn new(process: BorrowedHandle<'_>) -> io::Result<Wait> {
        let (sender, ended) = watch::channel(false);
        // Dropped where this fails: then there is a sender and no wait.
        let mut wait = Wait { wait: ptr::null_mut(), sender: Box::into_raw(Box::new(sender)), ended };
        // SAFETY: the handle is alive now and, by the owner of this wait, until after it; the context is alive until the wait was
        // ended in `drop`.
        succeeded(unsafe {
            RegisterWaitForSingleObject(
                &mut wait.wait,
                process.as_raw_handle(),
                Some(ended_callback),
                wait.sender.cast_const().cast(),
                INFINITE,
                WT_EXECUTEONLYONCE | WT_EXECUTEINWAITTHREAD,
            )
        })?;
        Ok(wait)
    }

    /// Resolves once the process has ended.
    pub(super) async fn ended(&self) {
        // The sender lives as long as `self`, so that this cannot fail.
        let _ = self.ended.clone().wait_for(|ended| *ended).await;
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if !self.wait.is_null() {
            // SAFETY: the wait was registered and is ended once. With INVALID_HANDLE_VALUE the call returns only after a callback
            // that runs just now; callbacks do nothing that could wait for us.
            unsafe { UnregisterWaitEx(self.wait, INVALID_HANDLE_VALUE) };
        }
        // SAFETY: from `Box::into_raw`, and no callback can use it any more.
        drop(unsafe { Box::from_raw(self.sender) });
    }
}

/// Runs on a thread of the system's pool: wakes who waits, and nothing else.
unsafe extern "system" fn ended_callback(context: *mut c_void, _timed_out: bool) {
    let sender = context.cast::<watch::Sender<bool>>().cast_const();
    // SAFETY: the context is the sender that `Wait` keeps alive until the wait was ended.
    let sender = unsafe { &*sender };
    sender.send_replace(true);
}
