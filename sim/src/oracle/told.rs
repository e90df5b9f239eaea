//! What the core was told of sessions, configuration and machine, and what should run by that.

use std::sync::Arc;

use bilayer_core::{
    Event, Logon, OnLeave, OnServiceStop, Serve, Session, SessionState, StopReason, WhileLocked,
};

use super::track::{After, Claim, Down, Phase, nanos};
use super::{Oracle, Track};
use crate::plan::{allowed, in_front};
use crate::world::{SEC, place_of};

/// How long a suspension lasts at most if nobody says that it is over.
const SUSPENSION_MAX: u64 = 120 * SEC;

/// What was last told of the session at a place.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    session: Option<Session>,
    /// In which enumeration it was.
    stamp: u32,
    /// Which specs' filters it passes, a bit each.
    allowed: u8,
    /// Whether that enumeration knew more of its user than the one before.
    completed: bool,
}

/// What the service does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Serving,
    Shutdown { by: u64 },
    Final { by: u64, keep: bool },
}

impl Mode {
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Final { .. })
    }

    /// By when everything is killed, on the same clock as `now`.
    pub(super) fn by(self) -> Option<u64> {
        match self {
            Self::Serving => None,
            Self::Shutdown { by } | Self::Final { by, .. } => Some(by),
        }
    }
}

/// What should become of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Unknown,
    Run(Claim),
    Locked(Claim),
    Gone,
}

impl Want {
    pub(super) fn is_gone(self) -> bool {
        self == Self::Gone
    }

    fn claim(self) -> Claim {
        match self {
            Self::Run(claim) | Self::Locked(claim) => claim,
            Self::Unknown | Self::Gone => Claim::None,
        }
    }
}

impl Oracle {
    /// Takes in what concerns every instance. Says whether it is news.
    pub(super) fn hear(&mut self, event: &Event) -> bool {
        match event {
            Event::Sessions(sessions) => {
                if self.suspended_since.is_some_and(|since| self.now > since + SUSPENSION_MAX) {
                    self.suspended_since = None;
                    self.thaw();
                }
                self.stamp += 1;
                let mut news = !self.sessions_known || sessions.len() != self.sessions_told;
                for session in sessions {
                    news |= self.hear_session(session);
                }
                (self.sessions_known, self.sessions_told) = (true, sessions.len());
                if news {
                    self.review_wants(false);
                }
                return news;
            }
            Event::Configured { specs, on_service_stop } => {
                self.note_health();
                self.removed.fill(true);
                for (id, spec) in specs {
                    let known = &mut self.configured[id.0 as usize];
                    if known != spec {
                        known.clone_from(spec);
                    }
                    self.removed[id.0 as usize] = false;
                }
                self.keep = *on_service_stop == OnServiceStop::Keep;
                self.configuration_known = true;
                for place in 0..self.told.len() {
                    if let Some(session) = &self.told[place].session {
                        self.told[place].allowed = self.allowed(session);
                    }
                }
                self.review_wants(true);
            }
            Event::Suspend if self.suspended_since.is_none() => {
                self.suspended_since = Some(self.now);
                self.stand_still();
            }
            Event::Resume => {
                self.suspended_since = None;
                self.thaw();
            }
            Event::ShutdownAnnounced(within) => {
                self.thaw();
                let by = self.by(*within);
                self.mode = match self.mode {
                    Mode::Serving | Mode::Shutdown { .. } => Mode::Shutdown { by },
                    Mode::Final { .. } => Mode::Final { by, keep: false },
                };
                self.shorten();
            }
            Event::ShutdownCalledOff => {
                if let Mode::Shutdown { .. } = self.mode {
                    self.mode = Mode::Serving;
                    if self.suspended_since.is_some() {
                        self.stand_still();
                    }
                }
            }
            Event::Stop(why, within) => {
                self.thaw();
                let by = self.by(*within);
                let alone = *why == StopReason::ServiceStop;
                let keep = match self.mode {
                    Mode::Serving => alone && self.keep,
                    Mode::Shutdown { .. } => false,
                    Mode::Final { keep, .. } => alone && keep && self.keep,
                };
                self.mode = Mode::Final { by, keep };
                self.shorten();
            }
            _ => {}
        }
        true
    }

