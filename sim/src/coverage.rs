//! How often each thing was seen. An invariant that never meets its situation proves nothing.

use bilayer_core::{Action, Event, HoldReason, Stage, State, StopReason, Supervisor, WaitReason};

use crate::faults::{self, Fault};

const EVENTS: [&str; 18] = [
    "tick",
    "sessions",
    "configured",
    "operator",
    "adopted",
    "launched",
    "launch_failed",
    "exited",
    "connected",
    "disconnected",
    "ready",
    "heartbeat",
    "goodbye",
    "suspend",
    "resume",
    "shutdown_announced",
    "shutdown_called_off",
    "stop",
];
const ACTIONS: [&str; 11] = [
    "launch",
    "ask_to_stop",
    "terminate",
    "kill",
    "sweep",
    "leave_survivors",
    "abandon",
    "tell_session",
    "changed",
    "progress",
    "finished",
];
const STATES: [&str; 6] = ["waiting", "starting", "running", "stopping", "held", "released"];

/// What these worlds cannot show: adopted agents settle in the same moment in which they are found.
const UNSEEN: [&str; 1] = ["settling"];

/// Counts of what was seen.
#[derive(Clone, Debug)]
pub struct Coverage {
    events: [u64; EVENTS.len()],
    actions: [u64; ACTIONS.len()],
    states: [u64; STATES.len()],
    waits: [u64; WaitReason::ALL.len()],
    holds: [u64; HoldReason::ALL.len()],
    stops: [u64; StopReason::ALL.len()],
    stages: [u64; Stage::ALL.len()],
    faults: [u64; faults::COUNT],
    /// Events about processes that were gone.
    pub stale: u64,
    /// Worlds that were left alone and settled.
    pub settled: u64,
}

impl Default for Coverage {
    fn default() -> Self {
        Self {
            events: [0; EVENTS.len()],
            actions: [0; ACTIONS.len()],
            states: [0; STATES.len()],
            waits: [0; WaitReason::ALL.len()],
            holds: [0; HoldReason::ALL.len()],
            stops: [0; StopReason::ALL.len()],
            stages: [0; Stage::ALL.len()],
            faults: [0; faults::COUNT],
            stale: 0,
            settled: 0,
        }
    }
}

impl Coverage {
    #[inline]
    pub(crate) fn event(&mut self, event: &Event) {
        let kind = match event {
            Event::Tick => 0,
            Event::Sessions(_) => 1,
            Event::Configured { .. } => 2,
            Event::Operator(..) => 3,
            Event::Adopted { .. } => 4,
            Event::Launched(..) => 5,
            Event::LaunchFailed(..) => 6,
            Event::Exited(..) => 7,
            Event::Connected(..) => 8,
            Event::Disconnected(..) => 9,
            Event::Ready(..) => 10,
            Event::Heartbeat(..) => 11,
            Event::Goodbye(..) => 12,
            Event::Suspend => 13,
            Event::Resume => 14,
            Event::ShutdownAnnounced(_) => 15,
            Event::ShutdownCalledOff => 16,
            Event::Stop(..) => 17,
        };
        self.events[kind] += 1;
    }

    #[inline]
    pub(crate) fn action(&mut self, action: &Action, core: &Supervisor) {
        let kind = match action {
            Action::Launch(..) => 0,
            Action::AskToStop { .. } => 1,
            Action::Terminate(..) => 2,
            Action::Kill(..) => 3,
            Action::Sweep(..) => 4,
            Action::LeaveSurvivors(..) => 5,
            Action::Abandon(..) => 6,
            Action::TellSession(..) => 7,
            Action::Changed(key) => {
                if let Some(instance) = core.instance(*key) {
                    self.state(&instance.state);
                }
                8
            }
            Action::Progress { .. } => 9,
            Action::Finished => 10,
        };
        self.actions[kind] += 1;
    }

    fn state(&mut self, state: &State) {
        let kind = match *state {
            State::Waiting { why, .. } => {
                self.waits[why as usize] += 1;
                0
            }
            State::Starting => 1,
            State::Running { .. } => 2,
            State::Stopping { stage, why, .. } => {
                self.stages[stage as usize] += 1;
                self.stops[why as usize] += 1;
                3
            }
            State::Held(why) => {
                self.holds[why as usize] += 1;
                4
            }
            State::Released => 5,
        };
        self.states[kind] += 1;
    }

    #[inline]
    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults[fault as usize] += 1;
    }

    /// Adds what another world saw.
    pub fn add(&mut self, other: &Self) {
        let mine = self.tables_mut();
        for (mine, other) in mine.into_iter().zip(other.tables()) {
            for (mine, (_, other)) in mine.iter_mut().zip(other.1) {
                *mine += other;
            }
        }
        self.stale += other.stale;
        self.settled += other.settled;
    }

    fn tables_mut(&mut self) -> [&mut [u64]; 8] {
        [
            &mut self.events,
            &mut self.actions,
            &mut self.states,
            &mut self.stages,
            &mut self.waits,
            &mut self.holds,
            &mut self.stops,
            &mut self.faults,
        ]
    }

    /// Every count by title and name.
    pub fn tables(&self) -> [(&'static str, Vec<(&'static str, u64)>); 8] {
        fn zip<T: Copy>(
            of: &[T],
            name: impl Fn(T) -> &'static str,
            counts: &[u64],
        ) -> Vec<(&'static str, u64)> {
            of.iter().zip(counts).map(|(&value, &count)| (name(value), count)).collect()
        }
        [
            ("events", zip(&EVENTS, |name| name, &self.events)),
            ("actions", zip(&ACTIONS, |name| name, &self.actions)),
            ("states", zip(&STATES, |name| name, &self.states)),
            ("stages of a stop", zip(Stage::ALL, Stage::code, &self.stages)),
            ("reasons to wait", zip(WaitReason::ALL, WaitReason::code, &self.waits)),
            ("reasons to hold", zip(HoldReason::ALL, HoldReason::code, &self.holds)),
            ("reasons to stop", zip(StopReason::ALL, StopReason::code, &self.stops)),
            ("faults", zip(Fault::ALL, Fault::name, &self.faults)),
        ]
    }

    /// What should have been seen in a long run and was not.
    pub fn missing(&self) -> Vec<&'static str> {
        let tables = self.tables();
        let all = tables.iter().flat_map(|(_, table)| table.iter().copied());
        let extra = [("stale events", self.stale), ("settled worlds", self.settled)];
        let unseen = all.chain(extra).filter(|(name, count)| *count == 0 && !UNSEEN.contains(name));
        unseen.map(|(name, _)| name).collect()
    }
}
