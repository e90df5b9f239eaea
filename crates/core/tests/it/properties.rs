//! Random long sequences of events, sensible and not, keep every invariant.

use proptest::prelude::*;
use proptest::sample::select;

use crate::invariants::Processes;
use crate::util::*;
use bilayer_core::*;

/// One thing that happens. Processes are chosen by number among those that there are at that moment.
#[derive(Clone, Debug)]
enum Happening {
    Pass(u64),
    Deadline,
    Sessions(Vec<Session>),
    Configured(Vec<Spec>, OnServiceStop),
    Operator(InstanceKey, Command),
    Answer(usize, Option<FailureKind>),
    Exit(usize, Exit),
    Say(usize, Word),
    /// An event about a process that there need not be.
    Stray(Event),
    Machine(Event),
}

#[derive(Clone, Copy, Debug)]
enum Word {
    Connected,
    Disconnected,
    Ready,
    Heartbeat,
    Goodbye(Goodbye),
}

fn key() -> impl Strategy<Value = InstanceKey> {
    (0..5_u32, 0..3_u32).prop_map(|(logon, spec)| {
        let logon = if logon == 4 { Logon::MACHINE } else { Logon(logon) };
        InstanceKey { logon, spec: SpecId(spec) }
    })
}

fn sessions() -> impl Strategy<Value = Vec<Session>> {
    let facts = (0..3_u8, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>(), 0..3_u8);
    proptest::collection::btree_map(0..4_u32, facts, 0..4).prop_map(|sessions| {
        let session = |(logon, (state, locked, remote, environment, display, kind))| Session {
            state: [SessionState::Active, SessionState::Inactive, SessionState::Closing][usize::from(state)],
            kind: [SessionKind::Console, SessionKind::Remote, SessionKind::Other][usize::from(kind)],
            locked,
            remote,
            environment,
            display,
            ..session(logon)
        };
        sessions.into_iter().map(session).collect()
    })
}

fn spec() -> impl Strategy<Value = Spec> {
    let serving = (
        select(vec![Serve::Console, Serve::Active, Serve::All, Serve::Machine]),
        select(vec![OnLeave::Stop, OnLeave::Keep]),
        select(vec![WhileLocked::Keep, WhileLocked::Stop]),
        any::<bool>(),
        select(vec![None, Some(true), Some(false)]),
    );
    let restart = (
        select(vec![RestartOn::Always, RestartOn::Failure, RestartOn::Never]),
        select(vec![PastLimit::Slow, PastLimit::Hold]),
        0..4_u16,
        0..3_u64,
    );
    let life = (0..3_u64, 0..3_u64, 0..4_u64, any::<bool>(), 0..2_u64);
    (serving, restart, life).prop_map(|(serving, restart, life)| {
        let mut spec = desk();
        (spec.serve, spec.on_leave, spec.while_locked, spec.needs_display, spec.remote) = serving;
        spec.restart.on = restart.0;
        spec.restart.limit = Limit { count: restart.2, within: secs(20), then: restart.1 };
        spec.restart.delay_max = secs(restart.3);
        spec.heartbeat = (life.0 > 0).then(|| secs(life.0));
        spec.ready_within = (life.1 > 0).then(|| secs(life.1));
        spec.grace = secs(life.2);
        spec.survivors = if life.3 { Survivors::Kill } else { Survivors::Leave };
        spec.fingerprint = life.4;
        spec.exit_codes.insert(Exit::Code(7), Meaning::RestartNow);
        spec.exit_codes.insert(Exit::Code(8), Meaning::Hold);
        spec.exit_codes.insert(Exit::Code(9), Meaning::Release);
        spec
    })
}

fn exit() -> impl Strategy<Value = Exit> {
    let codes = [0, 1, 7, 8, 9, 0xC000_026B].map(Exit::Code);
    select([&codes[..], &[Exit::Signal(9), Exit::Unknown]].concat())
}

fn happening() -> impl Strategy<Value = Happening> {
    use FailureKind::{Busy, Gone, NotReady, Wrong};
    let words = vec![
        Word::Connected,
        Word::Disconnected,
        Word::Ready,
        Word::Heartbeat,
        Word::Goodbye(Goodbye::Restart),
        Word::Goodbye(Goodbye::Hold),
        Word::Goodbye(Goodbye::Release),
        Word::Goodbye(Goodbye::LoggingOff),
    ];
    let answers = vec![None, None, None, None, Some(NotReady), Some(Gone), Some(Wrong), Some(Busy)];
    let machine = vec![
        Event::Suspend,
        Event::Resume,
        Event::ShutdownAnnounced(secs(2)),
        Event::ShutdownCalledOff,
        Event::ShutdownCalledOff,
    ];
    prop_oneof![
        6 => (0..5000_u64).prop_map(Happening::Pass),
        6 => Just(Happening::Deadline),
        4 => sessions().prop_map(Happening::Sessions),
        1 => (proptest::collection::vec(spec(), 0..3), select(vec![OnServiceStop::Stop, OnServiceStop::Keep]))
            .prop_map(|(specs, keep)| Happening::Configured(specs, keep)),
        2 => (key(), select(vec![Command::Start, Command::Stop, Command::Restart]))
            .prop_map(|(key, command)| Happening::Operator(key, command)),
        8 => (any::<usize>(), select(answers)).prop_map(|(which, failure)| Happening::Answer(which, failure)),
        4 => (any::<usize>(), exit()).prop_map(|(which, exit)| Happening::Exit(which, exit)),
        6 => (any::<usize>(), select(words)).prop_map(|(which, word)| Happening::Say(which, word)),
        1 => (key(), 1000..1005_u32, exit()).prop_map(|(key, generation, exit)| {
            Happening::Stray(Event::Exited(key, generation, exit))
        }),
        1 => select(machine).prop_map(Happening::Machine),
    ]
}

