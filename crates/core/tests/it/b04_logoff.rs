//! Logoff: stop, no restart; an exit that means logging off is not restarted unless no logoff follows.

use crate::util::*;
use bilayer_core::*;

#[test]
fn a_logoff_stops_the_agent_for_good() {
    let mut world = World::connected(desk());
    let deadline = world.now + secs(5);
    let ask = Action::AskToStop { instance: SEAT, generation: 1, reason: StopReason::Logoff, deadline };
    assert_eq!(world.logoff(1), [ask]);
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1)]);
    assert_eq!(world.core.instance(SEAT), None);
    assert_eq!(world.pass(secs(3600)), []);
}

#[test]
fn a_closing_session_is_a_logoff_before_it_vanishes() {
    let mut world = World::running(desk());
    assert_eq!(
        world.change(1, |session| session.state = SessionState::Closing),
        [Action::Terminate(SEAT, 1)]
    );
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::Logoff, .. }));
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 1)], "a crash now is no failure");
    assert_eq!(world.core.instance(SEAT), None);
}

#[test]
fn an_exit_for_a_logoff_is_restarted_only_if_none_follows() {
    for code in [0x4001_0004, 0xC000_026B, 0xC000_0142] {
        let mut world = World::running(desk());
        assert_eq!(world.exited(SEAT, Exit::Code(code)), [Action::Sweep(SEAT, 1)]);
        let until = Some(world.now + secs(30));
        assert_eq!(world.state(SEAT), State::Waiting { until, why: WaitReason::LoggingOff });
        assert_eq!(world.pass(secs(30)), [Action::Launch(SEAT, 2)]);

        let mut world = World::running(desk());
        world.exited(SEAT, Exit::Code(code));
        world.pass(secs(29));
        world.logoff(1);
        assert_eq!(world.pass(secs(3600)), []);
    }
}

#[test]
fn the_last_word_about_an_instance_is_that_it_changed() {
    let mut world = World::running(desk());
    world.logoff(1);
    world.core.handle(world.now, Event::Exited(SEAT, 1, Exit::Code(0)));
    assert_eq!(world.core.poll_action(), Some(Action::Sweep(SEAT, 1)));
    assert_eq!(world.core.poll_action(), Some(Action::Changed(SEAT)));
    assert_eq!(world.core.poll_action(), None);
    assert_eq!(world.core.instance(SEAT), None);
}

#[test]
fn a_logon_that_uses_a_session_id_again_is_another_one() {
    let mut world = World::running(desk());
    world.sessions = vec![Session { logon: Logon(2), ..session(1) }];
    assert_eq!(world.enumerate(), [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.waits(OTHER), Some(WaitReason::Handover));
}
