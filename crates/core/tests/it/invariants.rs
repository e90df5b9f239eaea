//! A world that does what the core says, and what must hold in it after every event.

use std::collections::BTreeMap;

use bilayer_core::*;

/// The processes and launches that the core's actions brought about.
#[derive(Clone, Default)]
pub(crate) struct Processes {
    /// Launches that were not answered.
    pub(crate) launching: BTreeMap<InstanceKey, u32>,
    /// Processes that live, the abandoned ones not among them.
    pub(crate) alive: BTreeMap<InstanceKey, u32>,
    /// The highest generation that was ever launched.
    highest: BTreeMap<InstanceKey, u32>,
    swept: BTreeMap<InstanceKey, u32>,
    stopped: bool,
    shutting_down: bool,
    finished: bool,
}

impl Processes {
    /// Feeds an event to the core, does what it says, and checks everything.
    pub(crate) fn handle(&mut self, core: &mut Supervisor, now: Time, event: &Event, sessions: &[Session]) {
        self.note(event);
        core.handle(now, event.clone());
        while let Some(action) = core.poll_action() {
            self.execute(core, action, sessions);
        }
        self.check(core, now, event);
    }

    fn note(&mut self, event: &Event) {
        match *event {
            Event::Launched(key, generation) if self.launching.get(&key) == Some(&generation) => {
                self.launching.remove(&key);
                self.alive.insert(key, generation);
            }
            Event::LaunchFailed(key, generation, _) if self.launching.get(&key) == Some(&generation) => {
                self.launching.remove(&key);
            }
            Event::Exited(key, generation, _) if self.alive.get(&key) == Some(&generation) => {
                self.alive.remove(&key);
            }
            Event::Adopted { instance, generation, .. } => {
                self.alive.insert(instance, generation);
                self.highest.insert(instance, generation);
            }
            Event::ShutdownAnnounced(_) => self.shutting_down = true,
            Event::ShutdownCalledOff => self.shutting_down = false,
            Event::Stop(..) => self.stopped = true,
            _ => {}
        }
    }

    fn execute(&mut self, core: &Supervisor, action: Action, sessions: &[Session]) {
        let live = |key, generation| {
            assert!(
                self.alive.get(&key) == Some(&generation) || self.launching.get(&key) == Some(&generation),
                "{action:?} is about a process that is not there"
            );
        };
        match action {
            Action::Launch(key, generation) => {
                assert!(!self.stopped && !self.shutting_down, "nothing starts while all ends");
                assert!(!self.alive.contains_key(&key), "never two processes");
                assert!(self.launching.insert(key, generation).is_none(), "never two launches");
                let highest = self.highest.insert(key, generation);
                assert!(highest.is_none_or(|highest| highest < generation), "one launch per generation");
                let session = sessions.iter().find(|session| session.logon == key.logon);
                let spec = core.spec(key.spec).expect("what is launched is configured");
                assert_eq!(key.logon.is_machine(), spec.serve == Serve::Machine, "workers serve the machine");
                assert!(
                    key.logon.is_machine()
                        || session.is_some_and(|session| session.state != SessionState::Closing),
                    "no user, no agent"
                );
                if spec.serve == Serve::Console && spec.on_leave == OnLeave::Stop {
                    let others = self.alive.keys().filter(|other| other.spec == key.spec).count();
                    assert_eq!(others, 0, "one at the console at a time");
                }
            }
            Action::AskToStop { instance, generation, .. } => {
                live(instance, generation);
                assert!(core.instance(instance).is_some_and(|instance| instance.connected));
            }
            Action::TellSession(key, generation) => {
                live(key, generation);
            }
            Action::Terminate(key, generation) | Action::Kill(key, generation) => live(key, generation),
            Action::Abandon(key, generation) => {
                live(key, generation);
                assert!(self.stopped, "only a service that ends lets go");
                self.alive.remove(&key);
            }
            Action::Sweep(key, generation) | Action::LeaveSurvivors(key, generation) => {
                assert!(self.swept.insert(key, generation) < Some(generation), "each process is swept once");
            }
            Action::Changed(_) => {}
            Action::Progress { .. } => {
                assert!(self.stopped || self.shutting_down);
                assert!(!self.finished, "nothing is told after the end");
            }
            Action::Finished => {
                assert!(self.stopped && !self.finished, "it finishes once");
                assert!(self.alive.is_empty() && self.launching.is_empty(), "with nothing left");
                self.finished = true;
            }
        }
    }

    fn check(&self, core: &Supervisor, now: Time, event: &Event) {
        for (key, instance) in core.instances() {
            let known = self.alive.get(&key).or_else(|| self.launching.get(&key));
            match instance.state {
                State::Starting => assert_eq!(self.launching.get(&key), Some(&instance.generation)),
                State::Running { .. } | State::Stopping { .. } => {
                    assert_eq!(self.alive.get(&key), Some(&instance.generation));
                }
                State::Waiting { .. } | State::Held(_) | State::Released => {
                    assert_eq!(known, None, "{key:?}");
                }
            }
            assert!(instance.state.has_process() || !instance.connected);
            assert!(core.spec(key.spec).is_some());
        }
        for (key, generation) in self.alive.iter().chain(&self.launching) {
            let instance = core.instance(*key).expect("no process is forgotten");
            assert_eq!(instance.generation, *generation);
        }
        if *event == Event::Tick {
            assert!(core.next_deadline().is_none_or(|deadline| deadline > now), "a tick leaves nothing due");
        }
        let ended = self.stopped && self.alive.is_empty() && self.launching.is_empty();
        assert_eq!(self.finished, ended, "it finishes when nothing is left");
        if self.finished {
            assert_eq!(core.next_deadline(), None, "and has nothing more to do");
        }
    }
}
