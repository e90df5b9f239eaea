//! What is held or released stays so until a person, or a new stay in the served set, says otherwise.

use crate::util::*;
use bilayer_core::*;

/// An agent that a person stopped.
fn held(spec: Spec) -> World {
    let mut world = World::connected(spec);
    assert!(matches!(
        world.operator(Command::Stop)[..],
        [Action::AskToStop { reason: StopReason::Operator, .. }]
    ));
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1)]);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));
    world
}

fn released(mut spec: Spec) -> World {
    spec.exit_codes.insert(Exit::Code(9), Meaning::Release);
    let mut world = World::running(spec);
    world.exited(SEAT, Exit::Code(9));
    assert_eq!(world.state(SEAT), State::Released);
    world
}

fn both(spec: &Spec) -> [World; 2] {
    [held(spec.clone()), released(spec.clone())]
}

#[test]
fn held_and_released_live_through_lock_unlock_reload_and_time() {
    for mut world in both(&Spec { while_locked: WhileLocked::Stop, ..desk() }) {
        let state = world.state(SEAT);
        assert_eq!(world.change(1, |session| session.locked = true), []);
        assert_eq!(world.change(1, |session| session.locked = false), []);
        assert_eq!(world.reload(|spec| spec.fingerprint = 1), []);
        assert_eq!(world.handle(Event::ShutdownAnnounced(secs(1))), []);
        assert_eq!(world.handle(Event::ShutdownCalledOff), []);
        assert_eq!(world.pass(secs(3600)), []);
        assert_eq!(world.state(SEAT), state);
    }
}

#[test]
fn a_person_starts_what_is_held_or_released() {
    for command in [Command::Start, Command::Restart] {
        for mut world in both(&desk()) {
            assert_eq!(world.operator(command), [Action::Launch(SEAT, 2)]);
        }
    }
}

#[test]
fn held_and_released_end_with_the_session() {
    for mut world in both(&desk()) {
        world.logoff(1);
        assert_eq!(world.core.instance(SEAT), None);
    }
}

#[test]
fn held_and_released_end_when_the_session_is_served_again() {
    for on_leave in [OnLeave::Stop, OnLeave::Keep] {
        for mut world in both(&Spec { on_leave, ..desk() }) {
            world.switch(0);
            assert_eq!(world.switch(1), [Action::Launch(SEAT, 2)]);
        }
    }
}

#[test]
fn a_person_stops_what_waits_or_is_released() {
    let mut world = World::running(desk());
    world.exited(SEAT, Exit::Code(0));
    assert_eq!(world.operator(Command::Stop), []);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));
    let mut world = released(desk());
    world.operator(Command::Stop);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));
}

#[test]
fn a_person_starts_what_waits_and_its_failures_are_forgotten() {
    let mut world = World::running(desk());
    world.crash(11);
    world.exited(SEAT, Exit::Code(1));
    assert_eq!(world.operator(Command::Start), [Action::Launch(SEAT, 13)]);
    assert!(!world.view(SEAT).crash_loop);
}

#[test]
fn a_person_does_not_start_what_must_not_run_now() {
    let mut world = World::new(Spec { while_locked: WhileLocked::Stop, needs_display: true, ..desk() });
    world.sessions.push(Session { locked: true, display: false, ..session(1) });
    world.enumerate();
    assert_eq!(world.operator(Command::Start), []);
    assert_eq!(world.waits(SEAT), Some(WaitReason::Locked));
    world.change(1, |session| session.locked = false);
    assert_eq!(world.operator(Command::Start), []);
    assert_eq!(world.waits(SEAT), Some(WaitReason::NoDisplay));
}

#[test]
fn a_person_restarts_what_runs() {
    let mut world = World::running(desk());
    assert_eq!(world.operator(Command::Restart), [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.operator(Command::Restart), []);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn the_last_word_of_a_person_counts_when_a_stop_is_over() {
    let mut world = World::running(desk());
    world.operator(Command::Stop);
    world.operator(Command::Start);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
    world.launched(SEAT);
    world.operator(Command::Restart);
    world.operator(Command::Stop);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 2)]);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));
}

#[test]
fn a_person_stops_what_starts() {
    let mut world = World::new(desk());
    world.logon(1);
    assert_eq!(world.operator(Command::Stop), []);
    assert_eq!(world.launched(SEAT), [Action::Terminate(SEAT, 1)]);
    world.exited(SEAT, Exit::Signal(15));
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));

    let mut world = World::new(desk());
    world.logon(1);
    world.operator(Command::Stop);
    world.launch_failed(SEAT, FailureKind::NotReady);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));
}

#[test]
fn a_hold_that_was_asked_for_ends_when_the_session_leaves_meanwhile() {
    let mut world = World::running(desk());
    world.operator(Command::Stop);
    world.switch(0);
    world.switch(1);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}
