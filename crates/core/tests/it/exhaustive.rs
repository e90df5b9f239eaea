//! Every sequence of events up to a length, with every invariant checked after each.

use crate::invariants::Processes;
use crate::util::*;
use bilayer_core::*;

const LENGTH: usize = 5;

/// What can happen next, out of everything that an honest world can do to one spec and two sessions.
fn possible(processes: &Processes, sessions: &[Session]) -> Vec<(Event, Option<Vec<Session>>)> {
    let mut events = vec![
        (Event::Tick, None),
        (Event::Operator(SEAT, Command::Stop), None),
        (Event::Operator(SEAT, Command::Restart), None),
        (Event::ShutdownAnnounced(secs(2)), None),
        (Event::ShutdownCalledOff, None),
        (Event::Suspend, None),
        (Event::Resume, None),
        (Event::Stop(StopReason::ServiceStop, secs(2)), None),
    ];
    let back = |session: Session| Session { state: SessionState::Inactive, ..session };
    for enumeration in [
        vec![],
        vec![session(1)],
        vec![Session { state: SessionState::Closing, ..session(1) }],
        vec![back(session(1)), session(2)],
        vec![session(1), back(session(2))],
    ] {
        if enumeration != sessions {
            events.push((Event::Sessions(enumeration.clone()), Some(enumeration)));
        }
    }
    for (&key, &generation) in &processes.launching {
        let failure = Failure { kind: FailureKind::NotReady, os_error: 1 };
        events.push((Event::Launched(key, generation), None));
        events.push((Event::LaunchFailed(key, generation, failure), None));
    }
    for (&key, &generation) in &processes.alive {
        events.push((Event::Connected(key, generation), None));
        events.push((Event::Exited(key, generation, Exit::Code(1)), None));
        events.push((Event::Exited(key, generation, Exit::Code(0)), None));
    }
    events
}

/// A place in the tree of all sequences.
#[derive(Clone)]
struct Node {
    core: Supervisor,
    processes: Processes,
    sessions: Vec<Session>,
    now: Time,
}

impl Node {
    fn root() -> Self {
        let spec = Spec { while_locked: WhileLocked::Stop, ..desk() };
        let configured =
            Event::Configured { specs: vec![(SpecId(0), spec)], on_service_stop: OnServiceStop::Stop };
        let mut node = Self {
            core: Supervisor::new(1),
            processes: Processes::default(),
            sessions: vec![session(1)],
            now: Time::ZERO,
        };
        node.handle(&configured);
        node.handle(&Event::Sessions(node.sessions.clone()));
        node
    }

    fn handle(&mut self, event: &Event) {
        if *event == Event::Tick {
            self.now = self.core.next_deadline().unwrap_or(self.now).max(self.now);
        }
        self.processes.handle(&mut self.core, self.now, event, &self.sessions);
    }

    /// Goes down every path of this length; returns how many there are.
    fn explore(&self, length: usize) -> u64 {
        if length == 0 {
            return 1;
        }
        let mut sequences = 0;
        for (event, enumeration) in possible(&self.processes, &self.sessions) {
            let mut next = self.clone();
            next.sessions = enumeration.unwrap_or(next.sessions);
            next.handle(&event);
            sequences += next.explore(length - 1);
        }
        sequences
    }
}

#[test]
fn all_short_sequences_keep_every_invariant() {
    let sequences = Node::root().explore(LENGTH);
    assert!(sequences > 500_000, "{sequences}");
}
