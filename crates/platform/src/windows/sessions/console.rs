//! The session that this program runs in, and no other.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use windows_sys::Win32::System::WindowsProgramming::GetUserNameW;
use windows_sys::Win32::UI::WindowsAndMessaging::{GetSystemMetrics, SM_REMOTESESSION};

use super::facts::Connection;
use super::query;
use crate::system::handle::succeeded;
use crate::system::token::{Token, own_sid};
use crate::system::window::{Seen, Window};
use crate::{Error, Hint, Kind, SessionInfo, State, Station, User};

/// One session, and the window through which Windows tells about it.
pub(super) struct Console {
    window: Window,
    seen: Arc<Seen>,
    station: Station,
    user: User,
    administrator: Option<bool>,
    logon: u64,
}

impl Console {
    pub(super) fn open() -> Result<Console, Error> {
        let failed = |action: &str, source: io::Error| Error::Tracking {
            action: action.into(),
            source: source.into(),
        };
        let seen = Arc::new(Seen::default());
        let window = Window::open(Arc::clone(&seen))
            .map_err(|error| failed("start the thread that follows this session", error))?;
        let station = Station::own();
        if station.session() == SERVICES {
            tracing::warn!(
                "this is session 0, which Windows keeps for services: its desktop is on no screen, so that nobody will see the \
                 agents; a program that comes in by ssh or as a scheduled task lands here. To see them, log on and run this there"
            );
        }
        let own = Token::own().map_err(|error| failed("open this program's own token", error))?;
        let logon = own.logon().map_err(|error| failed("look up this program's own logon", error))?;
        let name = user_name().map_err(|error| failed("look up this program's own user", error))?;
        let user = User { name, id: own_sid().to_string() };
        let administrator = own.is_an_administrators().ok();
        Ok(Console { window, seen, station, user, administrator, logon })
    }

    pub(super) async fn hint(&mut self) -> Hint {
        self.window.hint().await
    }

    pub(super) fn release(&mut self) {
        self.window.release();
    }

    /// The developer's own session counts as the console whatever it is, so that every spec serves it; `remote` tells the truth.
    pub(super) fn session(&self) -> SessionInfo {
        let session = self.station.session();
        // Not every host answers (Wine does not): then what the events said is what is known.
        let told = query::state(session);
        let state = match told.connection {
            _ if self.seen.ending.load(Ordering::Relaxed) => State::Closing,
            Connection::Unknown => State::Active,
            _ => told.state(),
        };
        SessionInfo {
            id: session.to_string(),
            logon: format!("{:x}-{:x}", self.logon, told.logon_time.unwrap_or(0)),
            user: self.user.clone(),
            groups: Vec::new(),
            administrator: self.administrator,
            kind: Kind::Console,
            state,
            locked: told.locked.unwrap_or_else(|| self.seen.locked.load(Ordering::Relaxed)),
            remote: is_remote(),
            session_type: None,
            greeter: false,
            environment: true,
            display: true,
            station: self.station.clone(),
        }
    }
}

/// The session of services, which has no screen since Windows Vista.
const SERVICES: u32 = 0;

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
