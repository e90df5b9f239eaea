//! Suspend stops nothing: timers stand still until the machine is back.

use crate::util::*;
use bilayer_core::*;

/// Time that passes while timers stand still.
fn sleep(world: &mut World, seconds: u64) {
    assert_eq!(world.core.next_deadline(), None);
    world.now = world.now + secs(seconds);
    assert_eq!(world.handle(Event::Tick), []);
}

#[test]
fn no_timer_fires_between_suspend_and_resume_and_all_move() {
    let mut world = World::connected(Spec { heartbeat: Some(secs(15)), ..desk() });
    world.pass(secs(10));
    assert_eq!(world.handle(Event::Suspend), []);
    sleep(&mut world, 60);
    world.handle(Event::Resume);
    assert_eq!(world.pass(secs(5) - ms(1)), []);
    assert_eq!(world.pass(ms(1)).len(), 1, "five seconds of silence were left");
}

#[test]
fn a_stop_and_a_delay_move_too() {
    let mut world = World::connected(desk());
    world.operator(Command::Stop);
    world.pass(secs(1));
    world.handle(Event::Suspend);
    sleep(&mut world, 60);
    world.handle(Event::Resume);
    assert!(matches!(world.state(SEAT), State::Stopping { deadline, .. } if deadline == at(secs(65))));
    assert_eq!(world.pass(ms(1500)), [Action::Terminate(SEAT, 1)]);

    let mut world = World::running(desk());
    world.handle(Event::Suspend);
    sleep(&mut world, 10);
    world.exited(SEAT, Exit::Code(0));
    sleep(&mut world, 10);
    world.handle(Event::Resume);
    let until = Some(world.now + secs(2));
    assert_eq!(world.state(SEAT), State::Waiting { until, why: WaitReason::CleanExit });
    assert_eq!(world.pass(secs(2)), [Action::Launch(SEAT, 2)]);
}

#[test]
fn a_missing_resume_is_noticed() {
    let mut world = World::running(desk());
    world.exited(SEAT, Exit::Code(0));
    world.handle(Event::Suspend);
    sleep(&mut world, 120);
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.core.next_deadline(), None, "two minutes are not past");
    world.now = world.now + ms(1);
    world.enumerate();
    assert_eq!(world.core.next_deadline(), Some(world.now + secs(2)));
}

#[test]
fn the_end_of_the_service_does_not_wait_for_the_resume() {
    for end in [Event::Stop(StopReason::ServiceStop, secs(20)), Event::ShutdownAnnounced(secs(20))] {
        let mut world = World::running(desk());
        world.handle(Event::Suspend);
        world.handle(end);
        assert_eq!(world.pass(secs(5)), [Action::Kill(SEAT, 1)]);
    }
}

#[test]
fn a_shutdown_called_off_during_a_suspend_stands_still_again() {
    let mut world = World::running(desk());
    world.handle(Event::Suspend);
    world.handle(Event::ShutdownAnnounced(secs(20)));
    world.handle(Event::ShutdownCalledOff);
    assert_eq!(world.core.next_deadline(), None);
    world.handle(Event::Resume);
    assert_eq!(world.pass(secs(5)), [Action::Kill(SEAT, 1)]);
}

#[test]
fn a_crash_during_a_suspend_is_restarted() {
    let mut world = World::running(desk());
    world.handle(Event::Suspend);
    assert_eq!(world.exited(SEAT, Exit::Code(1)).last(), Some(&Action::Launch(SEAT, 2)));
}
