//! Which sessions there are.

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, HANDLE};
use windows_sys::Win32::System::RemoteDesktop::{WTS_SESSION_INFO_1W, WTS_SESSION_INFOW};
use windows_sys::core::BOOL;

use crate::memory::{FreedBy, Texts, hand_out};
use crate::refusal::{Refusal, answer, local, put, script};

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsenumeratesessionsw>
///
/// # Safety
///
/// The places for the answer are null or the caller's to be written.
#[unsafe(no_mangle)]
unsafe extern "system" fn WTSEnumerateSessionsW(
    server: HANDLE,
    reserved: u32,
    version: u32,
    sessions: *mut *mut WTS_SESSION_INFOW,
    count: *mut u32,
) -> BOOL {
    let enumerate = || {
        local(server)?;
        if (reserved, version) != (0, 1) || sessions.is_null() || count.is_null() {
            return Err(ERROR_INVALID_PARAMETER);
        }
        let script = script()?;
        let mut texts = Texts::default();
        let records: Box<[_]> = script
            .sessions
            .iter()
            .map(|session| WTS_SESSION_INFOW {
                SessionId: session.id,
                pWinStationName: texts.add(&session.station),
                State: session.state.number(),
            })
            .collect();
        let length = length(&records)?;
        // SAFETY: by the caller's word.
        unsafe { put(count, length) }?;
        // SAFETY: by the caller's word.
        unsafe { put(sessions, hand_out(records, texts, FreedBy::FreeMemory)) }
    };
    answer(enumerate())
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsenumeratesessionsexw>
///
/// # Safety
///
/// The places for the answer are null or the caller's to be written.
#[unsafe(no_mangle)]
unsafe extern "system" fn WTSEnumerateSessionsExW(
    server: HANDLE,
    level: *mut u32,
    filter: u32,
    sessions: *mut *mut WTS_SESSION_INFO_1W,
    count: *mut u32,
) -> BOOL {
    let enumerate = || {
        local(server)?;
        if filter != 0 || level.is_null() || sessions.is_null() || count.is_null() {
            return Err(ERROR_INVALID_PARAMETER);
        }
        // SAFETY: not null, and by the caller's word a number.
        if unsafe { level.read() } != 1 {
            return Err(ERROR_INVALID_PARAMETER);
        }
        let script = script()?;
        let mut texts = Texts::default();
        let mut text = |text: &str| if text.is_empty() { std::ptr::null_mut() } else { texts.add(text) };
        let records: Box<[_]> = script
            .sessions
            .iter()
            .map(|session| WTS_SESSION_INFO_1W {
                ExecEnvId: session.id,
                State: session.state.number(),
                SessionId: session.id,
                pSessionName: text(&session.station),
                pHostName: std::ptr::null_mut(),
                pUserName: text(&session.user),
                pDomainName: text(&session.domain),
                pFarmName: std::ptr::null_mut(),
            })
            .collect();
        let length = length(&records)?;
        // SAFETY: by the caller's word.
        unsafe { put(count, length) }?;
        // SAFETY: by the caller's word.
        unsafe { put(sessions, hand_out(records, texts, FreedBy::FreeMemoryEx(length))) }
    };
    answer(enumerate())
}

fn length<T>(records: &[T]) -> Result<u32, Refusal> {
    u32::try_from(records.len()).map_err(|_| ERROR_INVALID_PARAMETER)
}
