//! The core's actions, executed.

use std::time::Duration;

use bilayer_core::{Action, Event, HoldReason, InstanceKey, State, StopReason, Time};
use bilayer_ipc::agent::{SessionChanged, Stop};
use bilayer_ipc::method;
use bilayer_platform::Process;
use jiff::Timestamp;

use super::{Driver, status, translate};
use crate::log::id;
use crate::observe::Observation;

impl Driver {
    pub(super) fn execute(&mut self, action: Action) {
        match action {
            Action::Launch(instance, generation) => self.launch(instance, generation),
            Action::AskToStop { instance, generation, reason, deadline } => {
                self.ask_to_stop(instance, generation, reason, deadline);
            }
            Action::Terminate(instance, generation) => {
                if let Some(run) = self.runs.of(instance, generation) {
                    let outcome = run.process.terminate();
                    self.report(instance, "ask the process to end", outcome);
                }
            }
            Action::Kill(instance, generation) => {
                if let Some(run) = self.runs.of(instance, generation) {
                    let outcome = run.process.kill_all();
                    self.report(instance, "kill the process", outcome);
                }
            }
            Action::Sweep(instance, generation) => self.bury(instance, generation, Self::sweep),
            Action::LeaveSurvivors(instance, generation) => {
                self.bury(instance, generation, Self::leave_survivors);
            }
            Action::Abandon(instance, generation) => self.abandon(instance, generation),
            Action::TellSession(instance, generation) => self.tell_session(instance, generation),
            Action::Changed(instance) => self.changed(instance),
            Action::Progress { remaining, deadline } => {
                let left = deadline - Time::from_nanos(bilayer_platform::now());
                tracing::debug!(remaining, left_ms = left.as_millis(), "stopping");
                self.tell_host(remaining, left);
                if remaining == 0 {
                    // A system that waits for us to shut down need not wait any longer.
                    self.all_ended.notify_one();
                }
            }
            Action::Finished => self.finished = true,
        }
    }

    /// The root process of a run is gone, and so is what is held for it; `rest` deals with what it left, if it left anything.
    fn bury(
        &mut self,
        instance: InstanceKey,
        generation: u32,
        rest: fn(&Self, InstanceKey, &Process) -> bool,
    ) {
        let Some(run) = self.runs.take(instance, generation) else { return };
        let is_gone = match run.process.vacate() {
            Some(vacated) => {
                self.vacated.push((instance, vacated));
                true
            }
            None => {
                self.tell_exits();
                rest(self, instance, &run.process)
            }
        };
        // Else it is for the next start to look at again.
        if let Some(kept) = run.kept.as_ref().filter(|_| is_gone) {
            self.records.forget(&kept.record);
        }
    }

    /// Returns whether nothing is left.
    fn sweep(&self, instance: InstanceKey, process: &Process) -> bool {
        match process.sweep() {
            Ok(0) => true,
            Ok(left) => {
                let (agent, session) = (self.name_of(instance), self.session_of(instance));
                tracing::info!(%agent, %session, "killed {left} processes that the agent left behind");
                true
            }
            Err(error) => {
                self.report(instance, "kill what the agent left behind", Err(error));
                false
            }
        }
    }

    /// Returns whether all that is left could be let go of.
    fn leave_survivors(&self, instance: InstanceKey, process: &Process) -> bool {
        let outcome = process.leave();
        let is_gone = outcome.is_ok();
        self.report(instance, "let go of what the agent left behind", outcome);
        is_gone
    }

    /// The service ends and this agent does not: the next life of the service finds it by what is written down.
    fn abandon(&mut self, instance: InstanceKey, generation: u32) {
        if self.runs.of(instance, generation).is_none() {
            return;
        }
        self.write_down_the_rest();
        let (agent, session) = (self.name_of(instance), self.session_of(instance));
        tracing::info!(%agent, %session, generation, "lives on without the service");
        self.abandoned += 1;
        drop(self.runs.take(instance, generation));
    }

