//! Whether an action may be taken now.

use bilayer_core::{Action, Command, InstanceKey, StopReason, Supervisor, Survivors};

use super::told::{Mode, Want};
use super::track::{After, Claim, Down, Phase, Stop, nanos};
use super::{Oracle, Rule, Scope, Verdict, Violation};
use crate::world::{MS, SEC};

/// How much later than planned the world's ticks come at most, and a little more.
pub(super) const LATE_MAX: u64 = 50 * MS;

/// How soon a kill is repeated.
const KILL_AGAIN: u64 = SEC;

impl Oracle {
    #[inline]
    pub(crate) fn action(&mut self, action: &Action, core: &Supervisor) -> Verdict {
        if self.scope == Scope::Nothing && self.frozen.is_some() {
            let key = self.frozen.map(|(key, ..)| key);
            return Err(Violation::new(
                Rule::Stale,
                key,
                format!("an event about nothing led to {action:?}"),
            ));
        }
        match *action {
            Action::Launch(key, generation) => self.launch(key, generation),
            Action::AskToStop { instance, generation, reason, deadline } => {
                let index = self.live(instance, generation, "asked to stop")?;
                if !self.tracks[index].connected {
                    return Err(Violation::new(
                        Rule::Wire,
                        Some(instance),
                        "asked to stop without a connection",
                    ));
                }
                if self.tracks[index].stop.is_none() {
                    self.stop_begins(index, Some(reason))?;
                } else if self.asks_again(index) {
                    return Err(Violation::new(Rule::Ladder, Some(instance), "asked to stop twice"));
                }
                let planned = self.tracks[index].stop.map_or(0, |stop| stop.deadline);
                if self.frozen_since.is_none() && deadline.as_nanos() != planned + self.paused {
                    let told = deadline.as_nanos().saturating_sub(self.paused);
                    return Err(self.ladder(index, format!("told a deadline of {told} ns, not {planned} ns")));
                }
                self.mark(index, |stop| stop.asked = true);
                Ok(())
            }
            Action::Terminate(key, generation) => {
                let index = self.live(key, generation, "terminated")?;
                self.terminate(index)
            }
            Action::Kill(key, generation) => {
                let index = self.live(key, generation, "killed")?;
                self.kill(index)
            }
            Action::Sweep(key, generation) => self.sweep(key, generation, Survivors::Kill),
            Action::LeaveSurvivors(key, generation) => self.sweep(key, generation, Survivors::Leave),
            Action::Abandon(key, generation) => {
                let index = self.live(key, generation, "abandoned")?;
                if self.mode.is_final() && self.keep_at_stop() {
                    self.processes -= 1;
                    self.tracks[index].remove();
                    return Ok(());
                }
                Err(Violation::new(Rule::Finish, Some(key), "abandoned although nobody said so"))
            }
            Action::TellSession(key, generation) => {
                let index = self.live(key, generation, "told about its session")?;
                if self.tracks[index].connected {
                    return Ok(());
                }
                Err(Violation::new(Rule::Wire, Some(key), "told about its session without a connection"))
            }
            Action::Changed(key) => self.changed(key, core),
            Action::Progress { remaining, .. } => {
                if self.mode != Mode::Serving && remaining as usize == self.processes {
                    return Ok(());
                }
                let text = format!(
                    "{remaining} processes said to be left of {}, in {:?}",
                    self.processes, self.mode
                );
                Err(Violation::new(Rule::Finish, None, text))
            }
            Action::Finished => {
                if !self.mode.is_final() || self.finished || self.processes > 0 {
                    let text = format!("finished with {} processes left, in {:?}", self.processes, self.mode);
                    return Err(Violation::new(Rule::Finish, None, text));
                }
                self.finished = true;
                Ok(())
            }
        }
    }

    fn keep_at_stop(&self) -> bool {
        match self.mode {
            Mode::Final { keep, .. } => keep,
            Mode::Serving | Mode::Shutdown { .. } => false,
        }
    }

    fn launch(&mut self, key: InstanceKey, generation: u32) -> Verdict {
        let index = self.index(key);
        let broken = |rule, text: &str| Err(Violation::new(rule, Some(key), text));
        let track = self.tracks[index];
        if !track.exists || track.logon != key.logon {
            return broken(Rule::Served, "launched in a session that is not served");
        }
        if track.phase != Phase::None {
            return broken(Rule::OneProcess, "launched beside a process that has not ended");
        }
        if self.mode != Mode::Serving {
            return broken(Rule::Ending, "launched while everything is to end");
        }
        if !matches!(self.want(index), Want::Run(_)) {
            return broken(Rule::Served, "launched in a session that is not served");
        }
        if track.down != Down::No {
            return broken(Rule::Down, "launched although it is held or released");
        }
        if generation <= track.generation {
            return broken(Rule::Generation, "launched with a generation that was used before");
        }
        if !track.swept {
            return broken(
                Rule::Leftovers,
                "launched before what its last process left behind was dealt with",
            );
        }
        if self.clock < track.earliest {
            let text = format!("launched {} ns too soon", track.earliest - self.clock);
            return broken(Rule::TooSoon, &text);
        }
        if self.is_blocked(index) {
            return broken(Rule::Handover, "launched while the agent of another session has not ended");
        }
        if self.frozen_since.is_some() && self.tick {
            return broken(Rule::Asleep, "launched by time alone during a suspension");
        }
        let spec = self.spec(index);
        let session = self.session(self.grid.place(index));
        if spec.needs_display && session.is_some_and(|session| !session.display) {
            return broken(Rule::Served, "launched before its session has a display");
        }
        if session.is_some_and(|session| !session.environment) {
            return broken(Rule::Served, "launched before the environment of its session is known");
        }
        let fingerprint = spec.fingerprint;
        let track = &mut self.tracks[index];
        (track.generation, track.fingerprint, track.phase) = (generation, fingerprint, Phase::Launching);
        (track.after, track.stop, track.goodbye) = (After::Settle, None, None);
        (track.connected, track.awaited, track.heard) = (false, false, crate::world::NEVER);
        self.processes += 1;
        Ok(())
    }

