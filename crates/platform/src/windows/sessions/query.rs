//! Asking terminal services: one call a question, and plain values as the answer.

use std::io;
use std::ptr;

use windows_sys::Win32::System::RemoteDesktop::{
    WTS_CURRENT_SERVER_HANDLE, WTS_INFO_CLASS, WTS_SESSION_INFO_1W, WTS_SESSION_INFOW, WTSClientProtocolType,
    WTSDomainName, WTSEnumerateSessionsExW, WTSEnumerateSessionsW, WTSFreeMemory, WTSFreeMemoryExW,
    WTSGetActiveConsoleSessionId, WTSINFOEXW, WTSIsRemoteSession, WTSQuerySessionInformationW,
    WTSSessionInfoEx, WTSTypeSessionInfoLevel1, WTSUserName,
};

use super::facts::{Connection, Told};
use crate::system::handle::succeeded;
use crate::system::wide;

/// `WTSINFOEX_LEVEL1_W::SessionFlags`: the session is locked. (Windows 7 had the two values the wrong way round; the systems
/// that count do not.)
const WTS_SESSIONSTATE_LOCK: i32 = 0;
/// The session is not locked. Any other value says that it is not known.
const WTS_SESSIONSTATE_UNLOCK: i32 = 1;

/// More than a machine can have.
const SESSIONS_MAX: u32 = 100_000;

/// Every session, listeners and session 0 among them, with all that is told about each.
pub(super) fn sessions() -> io::Result<Vec<Told>> {
    let mut listed = list_with_users().or_else(|error| list().map_err(|_| error))?;
    // A session that ended meanwhile tells nothing, and then it has no user.
    listed.iter_mut().for_each(complete);
    Ok(listed)
}

/// What is told about one session's state, as far as it is.
pub(super) fn state(session: u32) -> Told {
    let mut told = Told { id: session, ..Told::default() };
    details(&mut told);
    told
}

/// The session that is connected to the machine's own console. `None` while that changes.
pub(super) fn console() -> Option<u32> {
    // SAFETY: takes nothing.
    let session = unsafe { WTSGetActiveConsoleSessionId() };
    (session != u32::MAX).then_some(session)
}

/// `WTSEnumerateSessionsExW`.
fn list_with_users() -> io::Result<Vec<Told>> {
    let (mut level, mut start, mut count) = (1, ptr::null_mut(), 0);
    // SAFETY: all three are ours to be written.
    succeeded(unsafe {
        WTSEnumerateSessionsExW(WTS_CURRENT_SERVER_HANDLE, &mut level, 0, &mut start, &mut count)
    })?;
    let records = RecordsWithUsers { start, count };
    let told = |record: &WTS_SESSION_INFO_1W| {
        Ok(Told {
            id: record.SessionId,
            connection: Connection::from_number(record.State),
            // SAFETY: strings of the answer are null or have their end marker.
            station: unsafe { text(record.pSessionName) },
            // SAFETY: as above.
            user: unsafe { text(record.pUserName) },
            // SAFETY: as above.
            domain: unsafe { text(record.pDomainName) },
            ..Told::default()
        })
    };
    records.as_slice()?.iter().map(told).collect()
}

/// `WTSEnumerateSessionsW`, for hosts without the other.
fn list() -> io::Result<Vec<Told>> {
    let (mut start, mut count) = (ptr::null_mut(), 0);
    // SAFETY: both are ours to be written. The reserved argument is 0 and the version 1, as documented.
    succeeded(unsafe { WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &mut start, &mut count) })?;
    let records = Records { start, count };
    let told = |record: &WTS_SESSION_INFOW| {
        let text_of = |question| Answer::to(record.SessionId, question).map(|answer| answer.text());
        Ok(Told {
            id: record.SessionId,
            connection: Connection::from_number(record.State),
            // SAFETY: strings of the answer are null or have their end marker.
            station: unsafe { text(record.pWinStationName) },
            user: text_of(WTSUserName).unwrap_or_default(),
            domain: text_of(WTSDomainName).unwrap_or_default(),
            ..Told::default()
        })
    };
    records.as_slice()?.iter().map(told).collect()
}

/// Asks for the rest about a session that has a user.
fn complete(told: &mut Told) {
    if told.is_a_persons() {
        details(told);
        told.protocol = Answer::to(told.id, WTSClientProtocolType).and_then(|answer| answer.read()).ok();
        let remote = Answer::to(told.id, WTSIsRemoteSession).and_then(|answer| answer.read::<u8>());
        told.is_remote = remote.ok().map(|remote| remote != 0);
    }
}

