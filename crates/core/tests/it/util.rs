//! A supervisor with a clock that the test turns by hand.

use std::sync::Arc;
use std::time::Duration;

use bilayer_core::*;

pub(crate) const SEAT: InstanceKey = InstanceKey { logon: Logon(1), spec: SpecId(0) };
pub(crate) const WORKER: InstanceKey = InstanceKey { logon: Logon::MACHINE, spec: SpecId(0) };
pub(crate) const OTHER: InstanceKey = InstanceKey { logon: Logon(2), spec: SpecId(0) };

pub(crate) const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

pub(crate) const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(crate) fn at(since_start: Duration) -> Time {
    Time::ZERO + since_start
}

/// The world around a supervisor: what is enumerated and configured, and the time.
pub(crate) struct World {
    pub(crate) core: Supervisor,
    pub(crate) now: Time,
    pub(crate) sessions: Vec<Session>,
    pub(crate) specs: Vec<(SpecId, Spec)>,
    pub(crate) on_service_stop: OnServiceStop,
}

impl World {
    /// Configured with this spec under the id 0, and nobody logged on.
    pub(crate) fn new(spec: Spec) -> Self {
        let mut world = Self::unsettled(spec);
        world.configure();
        world.enumerate();
        world
    }

    /// The same, before the core has heard of anything.
    pub(crate) fn unsettled(spec: Spec) -> Self {
        Self {
            core: Supervisor::new(7),
            now: Time::ZERO,
            sessions: Vec::new(),
            specs: vec![(SpecId(0), spec)],
            on_service_stop: OnServiceStop::Stop,
        }
    }

    /// One agent, running in session 1.
    pub(crate) fn running(spec: Spec) -> Self {
        let mut world = Self::new(spec);
        world.logon(1);
        world.launched(SEAT);
        world
    }

    /// One agent, running in session 1 and connected.
    pub(crate) fn connected(spec: Spec) -> Self {
        let mut world = Self::running(spec);
        let generation = world.view(SEAT).generation;
        world.handle(Event::Connected(SEAT, generation));
        world
    }

