//! Small numbers for logons.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use crate::Logon;

/// Gives every logon a number that is never used again.
///
/// A logon is known by three strings together: the session id of the operating system, which it uses again; the logon
/// identity (on Windows the authentication LUID with the logon time, on Linux logind's session object with its leader's
/// start time), which it does not; and the user's id, which may be empty until it is known: that makes no other logon of it.
/// For each enumeration, [`intern`](Self::intern) every session and then
/// [`forget_unseen`](Self::forget_unseen): the table holds only what the latest enumeration held, while numbers go on.
#[derive(Debug, Default)]
pub struct LogonTable {
    /// In the order of their names.
    known: Vec<Known>,
    given: u32,
}

#[derive(Debug)]
struct Known {
    session: String,
    identity: String,
    user_id: String,
    logon: Logon,
    seen: bool,
}

impl LogonTable {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of this logon, new if it was not known.
    pub fn intern(&mut self, session: &str, identity: &str, user_id: &str) -> Logon {
        let find = |user_id| self.known.binary_search_by(|known| known.cmp(session, identity, user_id));
        let at = match (find(user_id), find("")) {
            (Ok(at), _) => at,
            (Err(at), Err(_)) => self.insert(at, session, identity, user_id),
            // The same logon, by now with its user. The empty id comes before all others.
            (Err(at), Ok(early)) => {
                let known = self.known.remove(early);
                self.known.insert(at - 1, Known { user_id: user_id.into(), ..known });
                at - 1
            }
        };
        self.known[at].seen = true;
        self.known[at].logon
    }

    fn insert(&mut self, at: usize, session: &str, identity: &str, user_id: &str) -> usize {
        let logon = Logon(self.given);
        self.given += 1;
        let (session, identity, user_id) = (session.into(), identity.into(), user_id.into());
        self.known.insert(at, Known { session, identity, user_id, logon, seen: false });
        at
    }

    /// Forgets the logons that were not interned since the last call. Should one of them come back, it is another logon.
    pub fn forget_unseen(&mut self) {
        self.known.retain_mut(|known| core::mem::take(&mut known.seen));
    }

    /// How many logons it holds.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it holds none.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

impl Known {
    fn cmp(&self, session: &str, identity: &str, user_id: &str) -> Ordering {
        (self.session.as_str(), self.identity.as_str(), self.user_id.as_str())
            .cmp(&(session, identity, user_id))
    }
}
