//! No user, no agent. A logon starts it; nothing else does.

use crate::util::*;
use bilayer_core::*;

#[test]
fn a_logon_starts_the_agent_and_nothing_else_does() {
    let mut world = World::unsettled(desk());
    assert_eq!(world.configure(), []);
    assert_eq!(world.enumerate(), []);
    assert_eq!(world.pass(secs(3600)), []);
    assert_eq!(world.operator(Command::Start), []);
    assert_eq!(world.core.instances().count(), 0);

    assert_eq!(world.logon(1), [Action::Launch(SEAT, 1)]);
    assert_eq!(world.state(SEAT), State::Starting);
    world.launched(SEAT);
    assert_eq!(world.state(SEAT), State::Running { since: world.now, ready: None });
}

#[test]
fn a_whole_life() {
    let mut world = World::running(desk());
    assert_eq!(world.exited(SEAT, Exit::Signal(9)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
    world.launched(SEAT);
    assert_eq!(world.view(SEAT).restarts, 1);
    assert_eq!(world.logoff(1), [Action::Terminate(SEAT, 2)]);
    assert_eq!(world.exited(SEAT, Exit::Signal(15)), [Action::Sweep(SEAT, 2)]);
    assert_eq!(world.core.instance(SEAT), None);
    assert_eq!(world.core.next_deadline(), None);
}
