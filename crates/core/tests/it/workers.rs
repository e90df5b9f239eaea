//! Workers: one process for the machine, by the same rules as agents.

use crate::util::*;
use bilayer_core::*;

/// One worker, running; nobody was ever enumerated.
fn running(spec: Spec) -> World {
    let mut world = World::unsettled(spec);
    assert_eq!(world.configure(), [Action::Launch(WORKER, 1)]);
    world.launched(WORKER);
    world
}

#[test]
fn a_worker_needs_a_configuration_and_nobody() {
    let mut world = running(sync());
    assert_eq!(world.exited(WORKER, Exit::Signal(9)), [Action::Sweep(WORKER, 1), Action::Launch(WORKER, 2)]);
    world.launched(WORKER);
    assert_eq!(world.view(WORKER).restarts, 1);
}

#[test]
fn no_session_is_served_and_none_says_anything_to_it() {
    let mut world = running(Spec { while_locked: WhileLocked::Stop, needs_display: true, ..sync() });
    world.handle(Event::Connected(WORKER, 1));
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.logon(1), []);
    assert_eq!(world.change(1, |session| session.locked = true), []);
    assert_eq!(world.logoff(1), []);
    assert_eq!(world.core.instances().count(), 1);
    assert_eq!(sync().unserved(&session(1)), Some(Unserved::Machine));
}

/// The machine's number in an enumeration would be a mistake of the caller's, and no session.
#[test]
fn the_machine_is_never_enumerated() {
    let mut world = World::new(desk());
    world.sessions.push(Session { logon: Logon::MACHINE, ..session(1) });
    assert_eq!(world.enumerate(), []);
}

#[test]
fn nobody_logs_off_from_the_machine_so_nothing_waits_for_it() {
    for exit in [Exit::Code(0), Exit::Code(0xC000_026B)] {
        let mut world = running(sync());
        assert_eq!(world.exited(WORKER, exit), [Action::Sweep(WORKER, 1), Action::Launch(WORKER, 2)]);
    }
    let mut world = running(sync());
    world.goodbye(WORKER, Goodbye::LoggingOff);
    assert_eq!(world.exited(WORKER, Exit::Code(3)), [Action::Sweep(WORKER, 1), Action::Launch(WORKER, 2)]);
    world.launched(WORKER);
    world.exited(WORKER, Exit::Code(0));
    assert_eq!(world.waits(WORKER), Some(WaitReason::BackOff), "and it is a failure like any other");
}

#[test]
fn a_clean_exit_can_be_its_last() {
    let on = |on| Spec { restart: Restart { on, ..Restart::default() }, ..sync() };
    for on in [on(RestartOn::Failure), on(RestartOn::Never)] {
        let mut world = running(on);
        world.exited(WORKER, Exit::Code(0));
        assert_eq!(world.state(WORKER), State::Released);
    }
}

#[test]
fn an_account_that_is_not_there_is_waited_for_and_a_new_configuration_tries_at_once() {
    for kind in [FailureKind::NotReady, FailureKind::Gone] {
        let mut world = World::unsettled(sync());
        world.configure();
        world.launch_failed(WORKER, kind);
        assert_eq!(world.waits(WORKER), Some(WaitReason::NoAccount));
        assert_eq!(world.pass(secs(1)), [Action::Launch(WORKER, 2)]);
        world.launch_failed(WORKER, kind);
        assert_eq!(world.reload(|spec| spec.fingerprint = 1), [Action::Launch(WORKER, 3)]);
    }
}

#[test]
fn a_launch_under_way_is_of_use_until_its_process_would_have_to_end() {
    let starting = || {
        let mut world = World::unsettled(sync());
        world.configure();
        assert!(world.core.wants_launch(WORKER, 1) && !world.core.wants_launch(WORKER, 0));
        world
    };
    let mut world = starting();
    world.handle(Event::Operator(WORKER, Command::Stop));
    assert!(!world.core.wants_launch(WORKER, 1));
    world.handle(Event::Operator(WORKER, Command::Start));
    assert!(world.core.wants_launch(WORKER, 1), "somebody wants it after all");
    world.handle(Event::Operator(WORKER, Command::Stop));
    assert_eq!(world.launch_failed(WORKER, FailureKind::Gone), []);
    assert_eq!(world.state(WORKER), State::Held(HoldReason::Operator));

    let mut world = starting();
    assert_eq!(world.reload(|spec| spec.fingerprint = 1), []);
    assert!(!world.core.wants_launch(WORKER, 1));
    assert_eq!(world.launch_failed(WORKER, FailureKind::Gone), [Action::Launch(WORKER, 2)]);

    let mut world = starting();
    world.handle(Event::ShutdownAnnounced(secs(60)));
    assert!(!world.core.wants_launch(WORKER, 1));
    world.launch_failed(WORKER, FailureKind::Gone);
    assert_eq!(world.waits(WORKER), Some(WaitReason::Shutdown));

    let mut world = starting();
    world.handle(Event::Stop(StopReason::ServiceStop, secs(60)));
    assert!(!world.core.wants_launch(WORKER, 1));
    assert!(world.launch_failed(WORKER, FailureKind::Gone).contains(&Action::Finished));
    assert!(!running(sync()).core.wants_launch(WORKER, 1), "it was answered");
}

