//! Service stop and shutdown: no restarts, all stop side by side within the time that is left, progress is told, and a
//! shutdown that is called off restores the desired state.

use crate::util::*;
use bilayer_core::*;

const STOP: Event = Event::Stop(StopReason::ServiceStop, secs(20));

fn everywhere() -> Spec {
    Spec { serve: Serve::All, ..desk() }
}

fn two_running() -> World {
    let mut world = World::running(everywhere());
    world.logon(2);
    world.launched(OTHER);
    world
}

#[test]
fn a_service_stop_stops_all_side_by_side_and_restarts_none() {
    let mut world = two_running();
    let deadline = world.now + secs(5);
    assert_eq!(
        world.handle(STOP),
        [
            Action::Terminate(SEAT, 1),
            Action::Terminate(OTHER, 1),
            Action::Progress { remaining: 2, deadline }
        ]
    );
    assert_eq!(
        world.exited(OTHER, Exit::Code(1)),
        [Action::Sweep(OTHER, 1), Action::Progress { remaining: 1, deadline }]
    );
    assert_eq!(world.waits(OTHER), Some(WaitReason::ServiceStop));
    assert_eq!(world.pass(secs(5)), [Action::Kill(SEAT, 1)]);
    assert_eq!(
        world.exited(SEAT, Exit::Signal(9)),
        [Action::Sweep(SEAT, 1), Action::Progress { remaining: 0, deadline }, Action::Finished]
    );
    assert_eq!(world.pass(secs(3600)), []);
}

#[test]
fn a_grace_is_cut_to_what_the_service_manager_leaves() {
    let mut world = World::running(Spec { grace: secs(60), ..desk() });
    world.handle(STOP);
    assert_eq!(world.pass(secs(20)), [Action::Kill(SEAT, 1)]);
}

#[test]
fn a_stop_under_way_is_shortened_and_never_lengthened() {
    let mut world = World::connected(Spec { grace: secs(60), ..desk() });
    world.operator(Command::Stop);
    world.pass(secs(1));
    let deadline = world.now + secs(20);
    assert_eq!(world.handle(STOP), [Action::Progress { remaining: 1, deadline }]);
    let stopping = State::Stopping { stage: Stage::Asked, deadline, why: StopReason::ServiceStop };
    assert_eq!(world.state(SEAT), stopping);
    assert_eq!(world.handle(Event::Stop(StopReason::ServiceStop, secs(100))), []);
    assert_eq!(world.state(SEAT), stopping);
    assert_eq!(world.pass(secs(20)), [Action::Terminate(SEAT, 1), Action::Kill(SEAT, 1)]);
}

#[test]
fn with_nothing_to_stop_it_finishes_at_once_and_once() {
    let mut world = World::new(desk());
    assert_eq!(world.handle(STOP), [Action::Finished]);
    assert_eq!(world.handle(STOP), []);
    assert_eq!(world.logon(1), []);
    assert_eq!(world.core.instances().count(), 0);
}

