//! Whether everything that should have been done was done.

use bilayer_core::{Instance, InstanceKey, Serve, Session, State, Supervisor};

use super::actions::LATE_MAX;
use super::told::{Mode, Want};
use super::track::{Down, Phase};
use super::{Oracle, REVIEW_EVERY, Rule, Scope, Verdict, Violation};
use crate::world::SEC;

/// Where there are more places than this, everything is looked at more rarely.
const PLACES_FEW: usize = 64;

impl Oracle {
    /// Judges what became of the event.
    #[inline]
    pub(crate) fn after(&mut self, core: &Supervisor) -> Verdict {
        self.since_review += 1;
        match self.scope {
            Scope::One(index) => {
                self.review_one(index, core)?;
                // Only where one session is served at a time does another agent wait for a process to end.
                let waited_for = self.freed && self.spec(index).serve == Serve::Console;
                if waited_for && self.told.len() <= PLACES_FEW {
                    for other in (self.grid.number(index)..self.tracks.len()).step_by(self.grid.width()) {
                        if self.tracks[other].exists {
                            self.review_one(other, core)?;
                        }
                    }
                }
            }
            Scope::Nothing => self.review_nothing(core)?,
            Scope::All => return self.review_all(core),
            Scope::Time => {
                if let Some(deadline) = core.next_deadline()
                    && deadline.as_nanos() <= self.now
                {
                    let text =
                        format!("due at {} ns, and it is {} ns after a tick", deadline.as_nanos(), self.now);
                    return Err(Violation::new(Rule::Deadline, None, text));
                }
                let few = self.told.len() <= PLACES_FEW;
                if self.since_review >= if few { REVIEW_EVERY } else { self.tracks.len() as u32 * 4 } {
                    return self.review_all(core);
                }
            }
        }
        self.review_end()
    }

    fn review_all(&mut self, core: &Supervisor) -> Verdict {
        self.since_review = 0;
        for index in 0..self.tracks.len() {
            if self.tracks[index].exists {
                self.review_one(index, core)?;
            }
        }
        self.review_end()
    }

    fn review_end(&self) -> Verdict {
        if self.mode.is_final() && self.processes == 0 && !self.finished {
            return Err(Violation::new(
                Rule::Finish,
                None,
                "nothing is left, and the service does not finish",
            ));
        }
        Ok(())
    }

    fn review_nothing(&self, core: &Supervisor) -> Verdict {
        let Some((key, before, deadline)) = self.frozen else { return Ok(()) };
        if core.instance(key).copied() != before {
            return Err(Violation::new(Rule::Stale, Some(key), "an event about nothing changed an instance"));
        }
        if core.next_deadline() != deadline {
            return Err(Violation::new(
                Rule::Stale,
                Some(key),
                "an event about nothing changed the next deadline",
            ));
        }
        Ok(())
    }

    /// Judges one instance.
    #[inline]
    fn review_one(&self, index: usize, core: &Supervisor) -> Verdict {
        let track = &self.tracks[index];
        if track.exists {
            match track.phase {
                Phase::None => self.review_down(index)?,
                Phase::Launching => {}
                Phase::Live => self.review_live(index)?,
            }
        }
        // A heartbeat moves one deadline and nothing else.
        if self.heartbeat { Ok(()) } else { self.review_view(index, core) }
    }

    /// What can be read of an instance agrees with what was done to it, and was reported.
    fn review_view(&self, index: usize, core: &Supervisor) -> Verdict {
        let track = &self.tracks[index];
        if track.logon.0 == 0 {
            return Ok(());
        }
        let view = core.instance(self.key(index));
        let agrees = match view.map(|view| view.state) {
            None => !track.exists,
            Some(_) if !track.exists => false,
            Some(State::Waiting { .. }) => track.phase == Phase::None && track.down == Down::No,
            Some(State::Starting) => track.phase == Phase::Launching,
            Some(State::Running { .. }) => track.phase == Phase::Live && track.stop.is_none(),
            Some(State::Stopping { .. }) => track.phase == Phase::Live && track.stop.is_some(),
            Some(State::Held(_)) => {
                track.phase == Phase::None && matches!(track.down, Down::ForNow | Down::Held)
            }
            Some(State::Released) => track.phase == Phase::None && track.down == Down::Released,
        };
        if !agrees {
            let text =
                format!("it is said to be {:?}, and it should be {track:?}", view.map(|view| view.state));
            return Err(Violation::new(Rule::View, Some(self.key(index)), text));
        }
        if appearance(view) != track.seen {
            let text = format!("it became {:?}, and nobody was told", view.map(|view| view.state));
            return Err(Violation::new(Rule::Reported, Some(self.key(index)), text));
        }
        Ok(())
    }

