//! Hang: no heartbeat in time, or not ready in time → stop and restart.

use crate::util::*;
use bilayer_core::*;

fn beating() -> Spec {
    Spec { heartbeat: Some(secs(15)), ..desk() }
}

#[test]
fn an_agent_that_hangs_is_stopped_and_restarted() {
    let mut world = World::connected(beating());
    for _ in 0..4 {
        world.pass(secs(14));
        world.handle(Event::Heartbeat(SEAT, 1));
    }
    assert_eq!(world.pass(secs(15) - ms(1)), []);
    let deadline = at(secs(4 * 14 + 15 + 5));
    let ask = Action::AskToStop { instance: SEAT, generation: 1, reason: StopReason::Hang, deadline };
    assert_eq!(world.pass(ms(1)), [ask]);
    assert_eq!(world.pass(secs(5)), [Action::Terminate(SEAT, 1), Action::Kill(SEAT, 1)]);
    assert_eq!(world.exited(SEAT, Exit::Signal(9)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn a_hang_counts_as_a_failure_with_a_delay() {
    let mut world = World::connected(beating());
    for _ in 0..2 {
        world.pass(secs(15));
        world.exited(SEAT, Exit::Signal(9));
        if world.state(SEAT) == State::Starting {
            world.launched(SEAT);
            world.handle(Event::Connected(SEAT, 2));
        }
    }
    assert_eq!(world.waits(SEAT), Some(WaitReason::BackOff));
}

#[test]
fn silence_counts_from_the_handshake_and_a_lost_connection_is_no_excuse() {
    let mut world = World::running(beating());
    assert_eq!(world.pass(secs(3600)), [], "it has not said that it speaks at all");
    world.handle(Event::Connected(SEAT, 1));
    world.pass(secs(10));
    world.handle(Event::Disconnected(SEAT, 1));
    assert_eq!(world.pass(secs(5)), [Action::Terminate(SEAT, 1)]);
}

#[test]
fn a_new_handshake_renews_the_time() {
    let mut world = World::connected(beating());
    world.pass(secs(10));
    world.handle(Event::Disconnected(SEAT, 1));
    world.handle(Event::Connected(SEAT, 1));
    assert_eq!(world.pass(secs(14)), []);
    assert!(world.is_running(SEAT));
}

#[test]
fn an_agent_that_is_not_ready_in_time_is_stopped_and_restarted() {
    let spec = Spec { ready_within: Some(secs(10)), ..desk() };
    let mut world = World::running(spec);
    assert_eq!(world.state(SEAT), State::Running { since: world.now, ready: Some(false) });
    assert_eq!(world.pass(secs(10) - ms(1)), []);
    assert_eq!(world.pass(ms(1)), [Action::Terminate(SEAT, 1)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::NotReady, .. }));
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn an_agent_that_is_ready_in_time_is_left_alone() {
    let mut world = World::connected(Spec { ready_within: Some(secs(10)), ..desk() });
    world.handle(Event::Ready(SEAT, 1));
    assert_eq!(world.state(SEAT), State::Running { since: world.now, ready: Some(true) });
    assert_eq!(world.pass(secs(3600)), []);
}

#[test]
fn an_agent_that_is_ready_before_its_launch_is_answered() {
    let mut world = World::new(Spec { ready_within: Some(secs(10)), ..beating() });
    world.logon(1);
    world.handle(Event::Connected(SEAT, 1));
    world.handle(Event::Ready(SEAT, 1));
    world.launched(SEAT);
    assert_eq!(world.state(SEAT), State::Running { since: world.now, ready: Some(true) });
    assert!(world.view(SEAT).connected);
    assert!(!world.pass(secs(15)).is_empty(), "and the heartbeat counts from its handshake");
}

#[test]
fn a_reload_can_take_the_heartbeat_back() {
    let mut world = World::connected(beating());
    assert_eq!(world.reload(|spec| spec.heartbeat = None), []);
    assert_eq!(world.pass(secs(3600)), []);
}

#[test]
fn a_reload_does_not_ask_for_heartbeats_that_were_not_agreed_on() {
    let mut world = World::connected(desk());
    world.reload(|spec| spec.heartbeat = Some(secs(15)));
    assert_eq!(world.pass(secs(3600)), []);
}