    /// Hands the core an event; returns what it wants done, without the notes of changed states.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Action> {
        self.core.handle(self.now, event);
        let mut actions = Vec::new();
        while let Some(action) = self.core.poll_action() {
            if !matches!(action, Action::Changed(_)) {
                actions.push(action);
            }
        }
        actions
    }

    pub(crate) fn configure(&mut self) -> Vec<Action> {
        self.handle(Event::Configured { specs: self.specs.clone(), on_service_stop: self.on_service_stop })
    }

    pub(crate) fn enumerate(&mut self) -> Vec<Action> {
        self.handle(Event::Sessions(self.sessions.clone()))
    }

    /// A logon at the console, in front.
    pub(crate) fn logon(&mut self, logon: u32) -> Vec<Action> {
        self.sessions.push(session(logon));
        self.enumerate()
    }

    /// The session vanishes.
    pub(crate) fn logoff(&mut self, logon: u32) -> Vec<Action> {
        self.sessions.retain(|session| session.logon != Logon(logon));
        self.enumerate()
    }

    /// Changes the facts of a session and enumerates.
    pub(crate) fn change(&mut self, logon: u32, change: impl FnOnce(&mut Session)) -> Vec<Action> {
        change(self.sessions.iter_mut().find(|session| session.logon == Logon(logon)).unwrap());
        self.enumerate()
    }

    /// Session `to` comes to the front of the console, all others go to the back.
    pub(crate) fn switch(&mut self, to: u32) -> Vec<Action> {
        for session in &mut self.sessions {
            let in_front = session.logon == Logon(to);
            session.state = if in_front { SessionState::Active } else { SessionState::Inactive };
        }
        self.enumerate()
    }

    /// Changes the spec 0 and configures.
    pub(crate) fn reload(&mut self, change: impl FnOnce(&mut Spec)) -> Vec<Action> {
        change(&mut self.specs[0].1);
        self.configure()
    }

    pub(crate) fn launched(&mut self, key: InstanceKey) -> Vec<Action> {
        let generation = self.view(key).generation;
        self.handle(Event::Launched(key, generation))
    }

    pub(crate) fn launch_failed(&mut self, key: InstanceKey, kind: FailureKind) -> Vec<Action> {
        let generation = self.view(key).generation;
        self.handle(Event::LaunchFailed(key, generation, Failure { kind, os_error: 5 }))
    }

    pub(crate) fn exited(&mut self, key: InstanceKey, exit: Exit) -> Vec<Action> {
        let generation = self.view(key).generation;
        self.handle(Event::Exited(key, generation, exit))
    }

    pub(crate) fn goodbye(&mut self, key: InstanceKey, goodbye: Goodbye) -> Vec<Action> {
        let generation = self.view(key).generation;
        self.handle(Event::Goodbye(key, generation, goodbye))
    }

    pub(crate) fn operator(&mut self, command: Command) -> Vec<Action> {
        self.handle(Event::Operator(SEAT, command))
    }

    /// Time passes, and at every deadline on its way the core is called, as a driver would.
    pub(crate) fn pass(&mut self, time: Duration) -> Vec<Action> {
        let end = self.now + time;
        let mut actions = Vec::new();
        while let Some(deadline) = self.core.next_deadline().filter(|&deadline| deadline <= end) {
            self.now = self.now.max(deadline);
            actions.extend(self.handle(Event::Tick));
            assert!(
                self.core.next_deadline().is_none_or(|next| next > self.now),
                "a tick leaves nothing due"
            );
        }
        self.now = end;
        actions
    }

    /// Crashes the agent and answers its launch at once, so often; fails unless each restart is immediate or waited for.
    pub(crate) fn crash(&mut self, times: usize) {
        for _ in 0..times {
            let mut actions = self.exited(SEAT, Exit::Code(1));
            if let State::Waiting { until: Some(until), .. } = self.state(SEAT) {
                actions.extend(self.pass(until - self.now));
            }
            assert_eq!(*actions.last().unwrap(), self.launch(SEAT));
            self.launched(SEAT);
        }
    }

    pub(crate) fn view(&self, key: InstanceKey) -> Instance {
        *self.core.instance(key).expect("there is such an instance")
    }

    pub(crate) fn state(&self, key: InstanceKey) -> State {
        self.view(key).state
    }

    /// Why an instance waits.
    pub(crate) fn waits(&self, key: InstanceKey) -> Option<WaitReason> {
        match self.state(key) {
            State::Waiting { why, .. } => Some(why),
            _ => None,
        }
    }

    pub(crate) fn is_running(&self, key: InstanceKey) -> bool {
        matches!(self.state(key), State::Running { .. })
    }

    /// The action that launches the present generation of an instance.
    pub(crate) fn launch(&self, key: InstanceKey) -> Action {
        Action::Launch(key, self.view(key).generation)
    }
}

/// A local session at the console, in front, unlocked, with a display and all else that a program needs.
pub(crate) fn session(logon: u32) -> Session {
    Session {
        logon: Logon(logon),
        state: SessionState::Active,
        kind: SessionKind::Console,
        locked: false,
        remote: false,
        environment: true,
        display: true,
        who: Arc::new(Who {
            session: format!("c{logon}"),
            user: format!("user{logon}"),
            account: format!(r"ACME\user{logon}"),
            user_id: format!("{}", 1000 + logon),
            groups: vec![format!("group{logon}"), "people".into()],
            session_type: Some("wayland".into()),
            greeter: false,
        }),
    }
}

/// The spec `sync` of a worker, with every default.
pub(crate) fn sync() -> Spec {
    Spec { serve: Serve::Machine, ..Spec::new("sync") }
}

/// The spec `desk` with every default.
pub(crate) fn desk() -> Spec {
    Spec::new("desk")
}