    fn ask_to_stop(&mut self, instance: InstanceKey, generation: u32, reason: StopReason, deadline: Time) {
        let Some(wire) = self.runs.of(instance, generation).and_then(|run| run.wire.as_ref()) else { return };
        let left = deadline - Time::from_nanos(bilayer_platform::now());
        let stop = Stop { reason: translate::stop_reason(reason), deadline_ms: whole_ms(left) };
        // Only the exit completes a stop; an answer to this would say no more than that the agent heard.
        wire.peer.request(method::AGENT_STOP, &stop).forget();
    }

    fn tell_session(&mut self, instance: InstanceKey, generation: u32) {
        let Some(seat) = self.seats.get(&instance.logon) else { return };
        let changed = SessionChanged { session: translate::wire_session(&seat.info) };
        if let Some(wire) = self.runs.of(instance, generation).and_then(|run| run.wire.as_ref()) {
            // An agent that cannot be told is cut off by its own connection.
            let _ = wire.peer.notify(method::SESSION_CHANGED, &changed);
        }
    }

    /// The state of an instance changed: one line in the log, and a new `since`.
    fn changed(&mut self, instance: InstanceKey) {
        self.tell_exits();
        let Some(view) = self.core.instance(instance) else {
            self.notes.remove(&instance);
            if instance.logon.is_machine() {
                self.posts.remove(&instance.spec);
            }
            self.observe(|| Observation::Removed(instance));
            self.forget_empty_seats();
            return;
        };
        let gone = !matches!(view.state, State::Running { .. } | State::Stopping { .. });
        let failed = matches!(view.state, State::Held(HoldReason::LaunchFailed | HoldReason::Limit));
        // An agent that outlives the service has run since its launch, whoever looks after it.
        let launched = self.runs.current(instance).and_then(|run| run.kept.as_ref()?.record.since());
        let launched = launched.filter(|_| matches!(view.state, State::Running { .. }));
        let note = self.notes.entry(instance).or_default();
        note.since = Some(launched.unwrap_or_else(Timestamp::now));
        if gone {
            note.status = None;
        }
        if let Some(status) = self.agent_status(instance) {
            let (agent, user) = (&status.agent, &status.user.name);
            let session = status.session.as_deref().unwrap_or_default();
            let (pid, generation) = (status.pid, status.generation);
            let (state, text) = (status::word(status.state), &status.reason.text);
            if status.crash_loop || failed {
                tracing::warn!(event = id::AGENT, %agent, %session, %user, pid, generation, state, "{text}");
            } else {
                tracing::info!(%agent, %session, %user, pid, generation, state, "{text}");
            }
            self.observe(|| Observation::Agent(Box::new(status)));
        }
    }

    /// The root process ended. What is said of it is said once its successor is on its way.
    pub(super) fn hear_exit(&mut self, instance: InstanceKey, generation: u32, exit: bilayer_platform::Exit) {
        if self.runs.of(instance, generation).is_some() {
            self.notes.entry(instance).or_default().exited_at = Some(Timestamp::now());
            self.untold.push((instance, generation, exit));
        }
        self.pending.push_back(Event::Exited(instance, generation, translate::exit(exit)));
    }

    /// Says which processes have ended. Before whatever else is said of them.
    pub(super) fn tell_exits(&mut self) {
        for (instance, generation, exit) in std::mem::take(&mut self.untold) {
            let (agent, session) = (self.name_of(instance), self.session_of(instance));
            tracing::info!(%agent, %session, generation, "ended: {exit}");
        }
    }

    fn report(&self, instance: InstanceKey, tried: &str, outcome: std::io::Result<()>) {
        if let Err(error) = outcome {
            let (agent, session) = (self.name_of(instance), self.session_of(instance));
            tracing::warn!(%agent, %session, "cannot {tried}: {error}");
        }
    }
}

fn whole_ms(span: Duration) -> u32 {
    u32::try_from(span.as_millis()).unwrap_or(u32::MAX)
}