    /// When all is to be over that is to be over within a time. No word of an end makes it later.
    fn by(&self, within: std::time::Duration) -> u64 {
        self.mode.by().unwrap_or(u64::MAX).min(self.now + nanos(within))
    }

    fn stand_still(&mut self) {
        if self.mode == Mode::Serving {
            self.frozen_since = Some(self.now);
        }
    }

    fn thaw(&mut self) {
        if let Some(since) = self.frozen_since.take() {
            self.paused += self.now - since;
            self.clock = self.now - self.paused;
        }
    }

    /// Who was healthy by the terms that end now. A process that is being stopped gets no healthier.
    fn note_health(&mut self) {
        for index in 0..self.tracks.len() {
            let spec = &self.configured[self.grid.number(index)];
            let track = &mut self.tracks[index];
            if track.looping && track.phase == Phase::Live && track.stop.is_none() {
                track.note_health(self.clock, &spec.restart);
            }
        }
    }

    fn shorten(&mut self) {
        let by = self.by_clock();
        for track in &mut self.tracks {
            if let Some(stop) = &mut track.stop {
                stop.deadline = stop.deadline.min(by);
            }
        }
    }

    /// By when everything is killed, on the clock that stands still.
    pub(super) fn by_clock(&self) -> u64 {
        self.mode.by().map_or(u64::MAX, |by| by - self.paused)
    }

    fn hear_session(&mut self, session: &Session) -> bool {
        let told = &mut self.told[place_of(session.logon)];
        let was_there = told.stamp + 1 == self.stamp;
        told.stamp = self.stamp;
        if told.session.as_ref().is_some_and(|known| same(known, session)) {
            told.completed = false;
            return !was_there;
        }
        let known = told.session.as_ref().filter(|known| was_there && known.logon == session.logon);
        told.completed = known.is_some_and(|known| known.who != session.who);
        told.session = Some(session.clone());
        let allowed = self.allowed(session);
        self.told[place_of(session.logon)].allowed = allowed;
        true
    }

    fn allowed(&self, session: &Session) -> u8 {
        let specs = self.configured.iter().enumerate();
        specs.fold(0, |bits, (number, spec)| bits | u8::from(allowed(spec, session)) << number)
    }

    /// The session at a place, if the latest enumeration had it.
    pub(super) fn session(&self, place: usize) -> Option<&Session> {
        let told = &self.told[place];
        told.session.as_ref().filter(|_| told.stamp == self.stamp)
    }

    pub(super) fn is_told(&self, place: usize) -> bool {
        self.session(place).is_some()
    }

    /// What the core should want of an instance, by what it was told.
    pub(super) fn want(&self, index: usize) -> Want {
        let track = &self.tracks[index];
        let place = self.grid.place(index);
        let session = self.session(place).filter(|session| session.logon == track.logon);
        self.want_in(index, session, track.exists)
    }

    fn want_in(&self, index: usize, session: Option<&Session>, exists: bool) -> Want {
        if self.is_worker(index) {
            return self.want_of_worker(self.grid.number(index));
        }
        if !self.sessions_known || !self.configuration_known {
            return Want::Unknown;
        }
        let (place, number) = (self.grid.place(index), self.grid.number(index));
        let Some(session) = session.filter(|session| session.state != SessionState::Closing) else {
            return Want::Gone;
        };
        if self.removed[number] {
            return Want::Gone;
        }
        let spec = &self.configured[number];
        if spec.serve == Serve::Machine {
            return Want::Gone;
        }
        let served = self.told[place].allowed >> number & 1 == 1 && in_front(spec.serve, session);
        let claim = match spec.on_leave {
            _ if served => Claim::Served,
            OnLeave::Keep if exists => Claim::Kept,
            OnLeave::Keep | OnLeave::Stop => return Want::Gone,
        };
        if session.locked && spec.while_locked == WhileLocked::Stop {
            Want::Locked(claim)
        } else {
            Want::Run(claim)
        }
    }

