//! The ladder from a polite request to a kill.

use crate::util::*;
use bilayer_core::*;

#[test]
fn a_connected_agent_is_asked_then_terminated_then_killed() {
    let mut world = World::connected(Spec { grace: secs(10), ..desk() });
    let deadline = world.now + secs(10);
    let ask = Action::AskToStop { instance: SEAT, generation: 1, reason: StopReason::Operator, deadline };
    assert_eq!(world.operator(Command::Stop), [ask]);
    assert_eq!(world.pass(secs(5) - ms(1)), []);
    assert_eq!(world.pass(ms(1)), [Action::Terminate(SEAT, 1)]);
    let why = StopReason::Operator;
    assert_eq!(world.state(SEAT), State::Stopping { stage: Stage::Terminated, deadline, why });
    assert_eq!(world.pass(secs(5) - ms(1)), []);
    assert_eq!(world.pass(ms(1)), [Action::Kill(SEAT, 1)]);
    assert_eq!(world.state(SEAT), State::Stopping { stage: Stage::Killed, deadline, why });
}

#[test]
fn one_that_is_not_connected_is_terminated_at_once() {
    let mut world = World::running(desk());
    assert_eq!(world.operator(Command::Stop), [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.pass(secs(5)), [Action::Kill(SEAT, 1)]);
}

#[test]
fn a_kill_is_repeated_until_the_exit_is_known() {
    let mut world = World::running(desk());
    world.operator(Command::Stop);
    world.pass(secs(5));
    assert_eq!(world.pass(secs(3)), [Action::Kill(SEAT, 1); 3]);
    world.exited(SEAT, Exit::Signal(9));
    assert_eq!(world.pass(secs(60)), []);
}

#[test]
fn without_a_grace_it_is_killed_at_once() {
    let mut world = World::connected(Spec { grace: ms(0), ..desk() });
    assert_eq!(world.operator(Command::Stop), [Action::Kill(SEAT, 1)]);
}

#[test]
fn a_late_look_at_the_clock_kills_without_asking_again() {
    let mut world = World::connected(desk());
    world.operator(Command::Stop);
    world.now = world.now + secs(60);
    assert_eq!(world.handle(Event::Tick), [Action::Kill(SEAT, 1)]);
}

#[test]
fn an_agent_that_connects_during_its_stop_is_asked_too_once() {
    let mut world = World::running(desk());
    let deadline = world.now + secs(5);
    world.operator(Command::Stop);
    let ask = Action::AskToStop { instance: SEAT, generation: 1, reason: StopReason::Operator, deadline };
    assert_eq!(world.handle(Event::Connected(SEAT, 1)), [ask]);
    assert_eq!(world.handle(Event::Disconnected(SEAT, 1)), []);
    assert_eq!(world.handle(Event::Connected(SEAT, 1)), []);
}
