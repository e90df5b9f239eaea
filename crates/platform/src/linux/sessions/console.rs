//! The session that this program runs in, and no other. It needs no logind: it is there as long as this program is.

use std::env;

use crate::system::account::own_groups;
use crate::system::survivors;
use crate::{Kind, SessionInfo, State, Station, User};

/// One session that never changes.
pub(super) struct Console {
    station: Station,
    id: String,
    /// Looked up once; it is the process's own and cannot change.
    groups: Option<Vec<String>>,
}

impl Console {
    pub(super) fn new() -> Console {
        let id = env::var("XDG_SESSION_ID").ok().filter(|id| !id.is_empty());
        Console { station: Station::own(), id: id.unwrap_or_else(|| "console".into()), groups: None }
    }

    pub(super) async fn session(&mut self) -> SessionInfo {
        survivors::reap_strays();
        if self.groups.is_none() {
            // What the name service does not tell now it may tell at the next enumeration.
            self.groups = own_groups().await.ok();
        }
        SessionInfo {
            id: self.id.clone(),
            logon: format!("console-{}", std::process::id()),
            user: User { name: self.station.facts().user.clone(), id: self.station.uid().to_string() },
            groups: self.groups.clone().unwrap_or_default(),
            kind: Kind::Console,
            state: State::Active,
            locked: false,
            remote: false,
            session_type: None,
            display: true,
            station: self.station.clone(),
        }
    }
}
