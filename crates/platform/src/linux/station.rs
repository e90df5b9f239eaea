//! Where a process can be started: a user in a session.

use std::sync::Arc;

/// All that is needed to start a process in a session, as its user. Cheap to clone; does not change: an enumeration brings a
/// new one where something has.
#[derive(Clone, Debug)]
pub struct Station {
    facts: Arc<Facts>,
}

#[derive(Debug)]
struct Facts {
    uid: u32,
    gid: u32,
}

impl Station {
    /// This program's own user, session and environment.
    pub fn own() -> Station {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Station { facts: Arc::new(Facts { uid, gid }) }
    }

    pub(crate) fn uid(&self) -> u32 {
        self.facts.uid
    }

    pub(crate) fn gid(&self) -> u32 {
        self.facts.gid
    }
}
