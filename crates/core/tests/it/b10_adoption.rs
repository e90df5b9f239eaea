//! Adoption: processes of an earlier life of the service are taken over and never doubled.

use crate::util::*;
use bilayer_core::*;

const ADOPTED: Event = Event::Adopted { instance: SEAT, generation: 4, fingerprint: 0 };

/// The service comes up with a process of its earlier life, in session 1.
fn adopted(session_lives: bool, change: impl FnOnce(&mut World)) -> (World, Vec<Action>) {
    let mut world = World::unsettled(desk());
    change(&mut world);
    world.configure();
    world.handle(ADOPTED);
    assert!(world.is_running(SEAT));
    assert!(world.view(SEAT).adopted);
    let actions = if session_lives { world.logon(1) } else { world.enumerate() };
    (world, actions)
}

#[test]
fn an_adopted_agent_is_never_doubled() {
    let (mut world, actions) = adopted(true, |_| {});
    assert_eq!(actions, []);
    assert_eq!(world.pass(secs(3600)), []);
    assert_eq!(
        world.exited(SEAT, Exit::Unknown),
        [Action::Sweep(SEAT, 4), Action::Launch(SEAT, 5)],
        "unknown is a crash, and generations go on"
    );
    assert!(!world.view(SEAT).adopted);
}

#[test]
fn an_adopted_agent_whose_user_left_is_stopped() {
    let (mut world, actions) = adopted(false, |_| {});
    assert_eq!(actions, [Action::Terminate(SEAT, 4)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::Logoff, .. }));
    assert_eq!(world.exited(SEAT, Exit::Unknown), [Action::Sweep(SEAT, 4)]);
    assert_eq!(world.core.instance(SEAT), None);
}

#[test]
fn an_adopted_agent_of_another_configuration_is_restarted() {
    let (mut world, actions) = adopted(true, |world| world.specs[0].1.fingerprint = 1);
    assert_eq!(actions, [Action::Terminate(SEAT, 4)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::Reload, .. }));
    assert_eq!(world.exited(SEAT, Exit::Unknown), [Action::Sweep(SEAT, 4), Action::Launch(SEAT, 5)]);
}

#[test]
fn an_adopted_agent_that_is_configured_no_more_is_stopped() {
    let (world, actions) = adopted(true, |world| world.specs.clear());
    assert_eq!(actions, [Action::Terminate(SEAT, 4)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::Reload, .. }));
}

#[test]
fn the_configuration_may_come_after_the_adoption() {
    let mut world = World::unsettled(desk());
    world.handle(ADOPTED);
    world.sessions.push(session(1));
    assert_eq!(world.enumerate(), [], "nothing is judged before both are known");
    assert_eq!(world.configure(), []);
    assert!(world.is_running(SEAT));
}

#[test]
fn an_adopted_agent_that_ends_before_the_sessions_are_known_waits_for_them() {
    let mut world = World::unsettled(desk());
    world.configure();
    world.handle(ADOPTED);
    assert_eq!(world.exited(SEAT, Exit::Unknown), [Action::Sweep(SEAT, 4)]);
    assert_eq!(world.waits(SEAT), Some(WaitReason::Settling));
    assert_eq!(world.logon(1), [Action::Launch(SEAT, 5)]);

    let mut world = World::unsettled(desk());
    world.configure();
    world.handle(ADOPTED);
    world.exited(SEAT, Exit::Unknown);
    world.sessions.push(Session { state: SessionState::Closing, ..session(1) });
    assert_eq!(world.enumerate(), [], "in a closing session it is no crash");
    assert_eq!(world.core.instance(SEAT), None);
}

#[test]
fn a_goodbye_explains_an_unknown_exit() {
    let (mut world, _) = adopted(true, |_| {});
    world.handle(Event::Connected(SEAT, 4));
    world.goodbye(SEAT, Goodbye::Release);
    assert_eq!(world.exited(SEAT, Exit::Unknown), [Action::Sweep(SEAT, 4)]);
    assert_eq!(world.state(SEAT), State::Released);
}

#[test]
fn nothing_is_adopted_once_the_sessions_are_known() {
    let mut world = World::new(desk());
    world.handle(ADOPTED);
    assert_eq!(world.core.instances().count(), 0);
    world.logon(1);
    world.handle(ADOPTED);
    assert_eq!(world.state(SEAT), State::Starting);
}

#[test]
fn readiness_is_not_asked_of_an_adopted_agent() {
    let (mut world, _) = adopted(true, |world| world.specs[0].1.ready_within = Some(secs(1)));
    assert_eq!(world.pass(secs(60)), []);
}

#[test]
fn adopted_agents_are_stopped_or_let_go_of_like_others() {
    let mut world = World::unsettled(desk());
    world.configure();
    world.handle(ADOPTED);
    let stop = Event::Stop(StopReason::ServiceStop, secs(20));
    assert_eq!(world.handle(stop.clone()).first(), Some(&Action::Terminate(SEAT, 4)));

    let mut world = World::unsettled(desk());
    world.on_service_stop = OnServiceStop::Keep;
    world.configure();
    world.handle(ADOPTED);
    assert_eq!(world.handle(stop), [Action::Abandon(SEAT, 4), Action::Finished]);
}
