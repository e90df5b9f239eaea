//! The users' sessions, in truth and as the service gets to see them.

use bilayer_core::{Event, Exit, Session, SessionKind, SessionState};

use crate::faults::Fault;
use crate::oracle::Verdict;
use crate::processes::Phase;
use crate::schedule::What;
use crate::world::{MS, SEC, World, logon, place_of};

/// Room for one session. Places 2n and 2n + 1 share the OS's session id n: one can begin while the traces of the other are
/// not cleaned up yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Which logon lives here; 0 for none.
    pub(crate) serial: u32,
    pub(crate) user: usize,
    pub(crate) state: SessionState,
    pub(crate) kind: SessionKind,
    pub(crate) locked: bool,
    pub(crate) remote: bool,
    pub(crate) environment: bool,
    pub(crate) display: bool,
    pub(crate) groups_known: bool,
    /// From when on the session can have processes.
    pub(crate) token_at: u64,
}

impl Place {
    pub(crate) const EMPTY: Self = Self {
        serial: 0,
        user: 0,
        state: SessionState::Inactive,
        kind: SessionKind::Other,
        locked: false,
        remote: false,
        environment: true,
        display: true,
        groups_known: true,
        token_at: 0,
    };
}

/// What is on its way from the OS to the service.
#[derive(Debug, Default)]
pub(crate) struct Enumeration {
    under_way: bool,
    /// Something changed while an enumeration was under way.
    again: bool,
    /// What an enumeration saw that arrives late.
    seen: Option<Vec<Session>>,
}

impl World {
    /// The sessions as they are.
    pub(crate) fn facts(&self) -> Vec<Session> {
        let there = self.places.iter().enumerate().filter(|(_, place)| place.serial != 0);
        there
            .map(|(number, place)| Session {
                logon: logon(place.serial, number),
                state: place.state,
                kind: place.kind,
                locked: place.locked,
                remote: place.remote,
                environment: place.environment,
                display: place.display,
                who: self.people.who(place.user, number / 2, place.groups_known).clone(),
            })
            .collect()
    }

    /// Something about the sessions changed: the OS says so, or fails to.
    pub(crate) fn hint(&mut self) {
        if self.strikes(Fault::HintLost) {
            return;
        }
        if self.enumeration.under_way {
            self.enumeration.again = true;
            return;
        }
        self.enumeration.under_way = true;
        let after = if self.strikes(Fault::EnumerationLate) {
            self.enumeration.seen = Some(self.facts());
            self.rng.span(10 * MS, 10 * SEC)
        } else {
            self.rng.below(2 * MS)
        };
        self.schedule.push(self.now + after, What::Enumeration);
    }

    /// An enumeration arrives.
    pub(crate) fn enumerate(&mut self) -> Verdict {
        let mut facts = match self.enumeration.seen.take() {
            Some(seen) => {
                // What it missed is seen by the next one.
                self.enumeration.again = true;
                seen
            }
            None => self.facts(),
        };
        self.enumeration.under_way = false;
        if !facts.is_empty() && self.strikes(Fault::TwoInFront) {
            let at = self.rng.index(facts.len());
            if facts[at].state == SessionState::Inactive {
                facts[at].state = SessionState::Active;
                self.enumeration.again = true;
            }
        }
        if std::mem::take(&mut self.enumeration.again) {
            self.enumeration.under_way = true;
            self.schedule.push(self.now + self.rng.span(MS, 100 * MS), What::Enumeration);
        }
        self.tell(Event::Sessions(facts))
    }

    /// Whether nothing is left of whoever was here: no session, no process, and the service knows.
    fn is_free(&self, place: usize) -> bool {
        let processes = &self.processes[self.grid.at(place)];
        let under_way = self.enumeration.seen.iter().flatten();
        self.places[place].serial == 0
            && !under_way.into_iter().any(|session| place_of(session.logon) == place)
            && processes.iter().all(|process| process.phase == Phase::None)
            && self.oracle.is_free(place)
    }

    /// A user logs on, if there is room.
    pub(crate) fn log_on(&mut self, user: usize) {
        let ids = self.plan.ids;
        let first = if self.plan.crowd { user } else { self.rng.index(ids) };
        for id in (first..ids).chain(0..first) {
            if self.places[2 * id].serial != 0 || self.places[2 * id + 1].serial != 0 {
                continue;
            }
            let reuse = self.strikes(Fault::SessionIdReuse);
            let clean = self.is_free(2 * id) && self.is_free(2 * id + 1);
            let place = if self.is_free(2 * id) { 2 * id } else { 2 * id + 1 };
            if self.is_free(place) && (clean || reuse) {
                return self.log_on_at(user, place);
            }
        }
    }

