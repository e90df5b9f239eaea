//! The sessions as the driver knows them.

use bilayer_core::{Event, Logon};
use bilayer_platform::SessionInfo;

use super::doors::Endpoint;
use super::{Driver, translate};
use crate::state::Session;

/// A session, from the enumeration that shows it first until its last agent is gone.
pub(super) struct Seat {
    pub(super) info: SessionInfo,
    /// Names the session's endpoint; the same after a restart of the service.
    pub(super) tag: String,
    pub(super) endpoint: Option<Endpoint>,
    /// It is in no enumeration any more.
    pub(super) gone: bool,
}

impl Driver {
    /// Takes an enumeration: notes what people and launches need of it, and gives the core the rest.
    pub(super) fn hear_sessions(&mut self, sessions: Vec<SessionInfo>) {
        for seat in self.seats.values_mut() {
            seat.gone = true;
        }
        let mut told = Vec::with_capacity(sessions.len());
        let mut found = Vec::new();
        for mut info in sessions {
            let logon = self.logons.intern(&info.id, &info.logon, &info.user.id);
            if info.groups.is_empty() {
                // Known some time after the session is; an agent that was taken over must not be stopped for that.
                info.groups = self.runs.groups_of(logon);
            }
            told.push(translate::session(logon, &info));
            match self.seats.get_mut(&logon) {
                Some(seat) => (seat.info, seat.gone) = (info, false),
                None => {
                    tracing::info!(
                        session = %info.id, user = %info.user.name, kind = ?info.kind, state = ?info.state,
                        locked = info.locked, "session found"
                    );
                    let tag = Session::of(&info).tag();
                    found.push(logon);
                    self.seats.insert(logon, Seat { info, tag, endpoint: None, gone: false });
                }
            }
        }
        self.logons.forget_unseen();
        for logon in found {
            self.settle_in(logon);
        }
        self.listen_again();
        self.find_accounts_again();
        self.write_down_the_rest();
        for seat in self.seats.values_mut().filter(|seat| seat.gone && seat.endpoint.is_some()) {
            seat.endpoint = None;
        }
        self.pending.push_back(Event::Sessions(told));
        self.forget_empty_seats();
    }

    /// Forgets sessions that are gone and have no instance any more.
    pub(super) fn forget_empty_seats(&mut self) {
        let gone: Vec<Logon> =
            self.seats.iter().filter(|(_, seat)| seat.gone).map(|(&logon, _)| logon).collect();
        for logon in gone {
            let served = self.core.instances().any(|(key, _)| key.logon == logon);
            if !served && let Some(seat) = self.seats.remove(&logon) {
                tracing::info!(session = %seat.info.id, user = %seat.info.user.name, "session ended");
            }
        }
    }
}
