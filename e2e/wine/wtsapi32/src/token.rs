//! A session's user.

use windows_sys::Win32::Foundation::{ERROR_CTX_WINSTATION_NOT_FOUND, ERROR_NO_TOKEN, GetLastError, HANDLE};
use windows_sys::Win32::Security::TOKEN_ALL_ACCESS;
use windows_sys::Win32::System::Threading::{GetCurrentProcess, OpenProcessToken};
use windows_sys::core::BOOL;

use crate::refusal::{answer, put, script};

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsqueryusertoken>
///
/// Hands out a token of this process: every process under Wine is the same user.
///
/// # Safety
///
/// The place for the answer is null or the caller's to be written.
#[unsafe(no_mangle)]
unsafe extern "system" fn WTSQueryUserToken(session: u32, token: *mut HANDLE) -> BOOL {
    let query = || {
        let script = script()?;
        let session = script.session(session).ok_or(ERROR_CTX_WINSTATION_NOT_FOUND)?;
        if session.user.is_empty() {
            return Err(ERROR_NO_TOKEN);
        }
        if let Some(error) = session.token_error {
            return Err(error);
        }
        let mut own = std::ptr::null_mut();
        // SAFETY: takes nothing and returns a constant that stands for this process.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: the place is ours.
        if unsafe { OpenProcessToken(process, TOKEN_ALL_ACCESS, &mut own) } == 0 {
            // SAFETY: takes nothing.
            return Err(unsafe { GetLastError() });
        }
        // SAFETY: by the caller's word.
        unsafe { put(token, own) }
    };
    answer(query())
}