#[test]
fn a_launch_under_way_is_waited_for_and_stopped() {
    let mut world = World::new(desk());
    world.logon(1);
    let deadline = world.now + secs(20);
    assert_eq!(world.handle(STOP), [Action::Progress { remaining: 1, deadline }]);
    assert_eq!(world.launched(SEAT), [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.exited(SEAT, Exit::Code(0)).last(), Some(&Action::Finished));

    let mut world = World::new(desk());
    world.logon(1);
    world.handle(STOP);
    assert_eq!(world.launch_failed(SEAT, FailureKind::NotReady).last(), Some(&Action::Finished));
}

#[test]
fn the_service_stop_is_final() {
    let mut world = World::running(desk());
    world.handle(STOP);
    world.handle(Event::ShutdownCalledOff);
    world.operator(Command::Start);
    world.reload(|spec| spec.fingerprint = 1);
    assert_eq!(world.exited(SEAT, Exit::Code(0)).last(), Some(&Action::Finished));
    assert_eq!(world.operator(Command::Start), []);
    assert_eq!(world.waits(SEAT), Some(WaitReason::ServiceStop));
}

#[test]
fn a_shutdown_that_is_called_off_restores_the_desired_state() {
    let mut world = two_running();
    world.handle(Event::ShutdownAnnounced(secs(3)));
    assert!(
        matches!(world.state(SEAT), State::Stopping { why: StopReason::Shutdown, deadline, .. } if deadline == at(secs(3)))
    );
    world.exited(SEAT, Exit::Code(0));
    assert_eq!(world.waits(SEAT), Some(WaitReason::Shutdown));
    assert_eq!(world.logon(3), [], "a logon during a shutdown starts nothing");
    let third = InstanceKey { logon: Logon(3), ..SEAT };
    assert_eq!(world.handle(Event::ShutdownCalledOff), [Action::Launch(SEAT, 2), Action::Launch(third, 1)]);
    assert_eq!(
        world.exited(OTHER, Exit::Code(0)),
        [Action::Sweep(OTHER, 1), Action::Launch(OTHER, 2)],
        "the one that was still stopping comes back after its exit"
    );
}

#[test]
fn a_delay_lives_through_a_shutdown_that_is_called_off() {
    let mut world = World::running(desk());
    world.crash(7);
    world.exited(SEAT, Exit::Code(1));
    let waiting = world.state(SEAT);
    world.handle(Event::ShutdownAnnounced(secs(3)));
    assert_eq!(world.waits(SEAT), Some(WaitReason::Shutdown));
    world.handle(Event::ShutdownCalledOff);
    assert_eq!(world.state(SEAT), waiting);
}

#[test]
fn a_shutdown_reports_progress_and_does_not_finish() {
    let mut world = World::running(desk());
    let deadline = world.now + secs(3);
    let first = world.handle(Event::ShutdownAnnounced(secs(3)));
    assert_eq!(first.last(), Some(&Action::Progress { remaining: 1, deadline }));
    let last = world.exited(SEAT, Exit::Code(0));
    assert_eq!(last.last(), Some(&Action::Progress { remaining: 0, deadline }));
    assert_eq!(world.handle(STOP), [Action::Finished], "only the service's own stop ends it");
}

#[test]
fn agents_that_are_kept_are_let_go_of() {
    let mut world = World::unsettled(everywhere());
    world.on_service_stop = OnServiceStop::Keep;
    world.configure();
    for logon in 1..=3 {
        world.logon(logon);
    }
    let third = InstanceKey { logon: Logon(3), ..SEAT };
    world.launched(SEAT);
    world.launched(third);
    world.operator(Command::Stop);
    let deadline = world.now + secs(20);
    assert_eq!(world.handle(STOP), [Action::Abandon(third, 1), Action::Progress { remaining: 2, deadline }]);
    let actions = world.launched(OTHER);
    assert_eq!(actions, [Action::Abandon(OTHER, 1), Action::Progress { remaining: 1, deadline }]);
    assert_eq!(world.pass(secs(5)), [Action::Kill(SEAT, 1)], "a stop under way goes on");
    assert_eq!(world.exited(SEAT, Exit::Signal(9)).last(), Some(&Action::Finished));
}

#[test]
fn a_shutdown_stops_even_those_that_are_kept() {
    let mut world = World::unsettled(desk());
    world.on_service_stop = OnServiceStop::Keep;
    world.configure();
    world.logon(1);
    world.launched(SEAT);
    let stop = Event::Stop(StopReason::Shutdown, secs(20));
    assert_eq!(world.handle(stop).first(), Some(&Action::Terminate(SEAT, 1)));
}

#[test]
fn what_a_shutdown_stops_is_not_kept_by_a_later_service_stop() {
    let mut world = World::unsettled(desk());
    world.on_service_stop = OnServiceStop::Keep;
    world.configure();
    world.logon(1);
    world.handle(STOP);
    world.handle(Event::ShutdownAnnounced(secs(9)));
    world.handle(STOP);
    assert_eq!(world.launched(SEAT), [Action::Terminate(SEAT, 1)]);
}
