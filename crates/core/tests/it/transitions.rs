//! Every state met by every event, as a table to read.

use std::fmt::Write;

use crate::util::*;
use bilayer_core::*;

/// Names of states and how an instance gets there.
fn states() -> Vec<(&'static str, World)> {
    let exit = |world: &mut World, code| drop(world.exited(SEAT, Exit::Code(code)));
    let with = |mut world: World, change: &dyn Fn(&mut World)| {
        change(&mut world);
        world
    };
    let starting = || {
        with(World::new(spec()), &|world| {
            world.logon(1);
        })
    };
    let running = || World::running(spec());
    let connected = || World::connected(spec());
    vec![
        (
            "waiting: back-off",
            with(running(), &|world| {
                world.crash(1);
                exit(world, 1);
            }),
        ),
        ("waiting: clean exit", with(running(), &|world| exit(world, 0))),
        (
            "waiting: locked",
            with(running(), &|world| {
                world.change(1, |session| session.locked = true);
                exit(world, 0);
            }),
        ),
        ("starting", starting()),
        ("starting, to be held", with(starting(), &|world| drop(world.operator(Command::Stop)))),
        ("starting, session gone", with(starting(), &|world| drop(world.logoff(1)))),
        ("running", running()),
        ("running, connected", connected()),
        ("stopping: operator, asked", with(connected(), &|world| drop(world.operator(Command::Stop)))),
        ("stopping: restart, terminated", with(running(), &|world| drop(world.operator(Command::Restart)))),
        ("stopping: hang, killed", with(connected(), &|world| drop(world.pass(secs(25))))),
        ("stopping: logoff", with(running(), &|world| drop(world.logoff(1)))),
        (
            "held: operator",
            with(running(), &|world| {
                world.operator(Command::Stop);
                exit(world, 0);
            }),
        ),
        (
            "held: launch failed",
            with(starting(), &|world| drop(world.launch_failed(SEAT, FailureKind::Wrong))),
        ),
        ("released", with(running(), &|world| exit(world, 9))),
    ]
}

fn spec() -> Spec {
    let mut spec = desk();
    spec.while_locked = WhileLocked::Stop;
    spec.heartbeat = Some(secs(15));
    spec.ready_within = Some(secs(30));
    spec.exit_codes.insert(Exit::Code(9), Meaning::Release);
    spec
}

/// Names of events and how each is brought about. Those about a process are of the present generation, or the one before.
fn events(world: &World) -> Vec<(&'static str, Event)> {
    let generation = world.view(SEAT).generation;
    let failed = |kind| Event::LaunchFailed(SEAT, generation, Failure { kind, os_error: 5 });
    let exited = |exit| Event::Exited(SEAT, generation, exit);
    let goodbye = |goodbye| Event::Goodbye(SEAT, generation, goodbye);
    let session = |change: &dyn Fn(&mut Session)| {
        let mut session = session(1);
        change(&mut session);
        Event::Sessions(vec![session])
    };
    let configured = |specs| Event::Configured { specs, on_service_stop: OnServiceStop::Stop };
    vec![
        ("tick at its deadline", Event::Tick),
        ("session: in front", session(&|_| {})),
        ("session: locked", session(&|session| session.locked = true)),
        ("session: in the back", session(&|session| session.state = SessionState::Inactive)),
        ("session: closing", session(&|session| session.state = SessionState::Closing)),
        ("session: gone", Event::Sessions(Vec::new())),
        ("spec: as before", configured(vec![(SpecId(0), spec())])),
        ("spec: changed", configured(vec![(SpecId(0), Spec { fingerprint: 1, ..spec() })])),
        ("spec: removed", configured(Vec::new())),
        ("operator: start", Event::Operator(SEAT, Command::Start)),
        ("operator: stop", Event::Operator(SEAT, Command::Stop)),
        ("operator: restart", Event::Operator(SEAT, Command::Restart)),
        ("adopted", Event::Adopted { instance: SEAT, generation: 9, fingerprint: 0 }),
        ("launched", Event::Launched(SEAT, generation)),
        ("launch failed: not ready", failed(FailureKind::NotReady)),
        ("launch failed: gone", failed(FailureKind::Gone)),
        ("launch failed: wrong", failed(FailureKind::Wrong)),
        ("launch failed: busy", failed(FailureKind::Busy)),
        ("exited: 0", exited(Exit::Code(0))),
        ("exited: 1", exited(Exit::Code(1))),
        ("exited: release", exited(Exit::Code(9))),
        ("exited: logging off", exited(Exit::Code(0x4001_0004))),
        ("exited: unknown", exited(Exit::Unknown)),
        ("exited: 1, old generation", Event::Exited(SEAT, generation.wrapping_sub(1), Exit::Code(1))),
        ("connected", Event::Connected(SEAT, generation)),
        ("disconnected", Event::Disconnected(SEAT, generation)),
        ("ready", Event::Ready(SEAT, generation)),
        ("heartbeat", Event::Heartbeat(SEAT, generation)),
        ("goodbye: restart", goodbye(Goodbye::Restart)),
        ("goodbye: hold", goodbye(Goodbye::Hold)),
        ("goodbye: release", goodbye(Goodbye::Release)),
        ("goodbye: logging off", goodbye(Goodbye::LoggingOff)),
        ("suspend", Event::Suspend),
        ("resume", Event::Resume),
        ("shutdown announced: 3 s", Event::ShutdownAnnounced(secs(3))),
        ("shutdown called off", Event::ShutdownCalledOff),
        ("stop: 3 s", Event::Stop(StopReason::ServiceStop, secs(3))),
    ]
}