    /// Without a process: it should have none, or something is in its way, or it is not yet time.
    fn review_down(&self, index: usize) -> Verdict {
        let track = &self.tracks[index];
        // Between the moment and the tick that announces it something else may happen.
        let due = track.latest == self.clock
            || track.latest + if self.scope == Scope::Time { 0 } else { LATE_MAX } <= self.clock;
        if track.down != Down::No || self.mode != Mode::Serving || self.frozen_since.is_some() {
            return Ok(());
        }
        if !due || !matches!(self.want(index), Want::Run(_)) || self.is_blocked(index) {
            return Ok(());
        }
        let needs_display = self.spec(index).needs_display;
        let lacks = |session: &Session| !session.environment || needs_display && !session.display;
        if self.session(self.grid.place(index)).is_some_and(lacks) {
            return Ok(());
        }
        let text = format!("should have been started {} ns ago", self.clock - track.latest);
        Err(Violation::new(Rule::TooLate, Some(self.key(index)), text))
    }

    /// With a process: it should have one, or it is being stopped in time.
    #[inline]
    fn review_live(&self, index: usize) -> Verdict {
        let track = &self.tracks[index];
        let key = Some(self.key(index));
        let Some(stop) = &track.stop else {
            // What should run changes with other events.
            if !self.heartbeat && self.must_stop(index) {
                return Err(Violation::new(Rule::NotStopped, key, "it should not run, and nobody stops it"));
            }
            let spec = self.spec(index);
            if self.scope == Scope::Time && self.frozen_since.is_none() {
                if track.is_hung(self.clock, spec) {
                    return Err(Violation::new(Rule::TooLate, key, "it hangs, and nobody stops it"));
                }
                if track.is_not_ready(self.clock, spec) {
                    return Err(Violation::new(Rule::TooLate, key, "it is not ready, and nobody stops it"));
                }
            }
            return Ok(());
        };
        if self.scope != Scope::Time || self.frozen_since.is_some() {
            return Ok(());
        }
        let half = stop.began + stop.deadline.saturating_sub(stop.began) / 2;
        let overdue = if stop.killed != 0 {
            self.clock >= stop.killed + SEC
        } else if stop.terminated {
            self.clock >= stop.deadline
        } else {
            self.clock >= half
        };
        if overdue {
            return Err(Violation::new(Rule::Ladder, key, format!("the next rung is overdue in {stop:?}")));
        }
        Ok(())
    }

    /// The core says that an instance changed.
    pub(super) fn changed(&mut self, key: InstanceKey, core: &Supervisor) -> Verdict {
        let index = self.index(key);
        if self.tracks[index].logon == key.logon {
            self.tracks[index].seen = appearance(core.instance(key));
        }
        Ok(())
    }

    /// Left alone for long enough, everything is as it should be.
    pub(crate) fn settled(&self, facts: &[Session]) -> Verdict {
        for index in 0..self.tracks.len() {
            let place = self.grid.place(index);
            let fact = facts.iter().find(|fact| crate::world::place_of(fact.logon) == place);
            if fact != self.session(place) {
                return Err(Violation::new(
                    Rule::Settles,
                    None,
                    format!("place {place} is not as it was told"),
                ));
            }
            let track = &self.tracks[index];
            let broken = |text: &str| Err(Violation::new(Rule::Settles, Some(self.key(index)), text));
            if !track.exists {
                continue;
            }
            match self.want(index) {
                Want::Unknown | Want::Gone => return broken("it should not exist any more"),
                Want::Locked(_) if track.phase != Phase::None => {
                    return broken("it should not run while locked");
                }
                Want::Locked(_) => {}
                Want::Run(_) if track.phase == Phase::Live && track.stop.is_none() => {}
                Want::Run(_) if track.down != Down::No || self.is_blocked(index) => {}
                Want::Run(_) => return broken("it should run"),
            }
        }
        Ok(())
    }
}

/// A number for what can be seen of an instance; 0 for none.
fn appearance(view: Option<&Instance>) -> u16 {
    let Some(view) = view else { return 0 };
    match view.state {
        State::Waiting { why, .. } => 0x100 | why as u16,
        State::Starting => 0x200,
        State::Running { ready, .. } => 0x300 | ready.map_or(2, u16::from),
        State::Stopping { stage, why, .. } => 0x400 | (stage as u16) << 4 | why as u16,
        State::Held(why) => 0x500 | why as u16,
        State::Released => 0x600,
    }
}
