//! The session that this program runs in, and no other. It needs no logind: it is there as long as this program is.

use std::env;

use crate::system::account::Account;
use crate::system::survivors;
use crate::{Kind, SessionInfo, State, Station, User};

/// One session that never changes.
pub(super) struct Console {
    station: Station,
    id: String,
    /// The user's name and the names of the process's groups, looked up once: they are its own and do not change.
    names: Option<(String, Vec<String>)>,
}

impl Console {
    pub(super) fn new() -> Console {
        let id = env::var("XDG_SESSION_ID").ok().filter(|id| !id.is_empty());
        Console { station: Station::own(), id: id.unwrap_or_else(|| "console".into()), names: None }
    }

    pub(super) async fn session(&mut self) -> SessionInfo {
        survivors::reap_strays();
        if self.names.is_none() {
            // What the name service does not tell now it may tell at the next enumeration.
            self.names = Account::own().await.ok().map(|account| (account.name, account.groups));
        }
        let (name, groups) =
            self.names.clone().unwrap_or_else(|| (self.station.facts().user.clone(), Vec::new()));
        SessionInfo {
            id: self.id.clone(),
            // The same for every run in it: an agent that outlived one is the next one's.
            logon: format!("console-{}", self.id),
            user: User { name, id: self.station.uid().to_string() },
            groups,
            administrator: None,
            kind: Kind::Console,
            state: State::Active,
            locked: false,
            remote: false,
            session_type: None,
            greeter: false,
            environment: true,
            display: true,
            station: self.station.clone(),
        }
    }
}
