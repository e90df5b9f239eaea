//! Switching users: stop, kill after the grace, and only then the new one; never two for one session.

use crate::util::*;
use bilayer_core::*;

/// User 1 has a running agent and user 2 logs on over it.
fn switched(spec: Spec) -> World {
    let mut world = World::running(spec);
    world.sessions.push(session(2));
    assert_eq!(world.switch(2).first(), Some(&Action::Terminate(SEAT, 1)));
    world
}

#[test]
fn switching_users_starts_the_new_agent_when_the_old_one_has_ended() {
    let mut world = switched(desk());
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover));
    assert_eq!(world.pass(secs(5)), [Action::Kill(SEAT, 1)], "killed after its grace");
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover), "and still not confirmed");
    assert_eq!(world.exited(SEAT, Exit::Signal(9)), [Action::Sweep(SEAT, 1), Action::Launch(OTHER, 1)]);
    assert_eq!(world.core.instance(SEAT), None);
}

#[test]
fn switching_back_during_the_stop_starts_it_again_and_never_twice() {
    let mut world = switched(desk());
    assert_eq!(world.switch(1), []);
    assert_eq!(world.core.instance(OTHER), None);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn switching_back_while_the_new_agent_starts() {
    let mut world = switched(desk());
    world.exited(SEAT, Exit::Signal(15));
    assert_eq!(world.state(OTHER), State::Starting);
    assert_eq!(world.switch(1), []);
    assert_eq!(world.waits(SEAT), Some(WaitReason::Handover));
    assert_eq!(world.launched(OTHER), [Action::Terminate(OTHER, 1)]);
    assert_eq!(world.exited(OTHER, Exit::Code(0)), [Action::Sweep(OTHER, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn two_sessions_that_both_claim_the_console_are_served_one_after_the_other() {
    let mut world = World::running(desk());
    assert_eq!(world.logon(2), []);
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover));
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
    world.launched(SEAT);
    world.logoff(1);
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 2), Action::Launch(OTHER, 1)]);
}

#[test]
fn specs_that_serve_every_session_do_not_wait_for_one_another() {
    let mut spec = desk();
    spec.serve = Serve::All;
    let mut world = World::running(spec);
    assert_eq!(world.logon(2), [Action::Launch(OTHER, 1)]);
    assert_eq!(world.switch(2), []);
    assert!(world.is_running(SEAT));
}

#[test]
fn nobody_waits_for_an_agent_that_is_kept() {
    let mut spec = desk();
    spec.on_leave = OnLeave::Keep;
    let mut world = World::running(spec);
    world.sessions.push(session(2));
    assert_eq!(world.switch(2), [Action::Launch(OTHER, 1)]);
    assert!(world.is_running(SEAT));
}

#[test]
fn a_launch_that_fails_hands_over_too() {
    let mut world = World::new(desk());
    world.logon(1);
    world.sessions.push(session(2));
    world.switch(2);
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover));
    assert_eq!(world.launch_failed(SEAT, FailureKind::Busy), [Action::Launch(OTHER, 1)]);
}

#[test]
fn generations_go_on_when_the_user_comes_back() {
    let mut world = switched(desk());
    world.exited(SEAT, Exit::Signal(15));
    world.launched(OTHER);
    world.switch(1);
    assert_eq!(world.exited(OTHER, Exit::Signal(15)), [Action::Sweep(OTHER, 1), Action::Launch(SEAT, 2)]);
    assert_eq!(
        world.handle(Event::Exited(SEAT, 1, Exit::Code(1))),
        [],
        "an old event is no event of the new one"
    );
    assert_eq!(world.state(SEAT), State::Starting);
}

#[test]
fn a_reload_that_makes_a_spec_exclusive_lets_nothing_start_too_early() {
    let mut spec = desk();
    spec.serve = Serve::All;
    spec.users = vec!["user1".into()];
    let mut world = World::running(spec);
    world.sessions.push(session(2));
    world.switch(2);
    let actions = world.reload(|spec| {
        spec.serve = Serve::Console;
        spec.users.clear();
    });
    assert_eq!(actions, [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover));
    assert_eq!(world.reload(|spec| spec.serve = Serve::All), [Action::Launch(OTHER, 1)]);
}

#[test]
fn nothing_is_handed_over_to_a_session_that_left_at_the_same_moment() {
    let mut world = World::running(Spec { on_leave: OnLeave::Keep, ..desk() });
    world.logon(2);
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover));
    world.sessions = vec![Session { state: SessionState::Inactive, ..session(1) }];
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.core.instance(OTHER), None);
}