fn pick(
    processes: &std::collections::BTreeMap<InstanceKey, u32>,
    which: usize,
) -> Option<(InstanceKey, u32)> {
    let (&key, &generation) = processes.iter().nth(which.checked_rem(processes.len())?)?;
    Some((key, generation))
}

/// What the core is told, if it makes sense at this moment.
fn event(happening: &Happening, processes: &Processes) -> Option<Event> {
    Some(match happening.clone() {
        Happening::Pass(_) | Happening::Deadline => Event::Tick,
        Happening::Sessions(sessions) => Event::Sessions(sessions),
        Happening::Configured(specs, on_service_stop) => {
            let specs = specs.into_iter().enumerate().map(|(id, spec)| (SpecId(id as u32), spec)).collect();
            Event::Configured { specs, on_service_stop }
        }
        Happening::Operator(key, command) => Event::Operator(key, command),
        Happening::Answer(which, failure) => {
            let (key, generation) = pick(&processes.launching, which)?;
            match failure {
                None => Event::Launched(key, generation),
                Some(kind) => Event::LaunchFailed(key, generation, Failure { kind, os_error: 1 }),
            }
        }
        Happening::Exit(which, exit) => {
            let (key, generation) = pick(&processes.alive, which)?;
            Event::Exited(key, generation, exit)
        }
        Happening::Say(which, word) => {
            let (key, generation) = pick(&processes.alive, which)?;
            match word {
                Word::Connected => Event::Connected(key, generation),
                Word::Disconnected => Event::Disconnected(key, generation),
                Word::Ready => Event::Ready(key, generation),
                Word::Heartbeat => Event::Heartbeat(key, generation),
                Word::Goodbye(goodbye) => Event::Goodbye(key, generation, goodbye),
            }
        }
        Happening::Stray(event) | Happening::Machine(event) => event,
    })
}

/// Plays a life of the service; returns everything that the core wanted.
fn play(seed: u64, adopted: &[(InstanceKey, u32)], life: &[Happening], stop: StopReason) {
    let (mut core, mut processes) = (Supervisor::new(seed), Processes::default());
    let (mut now, mut sessions) = (Time::ZERO, Vec::new());
    for &(instance, generation) in adopted {
        if core.instance(instance).is_none() {
            let event = Event::Adopted { instance, generation, fingerprint: 0 };
            processes.handle(&mut core, now, &event, &sessions);
        }
    }
    for happening in life {
        match happening {
            Happening::Pass(time) => now = now + ms(*time),
            Happening::Deadline => now = core.next_deadline().unwrap_or(now).max(now),
            Happening::Sessions(fresh) => sessions = fresh.clone(),
            _ => {}
        }
        let Some(event) = event(happening, &processes) else { continue };
        processes.handle(&mut core, now, &event, &sessions);
    }
    // However it went, the service can be stopped: every launch is answered, and what is killed ends.
    processes.handle(&mut core, now, &Event::Stop(stop, secs(2)), &sessions);
    while let Some((key, generation)) = pick(&processes.launching, 0) {
        processes.handle(&mut core, now, &Event::Launched(key, generation), &sessions);
    }
    while let Some((key, generation)) = pick(&processes.alive, 0) {
        processes.handle(&mut core, now, &Event::Exited(key, generation, Exit::Signal(9)), &sessions);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_life_keeps_every_invariant(
        seed in any::<u64>(),
        adopted in proptest::collection::vec((key(), 1..9_u32), 0..2),
        specs in proptest::collection::vec(spec(), 1..3),
        life in proptest::collection::vec(happening(), 0..150),
        stop in select(vec![StopReason::ServiceStop, StopReason::Shutdown]),
    ) {
        let mut life = life;
        life.insert(0, Happening::Configured(specs, OnServiceStop::Stop));
        play(seed, &adopted, &life, stop);
    }

    #[test]
    fn a_deadline_that_is_heeded_is_never_far_behind(
        specs in proptest::collection::vec(spec(), 1..3),
        life in proptest::collection::vec(happening(), 0..100),
    ) {
        let (mut core, mut processes) = (Supervisor::new(3), Processes::default());
        let (mut now, mut sessions) = (Time::ZERO, Vec::new());
        let mut life = life;
        life.insert(0, Happening::Configured(specs, OnServiceStop::Stop));
        for happening in &life {
            if let Happening::Pass(time) = happening {
                let end = now + ms(*time);
                while let Some(deadline) = core.next_deadline().filter(|&deadline| deadline <= end) {
                    prop_assert!(deadline >= now, "nothing is due in the past");
                    now = deadline;
                    processes.handle(&mut core, now, &Event::Tick, &sessions);
                }
                now = end;
                continue;
            }
            if let Happening::Sessions(fresh) = happening {
                sessions = fresh.clone();
            }
            let Some(event) = event(happening, &processes) else { continue };
            processes.handle(&mut core, now, &event, &sessions);
        }
    }
}