    fn log_on_at(&mut self, user: usize, place: usize) {
        self.serial += 1;
        let kind = match self.rng.below(10) {
            0..6 => SessionKind::Console,
            6..9 => SessionKind::Remote,
            _ => SessionKind::Other,
        };
        let environment_late = self.strikes(Fault::EnvironmentLate);
        let display_late = self.strikes(Fault::DisplayLate);
        let groups_late = self.strikes(Fault::GroupsLate);
        let token_at =
            if self.strikes(Fault::TokenNotReady) { self.now + self.rng.span(50 * MS, 40 * SEC) } else { 0 };
        self.places[place] = Place {
            serial: self.serial,
            user,
            state: SessionState::Inactive,
            kind,
            locked: false,
            remote: kind == SessionKind::Remote,
            environment: !environment_late,
            display: !display_late,
            groups_known: !groups_late,
            token_at,
        };
        if display_late || groups_late {
            let at = self.now + self.rng.span(MS, 20 * SEC);
            self.schedule.push(at, What::SessionComplete { place: place as u32, serial: self.serial });
        }
        if environment_late {
            let at = self.now + self.rng.span(MS, 20 * SEC);
            self.schedule.push(at, What::EnvironmentKnown { place: place as u32, serial: self.serial });
        }
        self.bring_to_front(place);
    }

    /// The session gets the screen that it asks for; at the console, that of whoever had it.
    pub(crate) fn bring_to_front(&mut self, place: usize) {
        if self.places[place].kind == SessionKind::Console {
            for other in &mut self.places {
                if other.kind == SessionKind::Console && other.state == SessionState::Active {
                    other.state = SessionState::Inactive;
                }
            }
        }
        self.places[place].state = SessionState::Active;
        self.hint();
    }

    pub(crate) fn environment_known(&mut self, place: usize, serial: u32) {
        let there = &mut self.places[place];
        if there.serial == serial {
            there.environment = true;
            self.hint();
        }
    }

    pub(crate) fn session_complete(&mut self, place: usize, serial: u32) {
        let there = &mut self.places[place];
        if there.serial == serial {
            (there.display, there.groups_known) = (true, true);
            self.hint();
        }
    }

    /// A user logs off; the agents may feel it before the service is told.
    pub(crate) fn log_off(&mut self, place: usize) {
        if self.strikes(Fault::LogoffCalledOff) {
            return self.agents_leave(place, true);
        }
        if self.strikes(Fault::ExitBeforeLogoff) {
            self.agents_leave(place, true);
        } else if self.strikes(Fault::CleanExitBeforeLogoff) {
            self.agents_leave(place, false);
        } else {
            return self.close_session(place);
        }
        let serial = self.places[place].serial;
        let at = self.now + self.rng.span(10 * MS, 8 * SEC);
        self.schedule.push(at, What::LogoffSeen { place: place as u32, serial });
    }

    /// The session begins to end.
    pub(crate) fn close_session(&mut self, place: usize) {
        let serial = self.places[place].serial;
        if self.places[place].state == SessionState::Closing {
            return;
        }
        if self.strikes(Fault::SuddenLogoff) {
            return self.session_gone(place, serial);
        }
        self.places[place].state = SessionState::Closing;
        let longest = if self.strikes(Fault::LingeringLogoff) { 100 * SEC } else { 2 * SEC };
        if !self.strikes(Fault::SurviveLogoff) {
            self.agents_leave(place, true);
        }
        let at = self.now + self.rng.span(longest / 100, longest);
        self.schedule.push(at, What::SessionGone { place: place as u32, serial });
        self.hint();
    }

    pub(crate) fn session_gone(&mut self, place: usize, serial: u32) {
        if self.places[place].serial != serial {
            return;
        }
        self.places[place] = Place::EMPTY;
        if !self.strikes(Fault::SurviveLogoff) {
            self.agents_leave(place, true);
        }
        self.hint();
    }

    /// The OS ends the session's processes, or they end because they feel that it will.
    fn agents_leave(&mut self, place: usize, with_code: bool) {
        for index in self.grid.at(place) {
            if self.processes[index].phase != Phase::Alive {
                continue;
            }
            let exit = if with_code {
                self.rng.pick(&[Exit::Code(0x4001_0004), Exit::Code(0xC000_026B), Exit::Code(0xC000_0142)])
            } else {
                Exit::Code(0)
            };
            let at = self.now + self.rng.span(MS / 8, SEC);
            self.exit_by(index, at, exit);
        }
    }

    /// Any session that is there.
    pub(crate) fn any_place(&mut self) -> Option<usize> {
        let count = self.places.len();
        let first = self.rng.index(count);
        (first..count).chain(0..first).find(|&place| self.places[place].serial != 0)
    }
}
