//! Who is logged on.

use crate::{Error, Hint, Kind, Mode, SessionInfo, State, Station, User};

/// A source of sessions.
pub struct Sessions {
    station: Station,
}

impl Sessions {
    /// Opens the source; its subscriptions stand when this returns.
    pub async fn open(_mode: Mode) -> Result<Sessions, Error> {
        Ok(Sessions { station: Station::own() })
    }

    /// Resolves when something may have changed. Cancel safe. Pends for ever in a source without hints.
    pub async fn hint(&mut self) -> Hint {
        std::future::pending().await
    }

    /// What is true now. An error never means that there are no sessions.
    pub async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        Ok(vec![SessionInfo {
            id: "console".into(),
            logon: "console".into(),
            user: User { name: "me".into(), id: self.station.uid().to_string() },
            groups: Vec::new(),
            kind: Kind::Console,
            state: State::Active,
            locked: false,
            remote: false,
            session_type: None,
            display: true,
            station: self.station.clone(),
        }])
    }
}