/// A state in a few words.
fn state_words(world: &World) -> String {
    let in_ms = |time: Time| format!("in {} ms", (time - world.now).as_millis());
    match world.core.instance(SEAT).map(|instance| instance.state) {
        None => "removed".into(),
        Some(State::Waiting { until: None, why }) => format!("waiting ({})", why.code()),
        Some(State::Waiting { until: Some(until), why }) => {
            format!("waiting ({}, {})", why.code(), in_ms(until))
        }
        Some(State::Starting) => "starting".into(),
        Some(State::Running { ready: Some(true), .. }) => "running (ready)".into(),
        Some(State::Running { .. }) => "running".into(),
        Some(State::Stopping { stage, deadline, why }) => {
            format!("stopping ({}, {}, kill {})", why.code(), stage.code(), in_ms(deadline))
        }
        Some(State::Held(why)) => format!("held ({})", why.code()),
        Some(State::Released) => "released".into(),
    }
}

fn action_words(action: Action) -> String {
    match action {
        Action::Launch(_, generation) => format!("launch #{generation}"),
        Action::AskToStop { reason, .. } => format!("ask to stop ({})", reason.code()),
        Action::Terminate(..) => "terminate".into(),
        Action::Kill(..) => "kill".into(),
        Action::Sweep(..) => "sweep".into(),
        Action::LeaveSurvivors(..) => "leave survivors".into(),
        Action::Abandon(..) => "abandon".into(),
        Action::TellSession(..) => "tell session".into(),
        Action::Changed(_) => "changed".into(),
        Action::Progress { remaining, .. } => format!("progress ({remaining} left)"),
        Action::Finished => "finished".into(),
    }
}

/// Every cell; a dash where the state stays as it is, and no action where there is none.
fn table() -> String {
    let mut table = String::new();
    for (row, (name, before)) in states().into_iter().enumerate() {
        let words = state_words(&before);
        writeln!(table, "{name}: {words}").unwrap();
        for (column, (event_name, _)) in events(&before).into_iter().enumerate() {
            let mut world = states().swap_remove(row).1;
            let event = events(&world).swap_remove(column).1;
            if event == Event::Tick {
                world.now = world.core.next_deadline().unwrap_or(world.now);
            }
            let actions: Vec<_> = world.handle(event).into_iter().map(action_words).collect();
            let after = state_words(&world);
            let after = if after == words { "-" } else { &after };
            let line = format!("  {event_name:<26} {after:<50} {}", actions.join(", "));
            writeln!(table, "{}", line.trim_end()).unwrap();
        }
        table.push('\n');
    }
    table
}

#[test]
fn every_state_meets_every_event() {
    insta::assert_snapshot!(table());
}