#[test]
fn an_end_of_the_service_or_the_machine_is_its_end() {
    let mut world = running(sync());
    world.handle(Event::Connected(WORKER, 1));
    let deadline = world.now + secs(5);
    let asked = |reason| Action::AskToStop { instance: WORKER, generation: 1, reason, deadline };
    assert_eq!(world.handle(Event::ShutdownAnnounced(secs(60)))[0], asked(StopReason::Shutdown));
    world.exited(WORKER, Exit::Code(0));
    assert_eq!(world.waits(WORKER), Some(WaitReason::Shutdown));
    assert_eq!(world.handle(Event::ShutdownCalledOff), [Action::Launch(WORKER, 2)]);
    world.launched(WORKER);
    world.handle(Event::Stop(StopReason::ServiceStop, secs(60)));
    assert!(world.exited(WORKER, Exit::Code(0)).contains(&Action::Finished));
}

#[test]
fn it_is_kept_and_adopted_before_the_configuration_could_start_another() {
    let keep = OnServiceStop::Keep;
    let mut world = World { on_service_stop: keep, ..World::unsettled(sync()) };
    world.configure();
    world.launched(WORKER);
    let left = world.handle(Event::Stop(StopReason::ServiceStop, secs(60)));
    assert_eq!(left, [Action::Abandon(WORKER, 1), Action::Finished]);

    let adopted = Event::Adopted { instance: WORKER, generation: 1, fingerprint: 0 };
    let mut world = World { on_service_stop: keep, ..World::unsettled(sync()) };
    world.handle(adopted.clone());
    assert!(world.is_running(WORKER));
    assert_eq!(world.configure(), []);
    assert!(world.is_running(WORKER) && world.view(WORKER).adopted);

    // Too late: there is one already.
    let mut world = World::unsettled(desk());
    world.configure();
    world.handle(adopted);
    assert_eq!(world.core.instance(WORKER), None);
}

#[test]
fn an_agent_that_becomes_a_worker_leaves_its_session_and_back() {
    let mut world = World::running(Spec { on_leave: OnLeave::Keep, ..desk() });
    let actions = world.reload(|spec| spec.serve = Serve::Machine);
    assert_eq!(actions, [Action::Terminate(SEAT, 1), Action::Launch(WORKER, 1)]);
    world.exited(SEAT, Exit::Signal(15));
    assert_eq!(world.core.instance(SEAT), None);
    world.launched(WORKER);
    // At the console there is one of a name at a time.
    assert_eq!(world.reload(|spec| spec.serve = Serve::Console), [Action::Terminate(WORKER, 1)]);
    assert_eq!(world.waits(SEAT), Some(WaitReason::Handover));
    let actions = world.exited(WORKER, Exit::Signal(15));
    assert_eq!(actions, [Action::Sweep(WORKER, 1), Action::Launch(SEAT, 2)]);
    assert_eq!(world.core.instance(WORKER), None);
}

/// What the machine had is remembered like that of a session that lives, so a late event of an earlier worker is never taken for
/// one of the new; and what it had is nothing to the sessions that come.
#[test]
fn generations_of_a_worker_go_on_and_are_its_own() {
    let mut world = running(sync());
    world.exited(WORKER, Exit::Code(1));
    world.launched(WORKER);
    world.specs.clear();
    world.configure();
    world.exited(WORKER, Exit::Code(0));
    assert_eq!(world.core.instance(WORKER), None);
    world.specs = vec![(SpecId(0), sync())];
    assert_eq!(world.configure(), [Action::Launch(WORKER, 3)]);
    world.specs = vec![(SpecId(0), desk())];
    world.configure();
    world.exited(WORKER, Exit::Code(0));
    world.enumerate();
    assert_eq!(world.logon(1), [Action::Launch(SEAT, 1)]);
}
