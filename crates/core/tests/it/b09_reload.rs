//! Reload: only instances whose spec changed restart.

use crate::util::*;
use bilayer_core::*;

#[test]
fn a_reload_restarts_only_what_changed() {
    let mut world = World::unsettled(desk());
    world.specs.push((SpecId(1), Spec::new("panel")));
    world.configure();
    world.logon(1);
    let panel = InstanceKey { spec: SpecId(1), ..SEAT };
    world.launched(SEAT);
    world.launched(panel);
    assert_eq!(world.configure(), []);
    assert_eq!(world.reload(|spec| spec.fingerprint = 1), [Action::Terminate(SEAT, 1)]);
    assert!(matches!(world.state(SEAT), State::Stopping { why: StopReason::Reload, .. }));
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
    world.launched(SEAT);
    assert_eq!(world.configure(), []);
    assert_eq!(world.view(panel).generation, 1);
}

#[test]
fn a_spec_that_was_removed_ends_with_its_last_instance() {
    let mut world = World::running(desk());
    world.specs.clear();
    assert_eq!(world.configure(), [Action::Terminate(SEAT, 1)]);
    assert!(world.core.spec(SEAT.spec).is_some());
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1)]);
    assert!(world.core.spec(SEAT.spec).is_none());
    assert_eq!(world.core.instances().count(), 0);
}

#[test]
fn a_spec_that_comes_back_during_the_stop_is_started_again() {
    let mut world = World::running(desk());
    let specs = std::mem::take(&mut world.specs);
    world.configure();
    world.specs = specs;
    assert_eq!(world.configure(), []);
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn a_spec_that_is_added_starts_where_it_is_wanted() {
    let mut world = World::running(desk());
    world.specs.push((SpecId(1), Spec::new("panel")));
    assert_eq!(world.configure(), [Action::Launch(InstanceKey { spec: SpecId(1), ..SEAT }, 1)]);
}

#[test]
fn filters_and_policies_take_effect_at_once() {
    let mut world = World::running(desk());
    assert_eq!(world.reload(|spec| spec.grace = secs(9)), []);
    assert_eq!(world.reload(|spec| spec.users = vec!["nobody".into()]), [Action::Terminate(SEAT, 1)]);
    assert!(matches!(world.state(SEAT), State::Stopping { deadline, .. } if deadline == world.now + secs(9)));
}

#[test]
fn a_changed_program_is_another_program() {
    let mut world = World::running(desk());
    world.crash(11);
    assert!(world.view(SEAT).crash_loop);
    world.exited(SEAT, Exit::Code(1));
    assert_eq!(world.reload(|spec| spec.fingerprint = 1), [world.launch(SEAT)]);
    assert!(!world.view(SEAT).crash_loop);
    world.launched(SEAT);
    assert_eq!(world.exited(SEAT, Exit::Code(1)).len(), 2, "its first restart is immediate");
}

#[test]
fn what_could_not_work_is_tried_again_when_it_changed() {
    let mut world = World::new(desk());
    world.logon(1);
    world.launch_failed(SEAT, FailureKind::Wrong);
    assert_eq!(world.configure(), []);
    assert_eq!(world.reload(|spec| spec.fingerprint = 1), [Action::Launch(SEAT, 2)]);
}

#[test]
fn a_hold_by_limit_ends_when_the_spec_changed_and_one_by_a_person_does_not() {
    let mut spec = desk();
    spec.restart.limit = Limit { count: 1, within: secs(10), then: PastLimit::Hold };
    let mut world = World::running(spec);
    world.crash(1);
    world.exited(SEAT, Exit::Code(1));
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Limit));
    assert_eq!(world.reload(|spec| spec.fingerprint = 1), [Action::Launch(SEAT, 3)]);
    world.launched(SEAT);
    world.operator(Command::Stop);
    world.exited(SEAT, Exit::Code(0));
    assert_eq!(world.reload(|spec| spec.fingerprint = 2), []);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Operator));
}

#[test]
fn a_reload_while_it_starts_restarts_it_when_it_has_started() {
    let mut world = World::new(desk());
    world.logon(1);
    assert_eq!(world.reload(|spec| spec.fingerprint = 1), []);
    assert_eq!(world.launched(SEAT), [Action::Terminate(SEAT, 1)]);
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1), Action::Launch(SEAT, 2)]);
}

#[test]
fn a_reload_that_is_taken_back_while_it_starts_restarts_nothing() {
    let mut world = World::new(desk());
    world.logon(1);
    world.reload(|spec| spec.fingerprint = 1);
    world.reload(|spec| spec.fingerprint = 0);
    assert_eq!(world.launched(SEAT), []);
}