    /// The track of a process that is there.
    fn live(&self, key: InstanceKey, generation: u32, what: &str) -> Result<usize, Box<Violation>> {
        let index = self.index(key);
        let track = &self.tracks[index];
        if track.logon == key.logon && track.generation == generation && track.phase == Phase::Live {
            return Ok(index);
        }
        Err(Violation::new(
            Rule::Stale,
            Some(key),
            format!("generation {generation} is {what} and is not there"),
        ))
    }

    /// The first rung of a stop: there is a reason for it.
    fn stop_begins(&mut self, index: usize, reason: Option<StopReason>) -> Verdict {
        let (clock, key) = (self.clock, self.key(index));
        let must_stop = self.must_stop(index);
        let by = self.by_clock();
        let asked = matches!(self.command, Some(Command::Stop | Command::Restart));
        let spec = &self.configured[self.grid.number(index)];
        let track = &mut self.tracks[index];
        let (hung, not_ready) = (track.is_hung(clock, spec), track.is_not_ready(clock, spec));
        let held = track.after == After::Hold;
        let agrees = match reason {
            Some(StopReason::Hang) => hung,
            Some(StopReason::NotReady) => not_ready,
            Some(StopReason::Operator) => asked || held,
            Some(_) => must_stop,
            None => true,
        };
        if !agrees || !(must_stop || asked || held || hung || not_ready) {
            let text = format!("stopped for {reason:?}, and there is no such reason");
            return Err(Violation::new(Rule::StoppedForNothing, Some(key), text));
        }
        if !(must_stop || asked || held) {
            if self.frozen_since.is_some() {
                return Err(Violation::new(Rule::Asleep, Some(key), "found hung during a suspension"));
            }
            track.after = After::Fail;
        }
        track.note_health(clock, &spec.restart);
        if must_stop
            && track.claim != Claim::None
            && track.fingerprint != spec.fingerprint
            && self.mode == Mode::Serving
        {
            track.forget();
        }
        let deadline = (clock + nanos(spec.grace)).min(by);
        track.stop = Some(Stop { began: clock, deadline, asked: false, terminated: false, killed: 0 });
        Ok(())
    }

    fn mark(&mut self, index: usize, how: impl FnOnce(&mut Stop)) {
        if let Some(stop) = &mut self.tracks[index].stop {
            how(stop);
        }
    }

    fn asks_again(&self, index: usize) -> bool {
        self.tracks[index].stop.is_some_and(|stop| stop.asked)
    }

    fn ladder(&self, index: usize, text: String) -> Box<Violation> {
        Violation::new(Rule::Ladder, Some(self.key(index)), text)
    }

    fn terminate(&mut self, index: usize) -> Verdict {
        if self.tracks[index].stop.is_none() {
            if self.tracks[index].connected {
                return Err(self.ladder(index, "terminated at once although it could be asked".to_owned()));
            }
            self.stop_begins(index, None)?;
        }
        let Some(stop) = self.tracks[index].stop else { return Ok(()) };
        let half = stop.began + stop.deadline.saturating_sub(stop.began) / 2;
        if stop.asked && self.clock < half {
            return Err(
                self.ladder(index, format!("terminated {} ns before half its grace", half - self.clock))
            );
        }
        if stop.terminated {
            return Err(self.ladder(index, "terminated twice".to_owned()));
        }
        if self.frozen_since.is_some() && self.tick && self.mode == Mode::Serving {
            return Err(Violation::new(Rule::Asleep, Some(self.key(index)), "terminated by time alone"));
        }
        self.mark(index, |stop| stop.terminated = true);
        Ok(())
    }

    fn kill(&mut self, index: usize) -> Verdict {
        if self.tracks[index].stop.is_none() {
            self.stop_begins(index, None)?;
        }
        let clock = self.clock;
        let Some(stop) = self.tracks[index].stop else { return Ok(()) };
        if self.frozen_since.is_some() && self.tick && self.mode == Mode::Serving {
            return Err(Violation::new(Rule::Asleep, Some(self.key(index)), "killed by time alone"));
        }
        if clock < stop.deadline {
            return Err(
                self.ladder(index, format!("killed {} ns before its deadline", stop.deadline - clock))
            );
        }
        let deadline = stop.deadline.max(stop.began);
        if stop.killed == 0 && self.is_on_time() && clock > deadline + LATE_MAX {
            return Err(self.ladder(index, format!("killed {} ns after its deadline", clock - deadline)));
        }
        if stop.killed != 0 && clock < stop.killed + KILL_AGAIN {
            return Err(self.ladder(index, "killed again too soon".to_owned()));
        }
        self.mark(index, |stop| stop.killed = clock);
        Ok(())
    }

    /// Whether time can be held against the core: it is told of time, and not asleep.
    pub(super) fn is_on_time(&self) -> bool {
        self.frozen_since.is_none()
    }

    fn sweep(&mut self, key: InstanceKey, generation: u32, how: Survivors) -> Verdict {
        let index = self.index(key);
        let broken = |text: &str| Err(Violation::new(Rule::Leftovers, Some(key), text));
        let wanted = self.spec(index).survivors;
        let track = &mut self.tracks[index];
        if track.logon != key.logon || track.generation != generation || track.swept {
            return broken("swept after a process that did not end just now");
        }
        if wanted != how {
            return broken("what it left behind was treated against its spec");
        }
        track.swept = true;
        Ok(())
    }
}