/// `WTSSessionInfoEx`.
fn details(told: &mut Told) {
    let Ok(info) = Answer::to(told.id, WTSSessionInfoEx).and_then(|answer| answer.read::<WTSINFOEXW>())
    else {
        return;
    };
    if info.Level != 1 {
        return;
    }
    // SAFETY: level 1, so that this is the member of the union.
    let info = unsafe { info.Data.WTSInfoExLevel1 };
    told.connection = Connection::from_number(info.SessionState);
    told.locked = match info.SessionFlags {
        WTS_SESSIONSTATE_LOCK => Some(true),
        WTS_SESSIONSTATE_UNLOCK => Some(false),
        _ => None,
    };
    told.logon_time = u64::try_from(info.LogonTime).ok().filter(|time| *time != 0);
}

/// The records of `WTSEnumerateSessionsExW`, in memory of the library.
struct RecordsWithUsers {
    start: *mut WTS_SESSION_INFO_1W,
    count: u32,
}

impl RecordsWithUsers {
    fn as_slice(&self) -> io::Result<&[WTS_SESSION_INFO_1W]> {
        // SAFETY: as the call returned them, alive as long as `self`.
        unsafe { slice(self.start, self.count) }
    }
}

impl Drop for RecordsWithUsers {
    fn drop(&mut self) {
        if !self.start.is_null() {
            // SAFETY: from the call, with its type and count, ours alone and freed once.
            unsafe { WTSFreeMemoryExW(WTSTypeSessionInfoLevel1, self.start.cast(), self.count) };
        }
    }
}

/// The records of `WTSEnumerateSessionsW`, in memory of the library.
struct Records {
    start: *mut WTS_SESSION_INFOW,
    count: u32,
}

impl Records {
    fn as_slice(&self) -> io::Result<&[WTS_SESSION_INFOW]> {
        // SAFETY: as the call returned them, alive as long as `self`.
        unsafe { slice(self.start, self.count) }
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        if !self.start.is_null() {
            // SAFETY: from the call, ours alone and freed once.
            unsafe { WTSFreeMemory(self.start.cast()) };
        }
    }
}

/// # Safety
///
/// There are `count` records at `start`, which nobody writes while the result lives; or there are none.
unsafe fn slice<'a, T>(start: *mut T, count: u32) -> io::Result<&'a [T]> {
    if start.is_null() || count == 0 {
        return Ok(&[]);
    }
    if count > SESSIONS_MAX {
        return Err(io::Error::other("terminal services list more sessions than a machine can have"));
    }
    // SAFETY: by the caller's word.
    Ok(unsafe { std::slice::from_raw_parts(start, count as usize) })
}

/// # Safety
///
/// `start` is null or points to UTF-16 units that end with a zero.
unsafe fn text(start: *const u16) -> String {
    if start.is_null() {
        return String::new();
    }
    // SAFETY: by the caller's word.
    unsafe { wide::read(start) }
}

/// An answer of terminal services about a session, in their memory.
struct Answer {
    start: *mut u16,
    length: usize,
}

impl Answer {
    fn to(session: u32, question: WTS_INFO_CLASS) -> io::Result<Answer> {
        let (mut start, mut length) = (ptr::null_mut(), 0);
        // SAFETY: `start` and `length` are ours to be written.
        succeeded(unsafe {
            WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, session, question, &mut start, &mut length)
        })?;
        Ok(Answer { start, length: length as usize })
    }

    /// Reads a structure of plain values, if the answer is long enough to be one.
    fn read<T: Copy>(&self) -> io::Result<T> {
        if self.start.is_null() || self.length < size_of::<T>() {
            return Err(io::Error::other("an answer that is too short"));
        }
        // SAFETY: that many bytes are there, and the callers' types are plain values, for which every bit pattern is one.
        Ok(unsafe { self.start.cast::<T>().read_unaligned() })
    }

    /// Reads a string, up to its end marker or the end of the answer.
    fn text(&self) -> String {
        // SAFETY: so many units are there, and nobody writes them; null comes with a length of 0.
        let units = unsafe { slice(self.start, u32::try_from(self.length / 2).unwrap_or(0)) };
        let units = units.unwrap_or_default();
        let end = units.iter().position(|unit| *unit == 0).unwrap_or(units.len());
        String::from_utf16_lossy(&units[..end])
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: from the query, ours alone and freed once.
        unsafe { WTSFreeMemory(self.start.cast()) };
    }
}
