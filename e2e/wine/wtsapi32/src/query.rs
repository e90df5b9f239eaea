//! What is known of one session.

#![allow(non_upper_case_globals, reason = "the names of the system's own constants, in patterns")]

use windows_sys::Win32::Foundation::{ERROR_FILE_NOT_FOUND, ERROR_NOT_SUPPORTED, HANDLE};
use windows_sys::Win32::System::RemoteDesktop::{
    ProcessIdToSessionId, WTS_CURRENT_SESSION, WTS_INFO_CLASS, WTS_PROTOCOL_TYPE_CONSOLE,
    WTS_PROTOCOL_TYPE_RDP, WTSClientProtocolType, WTSConnectState, WTSDomainName, WTSINFOEX_LEVEL_W,
    WTSINFOEX_LEVEL1_W, WTSINFOEXW, WTSINFOW, WTSIsRemoteSession, WTSSessionId, WTSSessionInfo,
    WTSSessionInfoEx, WTSUserName, WTSWinStationName,
};
use windows_sys::Win32::System::Threading::GetCurrentProcessId;
use windows_sys::core::{BOOL, PWSTR};

use crate::memory::{FreedBy, Texts, hand_out};
use crate::refusal::{Refusal, answer, local, put, script};
use crate::{Script, Session};

/// `WTSINFOEX_LEVEL1_W::SessionFlags`.
const LOCKED: i32 = 0;
const UNLOCKED: i32 = 1;
const UNKNOWN: i32 = -1;

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsquerysessioninformationw>
///
/// # Safety
///
/// The places for the answer are null or the caller's to be written.
#[unsafe(no_mangle)]
unsafe extern "system" fn WTSQuerySessionInformationW(
    server: HANDLE,
    session: u32,
    class: WTS_INFO_CLASS,
    buffer: *mut PWSTR,
    bytes: *mut u32,
) -> BOOL {
    let query = || {
        local(server)?;
        let script = script()?;
        let (start, length) = about(find(&script, session)?, class)?;
        // SAFETY: by the caller's word.
        unsafe { put(bytes, length) }?;
        // SAFETY: by the caller's word.
        unsafe { put(buffer, start) }
    };
    answer(query())
}

/// The session of this number, or the caller's own.
pub(crate) fn find(script: &Script, id: u32) -> Result<&Session, Refusal> {
    let id = if id == WTS_CURRENT_SESSION { own()? } else { id };
    script.session(id).ok_or(ERROR_FILE_NOT_FOUND)
}

/// The session that this process is in, as Wine sees it.
pub(crate) fn own() -> Result<u32, Refusal> {
    // SAFETY: takes nothing.
    let process = unsafe { GetCurrentProcessId() };
    let mut session = 0;
    // SAFETY: the place is ours.
    match unsafe { ProcessIdToSessionId(process, &mut session) } {
        0 => Err(ERROR_FILE_NOT_FOUND),
        _ => Ok(session),
    }
}

/// The answer and its length in bytes.
fn about(session: &Session, class: WTS_INFO_CLASS) -> Result<(PWSTR, u32), Refusal> {
    let protocol = if session.remote { WTS_PROTOCOL_TYPE_RDP } else { WTS_PROTOCOL_TYPE_CONSOLE };
    Ok(match class {
        WTSSessionId => plain(session.id),
        WTSUserName => text(&session.user),
        WTSWinStationName => text(&session.station),
        WTSDomainName => text(&session.domain),
        WTSConnectState => plain(session.state.number()),
        WTSClientProtocolType => plain(protocol as u16),
        WTSSessionInfo => plain(info(session)),
        WTSSessionInfoEx => plain(info_ex(session)),
        WTSIsRemoteSession => plain(u8::from(session.remote)),
        _ => return Err(ERROR_NOT_SUPPORTED),
    })
}

fn plain<T: 'static>(value: T) -> (PWSTR, u32) {
    let start = hand_out(Box::new([value]), Texts::default(), FreedBy::FreeMemory);
    (start.cast(), size_of::<T>() as u32)
}

fn text(text: &str) -> (PWSTR, u32) {
    let units: Box<[u16]> = text.encode_utf16().chain([0]).collect();
    let bytes = size_of_val(&*units) as u32;
    (hand_out(units, Texts::default(), FreedBy::FreeMemory), bytes)
}

fn info(session: &Session) -> WTSINFOW {
    WTSINFOW {
        State: session.state.number(),
        SessionId: session.id,
        WinStationName: field(&session.station),
        Domain: field(&session.domain),
        UserName: field(&session.user),
        LogonTime: session.logon_time,
        ..WTSINFOW::default()
    }
}

fn info_ex(session: &Session) -> WTSINFOEXW {
    let level1 = WTSINFOEX_LEVEL1_W {
        SessionId: session.id,
        SessionState: session.state.number(),
        SessionFlags: match session.locked {
            Some(true) => LOCKED,
            Some(false) => UNLOCKED,
            None => UNKNOWN,
        },
        WinStationName: field(&session.station),
        UserName: field(&session.user),
        DomainName: field(&session.domain),
        LogonTime: session.logon_time,
        ..WTSINFOEX_LEVEL1_W::default()
    };
    WTSINFOEXW { Level: 1, Data: WTSINFOEX_LEVEL_W { WTSInfoExLevel1: level1 } }
}

/// As much of a text as fits, with its end marker.
fn field<const N: usize>(text: &str) -> [u16; N] {
    let mut units = [0; N];
    for (place, unit) in units.iter_mut().take(N - 1).zip(text.encode_utf16()) {
        *place = unit;
    }
    units
}
