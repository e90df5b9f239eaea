//! What is written down of one agent.

use bilayer_platform::{ProcessRecord, SessionInfo, User};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Secrets;

/// All that the next life of the service needs to take an agent over. Has no `Debug`: what is in it is for one file.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its name in the configuration.
    pub(crate) agent: String,
    pub(crate) session: Session,
    pub(crate) generation: u32,
    /// Of the spec that it was launched from.
    pub(crate) fingerprint: u64,
    /// When it was launched, in milliseconds since 1970.
    pub(crate) since_ms: i64,
    pub(crate) process: ProcessRecord,
    /// Names the files that it prints to.
    pub(crate) label: String,
    /// Where it reaches the service, where that is its alone.
    pub(crate) endpoint: Option<String>,
    pub(crate) secrets: Secrets,
}

/// In the place of a session's tag where there is none: no session has it, since each has a hyphen.
pub(crate) const MACHINE: &str = "machine";

/// The logon that it is for, and whose; for a worker only whose.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) logon: String,
    pub(crate) user: String,
    pub(crate) user_id: String,
    /// The user's groups, which are known only some time after the session is.
    pub(crate) groups: Vec<String>,
}

impl Session {
    pub(crate) fn of(info: &SessionInfo) -> Self {
        Self {
            id: info.id.clone(),
            logon: info.logon.clone(),
            user: info.user.name.clone(),
            user_id: info.user.id.clone(),
            groups: info.groups.clone(),
        }
    }

    /// No session, and an account.
    pub(crate) fn of_machine(account: &User) -> Self {
        let (user, user_id) = (account.name.clone(), account.id.clone());
        Self { id: String::new(), logon: String::new(), user, user_id, groups: Vec::new() }
    }

    /// Whether it is a worker that this is about: no session is without an id.
    pub(crate) fn is_machine(&self) -> bool {
        self.id.is_empty()
    }

    /// Letters, digits and a hyphen: names the session in files, sockets and pipes, and stays the same as long as it lives.
    pub(crate) fn tag(&self) -> String {
        if self.is_machine() {
            return MACHINE.to_owned();
        }
        let id: String = self.id.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        // FNV-1a: tells logons apart that had the same id, and protects nothing.
        let digest =
            self.logon.bytes().chain(self.user_id.bytes()).fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        format!("{id}-{:08x}", digest & 0xffff_ffff)
    }
}

impl Record {
    /// When it was launched.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.since_ms).ok()
    }

    /// Names its file: one for an agent and a logon.
    pub(super) fn stem(&self) -> String {
        format!("{}.{}", self.agent, self.session.tag())
    }
}
