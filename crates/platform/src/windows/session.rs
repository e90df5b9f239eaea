//! Who is logged on: the session that this program runs in.

use std::io;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use windows_sys::Win32::System::RemoteDesktop::{
    WTS_CURRENT_SERVER_HANDLE, WTS_INFO_CLASS, WTSActive, WTSFreeMemory, WTSINFOEXW,
    WTSQuerySessionInformationW, WTSSessionInfoEx,
};
use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;
use windows_sys::Win32::UI::WindowsAndMessaging::{GetSystemMetrics, SM_REMOTESESSION};

use super::handle::succeeded;
use super::token::{Token, own_sid};
use super::window::{Seen, Window};
use crate::{Error, Hint, Kind, Mode, SessionInfo, State, Station, User};

/// `WTSINFOEX_LEVEL1_W::SessionFlags`: the session is locked. (Windows 7 had the two values the wrong way round; the systems
/// that count do not.)
const WTS_SESSIONSTATE_LOCK: i32 = 0;
/// The session is not locked. Any other value says that it is not known.
const WTS_SESSIONSTATE_UNLOCK: i32 = 1;

/// A source of sessions.
pub struct Sessions {
    window: Window,
    seen: Arc<Seen>,
    station: Station,
    user: User,
    logon: u64,
}

impl Sessions {
    /// Opens the source; its subscriptions stand when this returns.
    pub async fn open(mode: Mode) -> Result<Sessions, Error> {
        let failed = |action: &str, source: io::Error| Error::Tracking {
            action: action.into(),
            source: source.into(),
        };
        if mode == Mode::System {
            let source = io::Error::other(
                "this needs the Windows service, which this build does not have yet; run in a console as an ordinary user",
            );
            return Err(failed("follow every session of the machine", source));
        }
        let seen = Arc::new(Seen::default());
        let window = Window::open(Arc::clone(&seen))
            .map_err(|error| failed("start the thread that follows this session", error))?;
        let station = Station::own();
        let logon = Token::own().and_then(|token| token.logon());
        let logon = logon.map_err(|error| failed("look up this program's own logon", error))?;
        let name = user_name().map_err(|error| failed("look up this program's own user", error))?;
        let user = User { name, id: own_sid().to_string() };
        Ok(Sessions { window, seen, station, user, logon })
    }

    /// Resolves when something may have changed. Cancel safe. Pends for ever where the system sends no hints.
    pub async fn hint(&mut self) -> Hint {
        self.window.hint().await
    }

    /// Everything has stopped: the shutdown or logoff that was announced need not wait for us any longer.
    pub fn release_shutdown(&mut self) {
        self.window.release();
    }

    /// What is true now. The developer's own session counts as the console whatever it is, so that every spec serves it;
    /// `remote` tells the truth.
    pub async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        let session = self.station.session();
        // Not every host answers (Wine does not): then what the events said is what is known.
        let facts = query(session).unwrap_or_default();
        let state = match facts.active {
            _ if self.seen.ending.load(Ordering::Relaxed) => State::Closing,
            Some(false) => State::Inactive,
            _ => State::Active,
        };
        Ok(vec![SessionInfo {
            id: session.to_string(),
            logon: format!("{:x}-{:x}", self.logon, facts.logon_time.unwrap_or(0)),
            user: self.user.clone(),
            groups: Vec::new(),
            kind: Kind::Console,
            state,
            locked: facts.locked.unwrap_or_else(|| self.seen.locked.load(Ordering::Relaxed)),
            remote: is_remote(),
            session_type: None,
            display: true,
            station: self.station.clone(),
        }])
    }
}

/// What terminal services tell about a session, as far as they do.
#[derive(Default)]
struct Facts {
    active: Option<bool>,
    locked: Option<bool>,
    /// In units of 100 ns since 1601.
    logon_time: Option<u64>,
}

fn query(session: u32) -> io::Result<Facts> {
    let answer = Answer::to(session, WTSSessionInfoEx)?;
    let info: WTSINFOEXW = answer.read()?;
    if info.Level != 1 {
        return Err(io::Error::other("an unknown level of session information"));
    }
    // SAFETY: level 1, so that this is the member of the union.
    let info = unsafe { info.Data.WTSInfoExLevel1 };
    Ok(Facts {
        active: Some(info.SessionState == WTSActive),
        locked: match info.SessionFlags {
            WTS_SESSIONSTATE_LOCK => Some(true),
            WTS_SESSIONSTATE_UNLOCK => Some(false),
            _ => None,
        },
        logon_time: u64::try_from(info.LogonTime).ok(),
    })
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
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: from the query, ours alone and freed once.
        unsafe { WTSFreeMemory(self.start.cast()) };
    }
}

fn is_remote() -> bool {
    // SAFETY: takes a plain value only.
    (unsafe { GetSystemMetrics(SM_REMOTESESSION) }) != 0
}

/// The name of this process's own user, from its token and without asking a network.
fn user_name() -> io::Result<String> {
    // UNLEN is 256, and the end marker.
    let mut name = [0_u16; 257];
    let mut length = name.len() as u32;
    // SAFETY: `name` can take `length` units; how many there are, with the end marker, is written to `length`.
    succeeded(unsafe { GetUserNameW(name.as_mut_ptr(), &mut length) })?;
    let units = name.iter().copied().take_while(|unit| *unit != 0).take(length as usize);
    Ok(char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect())
}
