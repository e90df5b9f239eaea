//! Launch failures are classified.

use std::sync::Arc;

use crate::util::*;
use bilayer_core::*;

fn failed(kind: FailureKind) -> World {
    let mut world = World::new(desk());
    world.logon(1);
    assert_eq!(world.launch_failed(SEAT, kind), []);
    assert_eq!(world.view(SEAT).last_failure, Some(Failure { kind, os_error: 5 }));
    world
}

#[test]
fn launch_failures_that_pass_are_retried_while_the_session_lives() {
    for (kind, why) in [(FailureKind::NotReady, WaitReason::NotReady), (FailureKind::Busy, WaitReason::Busy)]
    {
        let mut world = failed(kind);
        let mut longest = ms(0);
        for _ in 0..30 {
            let State::Waiting { until: Some(until), why: reason } = world.state(SEAT) else {
                panic!("it waits")
            };
            assert_eq!(reason, why);
            let delay = until - world.now;
            assert!(delay >= ms(90) && delay <= secs(60));
            longest = longest.max(delay);
            assert_eq!(world.pass(delay), [world.launch(SEAT)]);
            world.launch_failed(SEAT, kind);
        }
        assert!(longest > secs(50));
        assert!(!world.view(SEAT).crash_loop, "it is not the agent's failure");
        assert_eq!(world.logoff(1), []);
        assert_eq!(world.pass(secs(3600)), []);
    }
}

#[test]
fn a_session_that_becomes_complete_is_not_kept_waiting() {
    let complete = |world: &mut World| {
        let who = Arc::make_mut(&mut world.sessions[0].who);
        who.groups.push("staff".into());
        world.enumerate()
    };
    let mut world = failed(FailureKind::NotReady);
    assert_eq!(world.enumerate(), [], "nothing new");
    assert_eq!(complete(&mut world), [world.launch(SEAT)]);
    let mut world = failed(FailureKind::NotReady);
    world.sessions[0].locked = true;
    assert_eq!(complete(&mut world), [world.launch(SEAT)], "also if it was locked meanwhile");
    let mut world = failed(FailureKind::Busy);
    assert_eq!(complete(&mut world), [], "this waits for something else");
}

#[test]
fn a_launch_that_succeeds_at_last_starts_the_delays_over() {
    let mut world = failed(FailureKind::NotReady);
    world.pass(secs(1));
    world.launched(SEAT);
    assert_eq!(world.view(SEAT).last_failure, None);
    assert_eq!(
        world.exited(SEAT, Exit::Code(1)).last(),
        Some(&world.launch(SEAT)),
        "a first crash restarts at once"
    );
}

#[test]
fn a_session_that_is_gone_is_not_tried_again() {
    let mut world = failed(FailureKind::Gone);
    assert_eq!(world.state(SEAT), State::Waiting { until: None, why: WaitReason::SessionGone });
    assert_eq!(world.pass(secs(29)), []);
    assert_eq!(world.logoff(1), []);
    assert_eq!(world.pass(secs(3600)), []);
}

#[test]
fn a_session_that_was_called_gone_and_stays_is_tried_again() {
    let mut world = failed(FailureKind::Gone);
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.pass(secs(30)), [Action::Launch(SEAT, 2)]);
}

#[test]
fn what_can_never_work_is_held() {
    let mut world = failed(FailureKind::Wrong);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::LaunchFailed));
    assert_eq!(world.pass(secs(3600)), []);
    assert_eq!(world.operator(Command::Start), [Action::Launch(SEAT, 2)]);
}

#[test]
fn a_launch_that_fails_after_its_session_left_is_the_end() {
    let mut world = World::new(desk());
    world.logon(1);
    assert_eq!(world.logoff(1), []);
    assert_eq!(world.state(SEAT), State::Starting);
    world.launch_failed(SEAT, FailureKind::Wrong);
    assert_eq!(world.core.instance(SEAT), None);
}
