//! Exit codes mean what the spec says.

use crate::util::*;
use bilayer_core::*;

fn meaning(exit: Exit, meaning: Meaning) -> Spec {
    let mut spec = desk();
    spec.exit_codes.insert(exit, meaning);
    spec
}

#[test]
fn exit_codes_mean_what_the_spec_says() {
    let exits = [Exit::Code(64), Exit::Code(0), Exit::Code(0xC000_0005), Exit::Signal(15), Exit::Unknown];
    for exit in exits {
        let state_after = |m| {
            let mut world = World::running(meaning(exit, m));
            world.exited(SEAT, exit);
            world.state(SEAT)
        };
        assert_eq!(state_after(Meaning::Restart), State::Starting);
        assert_eq!(state_after(Meaning::RestartNow), State::Starting);
        assert_eq!(state_after(Meaning::Hold), State::Held(HoldReason::ExitCode));
        assert_eq!(state_after(Meaning::Release), State::Released);
        let until = Some(at(secs(30)));
        assert_eq!(state_after(Meaning::LoggingOff), State::Waiting { until, why: WaitReason::LoggingOff });
    }
}

#[test]
fn restart_now_has_no_delay_but_a_limit() {
    let mut world = World::running(meaning(Exit::Code(7), Meaning::RestartNow));
    for generation in 2..12 {
        let restart = [Action::Sweep(SEAT, generation - 1), Action::Launch(SEAT, generation)];
        assert_eq!(world.exited(SEAT, Exit::Code(7)), restart);
        world.launched(SEAT);
    }
    world.exited(SEAT, Exit::Code(7));
    assert_eq!(world.waits(SEAT), Some(WaitReason::CrashLoop));
}

#[test]
fn the_goodbye_overrides_the_exit() {
    let spec = meaning(Exit::Code(3), Meaning::Hold);
    let state_after = |goodbye| {
        let mut world = World::connected(spec.clone());
        world.goodbye(SEAT, goodbye);
        world.exited(SEAT, Exit::Code(3));
        world.state(SEAT)
    };
    assert_eq!(state_after(Goodbye::Restart), State::Starting);
    assert_eq!(state_after(Goodbye::Hold), State::Held(HoldReason::Goodbye));
    assert_eq!(state_after(Goodbye::Release), State::Released);
    let until = Some(at(secs(30)));
    assert_eq!(state_after(Goodbye::LoggingOff), State::Waiting { until, why: WaitReason::LoggingOff });
}

#[test]
fn a_goodbye_counts_for_one_exit_only() {
    let mut world = World::connected(desk());
    world.goodbye(SEAT, Goodbye::Restart);
    world.exited(SEAT, Exit::Code(3));
    world.launched(SEAT);
    world.exited(SEAT, Exit::Code(0));
    assert_eq!(world.waits(SEAT), Some(WaitReason::CleanExit));
}

#[test]
fn being_asked_to_stop_overrides_the_goodbye() {
    let mut world = World::connected(desk());
    world.operator(Command::Restart);
    world.goodbye(SEAT, Goodbye::Release);
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn restart_on_failure_releases_what_ends_with_0() {
    let mut spec = desk();
    spec.restart.on = RestartOn::Failure;
    let mut world = World::running(spec);
    world.crash(1);
    world.exited(SEAT, Exit::Code(0));
    assert_eq!(world.state(SEAT), State::Released);
}

#[test]
fn restart_never_releases_whatever_ends() {
    for exit in [Exit::Code(0), Exit::Code(1), Exit::Signal(9), Exit::Unknown, Exit::Code(0xC000_026B)] {
        let mut spec = desk();
        spec.restart.on = RestartOn::Never;
        let mut world = World::running(spec);
        assert_eq!(world.exited(SEAT, exit), [Action::Sweep(SEAT, 1)]);
        assert_eq!(world.state(SEAT), State::Released);
    }
}

#[test]
fn restart_never_releases_an_agent_that_hung() {
    let mut spec = desk();
    spec.restart.on = RestartOn::Never;
    spec.heartbeat = Some(secs(1));
    let mut world = World::connected(spec);
    world.pass(secs(1));
    world.exited(SEAT, Exit::Signal(9));
    assert_eq!(world.state(SEAT), State::Released);
}
