//! Where a process can be started: a user in a session.

use std::sync::Arc;

use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;

use super::handle::succeeded;
use super::sid::Sid;
use super::token::own_sid;
use crate::ProcessRecord;

/// All that is needed to start a process in a session, as its user. Cheap to clone; does not change.
#[derive(Clone, Debug)]
pub struct Station {
    facts: Arc<Facts>,
}

#[derive(Debug)]
struct Facts {
    user: Sid,
    session: u32,
}

impl Station {
    /// This program's own user, session and environment.
    pub fn own() -> Station {
        let session = session_of(std::process::id()).expect("a process may always ask for its own session");
        Station { facts: Arc::new(Facts { user: own_sid().clone(), session }) }
    }

    /// What an earlier life left here in groups whose names begin like this: the rest of each name, and what ends it. As far
    /// as the system can list them, which Windows cannot: a launch finds the job of its own name.
    pub fn leftovers(&self, _prefix: &str) -> Vec<(String, ProcessRecord)> {
        Vec::new()
    }

    pub(super) fn user(&self) -> &Sid {
        &self.facts.user
    }

    pub(super) fn session(&self) -> u32 {
        self.facts.session
    }
}

/// The session that a process is in.
pub(super) fn session_of(pid: u32) -> std::io::Result<u32> {
    let mut session = 0;
    // SAFETY: `session` is ours to be written.
    succeeded(unsafe { ProcessIdToSessionId(pid, &mut session) })?;
    Ok(session)
}
