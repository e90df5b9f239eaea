//! An instance ends with its root process; what that leaves behind is killed or left alone.

use crate::util::*;
use bilayer_core::*;

#[test]
fn what_the_root_process_leaves_behind_is_killed_before_a_new_launch() {
    let mut world = World::running(desk());
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn what_the_root_process_leaves_behind_is_left_alone_where_the_spec_says_so() {
    let mut world = World::running(Spec { survivors: Survivors::Leave, ..desk() });
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::LeaveSurvivors(SEAT, 1), Action::Launch(SEAT, 2)]);
    world.launched(SEAT);
    world.logoff(1);
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::LeaveSurvivors(SEAT, 2)]);
}

#[test]
fn an_exit_before_the_launch_is_answered_is_an_exit() {
    let mut world = World::new(desk());
    world.logon(1);
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
    assert_eq!(world.handle(Event::Launched(SEAT, 1)), [], "the late answer is an old one");
    assert_eq!(world.state(SEAT), State::Starting);
}
