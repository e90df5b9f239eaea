//! What users, administrators and the machine do, one thing at a time.

use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{Command, Event, InstanceKey, SessionKind, SessionState, SpecId, StopReason};

use crate::faults::Fault;
use crate::oracle::Verdict;
use crate::schedule::What;
use crate::world::{MS, SEC, Service, World};

impl World {
    /// Something happens, and something else is planned.
    pub(crate) fn live(&mut self) -> Verdict {
        if self.is_calm() {
            return if self.service == Service::Stopping { self.next_life() } else { Ok(()) };
        }
        if self.service == Service::Stopping && self.oracle.is_finished() {
            self.next_life()?;
            let pause = self.pause();
            self.schedule.push(self.now + pause, What::Life);
            return Ok(());
        }
        let pause = self.pause();
        self.schedule.push(self.now + pause, What::Life);
        if self.strikes(Fault::TickEarly) {
            let at = self.now + self.rng.below(pause);
            self.schedule.push(at, What::Spurious);
        }
        if self.service == Service::Up && self.administer()? {
            return Ok(());
        }
        self.use_sessions();
        Ok(())
    }

    fn pause(&mut self) -> u64 {
        if self.plan.crowd { self.rng.span(SEC, 60 * SEC) } else { self.rng.span(20 * MS, 60 * SEC) }
    }

    /// What is done to machine and service. Says whether something was.
    fn administer(&mut self) -> Result<bool, Box<crate::oracle::Violation>> {
        if self.strikes(Fault::Operator) {
            let key = self.any_key();
            let command = self.rng.pick(&[Command::Start, Command::Stop, Command::Restart]);
            self.tell(Event::Operator(key, command))?;
        } else if self.strikes(Fault::Reload) {
            self.reload()?;
        } else if !self.asleep && self.strikes(Fault::Suspend) {
            self.asleep = true;
            if self.strikes(Fault::ResumeLost) {
                self.asleep = false;
            } else {
                let at = self.now + self.rng.span(10 * MS, 20 * SEC);
                self.schedule.push(at, What::Resume);
            }
            self.tell(Event::Suspend)?;
        } else if !self.shutdown && self.strikes(Fault::Shutdown) {
            self.shutdown = true;
            let at = self.now + self.rng.span(50 * MS, 60 * SEC);
            self.schedule.push(at, What::ShutdownOutcome);
            let within = Duration::from_nanos(self.rng.span(100 * MS, 60 * SEC));
            self.tell(Event::ShutdownAnnounced(within))?;
        } else if self.strikes(Fault::ServiceStop) {
            self.stop_service()?;
        } else if self.strikes(Fault::ServiceDies) {
            self.next_life()?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// What users do.
    fn use_sessions(&mut self) {
        let user = self.rng.index(self.plan.users);
        let Some(place) = self.any_place() else { return self.log_on(user) };
        let session = &mut self.places[place];
        let open = session.state != SessionState::Closing;
        match self.rng.below(10) {
            0..3 => self.log_on(user),
            3..5 if open => self.bring_to_front(place),
            5 if open => {
                session.locked = !session.locked;
                self.hint();
            }
            6 if open => {
                session.state = SessionState::Inactive;
                self.hint();
            }
            7 if open => self.move_seat(place),
            8..10 if open && (!self.plan.crowd || self.rng.per_mille(100)) => self.log_off(place),
            _ => {}
        }
    }

    /// A session goes on at the other end of a network, or comes back from there.
    fn move_seat(&mut self, place: usize) {
        let session = &mut self.places[place];
        session.kind = if session.remote { SessionKind::Console } else { SessionKind::Remote };
        session.remote = !session.remote;
        self.bring_to_front(place);
    }

    fn any_key(&mut self) -> InstanceKey {
        let spec = SpecId(self.rng.index(self.plan.specs) as u32);
        let to_worker = self.rng.per_mille(200);
        let place = if to_worker { self.grid.machine() } else { self.any_place().unwrap_or(0) };
        InstanceKey { logon: self.logon(place), spec }
    }

    fn reload(&mut self) -> Verdict {
        for number in 0..self.specs.len() {
            match self.rng.below(8) {
                0..4 => {}
                4..6 => {
                    let spec = self.any_spec(number);
                    self.specs[number] = Some(Arc::new(spec));
                }
                6 => {
                    // Other terms for the same program: nothing restarts.
                    let mut spec = self.any_spec(number);
                    let Some(old) = &self.specs[number] else { continue };
                    spec.fingerprint = old.fingerprint;
                    self.specs[number] = Some(Arc::new(spec));
                }
                _ => self.specs[number] = None,
            }
        }
        self.tell_configuration()
    }

    pub(crate) fn resume(&mut self) -> Verdict {
        if !std::mem::take(&mut self.asleep) {
            return Ok(());
        }
        self.tell(Event::Resume)
    }

    pub(crate) fn shutdown_outcome(&mut self) -> Verdict {
        if self.service != Service::Up || !std::mem::take(&mut self.shutdown) {
            return Ok(());
        }
        if self.is_calm() || self.strikes(Fault::ShutdownCalledOff) {
            return self.tell(Event::ShutdownCalledOff);
        }
        self.stop(StopReason::Shutdown)
    }

    pub(crate) fn stop_service(&mut self) -> Verdict {
        self.stop(StopReason::ServiceStop)
    }

    fn stop(&mut self, why: StopReason) -> Verdict {
        self.service = Service::Stopping;
        let within = Duration::from_nanos(self.rng.span(100 * MS, 60 * SEC));
        self.tell(Event::Stop(why, within))
    }

    /// The service is gone and another one starts, after an administrator perhaps changed the configuration.
    fn next_life(&mut self) -> Verdict {
        if self.rng.per_mille(200) {
            let number = self.rng.index(self.specs.len());
            let spec = self.any_spec(number);
            self.specs[number] = Some(Arc::new(spec));
        }
        self.begin_life()
    }
}