    /// A worker is wanted for as long as it is configured, whoever is logged on.
    fn want_of_worker(&self, number: usize) -> Want {
        if !self.configuration_known {
            Want::Unknown
        } else if self.removed[number] || self.configured[number].serve != Serve::Machine {
            Want::Gone
        } else {
            Want::Run(Claim::Served)
        }
    }

    /// Whether it is the machine's, and no session's.
    pub(super) fn is_worker(&self, index: usize) -> bool {
        self.grid.place(index) == self.grid.machine()
    }

    /// Whether a process of this instance has to end.
    pub(super) fn must_stop(&self, index: usize) -> bool {
        if self.mode != Mode::Serving {
            return true;
        }
        match self.want(index) {
            Want::Unknown => false,
            Want::Gone | Want::Locked(_) => true,
            Want::Run(_) => self.spec(index).fingerprint != self.tracks[index].fingerprint,
        }
    }

    /// Brings every track up to date with what should run.
    fn review_wants(&mut self, reloaded: bool) {
        if !self.configuration_known {
            return;
        }
        for index in 0..self.tracks.len() {
            if self.sessions_known || self.is_worker(index) {
                self.review_want(index, reloaded);
            }
        }
    }

    fn review_want(&mut self, index: usize, reloaded: bool) {
        let clock = self.clock;
        let session = self.session(self.grid.place(index));
        let machine = self.is_worker(index).then_some(Logon::MACHINE);
        let there = machine.or(session.map(|session| session.logon));
        let track = &self.tracks[index];
        if !track.exists {
            let Some(logon) = there.filter(|_| !self.mode.is_final()) else { return };
            match self.want_in(index, session, false) {
                Want::Unknown | Want::Gone => {}
                want @ (Want::Run(_) | Want::Locked(_)) => {
                    let swept = track.swept || track.logon != logon;
                    self.tracks[index].begin(logon, clock);
                    (self.tracks[index].claim, self.tracks[index].swept) = (want.claim(), swept);
                }
            }
            return;
        }
        let want = self.want(index);
        let fingerprint = self.spec(index).fingerprint;
        let completed = !reloaded && self.told[self.grid.place(index)].completed;
        let track = &mut self.tracks[index];
        let came_back = track.claim == Claim::Kept && want.claim() == Claim::Served;
        let another = reloaded && track.fingerprint != fingerprint;
        track.claim = want.claim();
        if want == Want::Gone {
            track.after = After::Settle;
            if track.phase == Phase::None {
                track.remove();
                return self.review_want(index, reloaded);
            }
            return;
        }
        if track.phase != Phase::None {
            return;
        }
        if track.down != Down::No {
            if came_back || another && track.down == Down::ForNow {
                track.start_over(clock);
            }
        } else if another && track.blamed {
            track.start_over(clock);
        } else if completed {
            track.session_completed(clock);
        }
    }

    /// Whether the agent of another session has to end before this one may start.
    pub(super) fn is_blocked(&self, index: usize) -> bool {
        let (place, number) = (self.grid.place(index), self.grid.number(index));
        if self.configured[number].serve != Serve::Console || self.tracks[index].claim != Claim::Served {
            return false;
        }
        let others = self.tracks[number..].iter().step_by(self.grid.width()).enumerate();
        others.into_iter().any(|(there, other): (usize, &Track)| {
            other.phase != Phase::None && other.claim != Claim::Kept && there != place
        })
    }
}

/// Whether nothing about a session changed. What it shares with its last enumeration needs no second look.
fn same(known: &Session, session: &Session) -> bool {
    let facts =
        |of: &Session| (of.logon, of.state, of.kind, of.locked, of.remote, of.environment, of.display);
    facts(known) == facts(session) && Arc::ptr_eq(&known.who, &session.who)
}
