//! Crash → restart: at once, then with growing delays, slow or held past the limit, and afresh once healthy.

use std::time::Duration;

use crate::util::*;
use bilayer_core::*;

/// Crashes the agent and says how long it waits, then lets it start.
fn delay_after_crash(world: &mut World) -> Duration {
    world.exited(SEAT, Exit::Code(1));
    let delay = match world.state(SEAT) {
        State::Waiting { until, .. } => until.unwrap() - world.now,
        _ => Duration::ZERO,
    };
    world.pass(delay);
    world.launched(SEAT);
    delay
}

fn is_around(delay: Duration, middle: Duration) -> bool {
    delay >= middle * 9 / 10 && delay <= middle * 11 / 10
}

#[test]
fn a_crash_is_followed_by_a_restart_with_growing_delays() {
    let mut spec = desk();
    spec.restart.limit.count = 1000;
    let mut world = World::running(spec);
    assert_eq!(delay_after_crash(&mut world), Duration::ZERO, "the first restart is immediate");
    for doublings in 0..=9 {
        let delay = delay_after_crash(&mut world);
        assert!(is_around(delay, ms(100 << doublings)), "{delay:?}");
    }
    for _ in 0..5 {
        let delay = delay_after_crash(&mut world);
        assert!(delay <= secs(60) && is_around(delay, secs(60)), "{delay:?}: never past the maximum");
    }
    assert!(!world.view(SEAT).crash_loop);
    assert_eq!(world.view(SEAT).restarts, 16);
}

#[test]
fn delays_are_spread_and_the_seed_decides_how() {
    let delays = |seed| {
        let mut world = World::unsettled(desk());
        world.core = Supervisor::new(seed);
        world.configure();
        world.logon(1);
        world.launched(SEAT);
        (0..8).map(|_| delay_after_crash(&mut world)).collect::<Vec<_>>()
    };
    assert_eq!(delays(1), delays(1));
    assert_ne!(delays(1), delays(2));
}

#[test]
fn an_agent_that_was_healthy_starts_its_delays_over() {
    let mut world = World::running(desk());
    world.crash(5);
    world.pass(secs(60) - ms(1));
    assert!(delay_after_crash(&mut world) > Duration::ZERO);
    world.pass(secs(60));
    assert_eq!(delay_after_crash(&mut world), Duration::ZERO);
    assert!(is_around(delay_after_crash(&mut world), ms(100)));
}

#[test]
fn past_the_limit_it_is_tried_slowly_until_it_is_healthy() {
    let mut world = World::running(desk());
    world.crash(10);
    assert!(!world.view(SEAT).crash_loop, "ten failures are allowed");
    for _ in 0..10 {
        let delay = delay_after_crash(&mut world);
        assert!(world.view(SEAT).crash_loop);
        assert!(delay <= secs(60) && is_around(delay, secs(60)));
    }
    world.pass(secs(60) - ms(1));
    assert!(world.view(SEAT).crash_loop);
    world.pass(ms(1));
    assert!(!world.view(SEAT).crash_loop, "healthy again, and it is said without another event");
    assert_eq!(world.core.next_deadline(), None);
}

#[test]
fn a_crash_loop_says_so() {
    let mut world = World::running(desk());
    world.crash(10);
    world.exited(SEAT, Exit::Code(1));
    assert_eq!(world.waits(SEAT), Some(WaitReason::CrashLoop));
}

#[test]
fn past_the_limit_it_is_held_where_the_spec_says_so() {
    let mut spec = desk();
    spec.restart.limit = Limit { count: 3, within: secs(10), then: PastLimit::Hold };
    let mut world = World::running(spec);
    world.crash(3);
    assert_eq!(world.exited(SEAT, Exit::Code(1)), [Action::Sweep(SEAT, 4)]);
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Limit));
    assert!(world.view(SEAT).crash_loop);
    assert_eq!(world.pass(secs(3600)), []);
    assert_eq!(world.operator(Command::Start), [Action::Launch(SEAT, 5)]);
    assert!(!world.view(SEAT).crash_loop);
    world.launched(SEAT);
    world.crash(3);
}

#[test]
fn failures_that_lie_apart_never_reach_the_limit() {
    let mut spec = desk();
    spec.restart.limit = Limit { count: 2, within: secs(10), then: PastLimit::Hold };
    let mut world = World::running(spec);
    for _ in 0..20 {
        world.pass(secs(6));
        world.crash(1);
    }
    assert!(world.is_running(SEAT));
}

#[test]
fn a_clean_exit_waits_for_a_logoff_first() {
    let mut world = World::running(desk());
    assert_eq!(world.exited(SEAT, Exit::Code(0)), [Action::Sweep(SEAT, 1)]);
    let until = Some(world.now + secs(2));
    assert_eq!(world.state(SEAT), State::Waiting { until, why: WaitReason::CleanExit });
    assert_eq!(world.pass(ms(1999)), []);
    assert_eq!(world.pass(ms(1)), [Action::Launch(SEAT, 2)]);
}

#[test]
fn a_clean_exit_followed_by_a_logoff_is_the_end() {
    let mut world = World::running(desk());
    world.exited(SEAT, Exit::Code(0));
    world.pass(secs(1));
    assert_eq!(world.logoff(1), []);
    assert_eq!(world.pass(secs(3600)), []);
    assert_eq!(world.core.instance(SEAT), None);
}

#[test]
fn clean_exits_again_and_again_are_failures_but_the_first() {
    let mut spec = desk();
    spec.restart.limit = Limit { count: 5, within: secs(120), then: PastLimit::Slow };
    let mut world = World::running(spec);
    let mut delays = Vec::new();
    for _ in 0..7 {
        world.exited(SEAT, Exit::Code(0));
        let State::Waiting { until: Some(until), .. } = world.state(SEAT) else {
            panic!("a clean exit waits")
        };
        delays.push(until - world.now);
        world.pass(until - world.now);
        world.launched(SEAT);
    }
    assert_eq!(delays[..6], [secs(2); 6], "never sooner than two seconds");
    assert!(world.view(SEAT).crash_loop, "six of seven were counted, and five are allowed");
    assert!(delays[6] > secs(50));
}

#[test]
fn one_clean_exit_does_not_delay_the_restart_after_a_crash() {
    let mut world = World::running(desk());
    world.exited(SEAT, Exit::Code(0));
    world.pass(secs(2));
    world.launched(SEAT);
    assert_eq!(delay_after_crash(&mut world), Duration::ZERO);
}

#[test]
fn a_delay_is_not_cut_short_by_a_lock() {
    let mut spec = desk();
    spec.while_locked = WhileLocked::Stop;
    let mut world = World::running(spec);
    world.crash(6);
    world.exited(SEAT, Exit::Code(1));
    let waiting = world.state(SEAT);
    world.change(1, |session| session.locked = true);
    assert_eq!(world.waits(SEAT), Some(WaitReason::Locked));
    world.change(1, |session| session.locked = false);
    assert_eq!(world.state(SEAT), waiting);
}

#[test]
fn failures_exactly_the_limits_time_apart_count_together() {
    let mut spec = desk();
    spec.restart.limit = Limit { count: 1, within: secs(10), then: PastLimit::Hold };
    let mut world = World::running(spec);
    world.crash(1);
    world.pass(secs(10));
    world.exited(SEAT, Exit::Code(1));
    assert_eq!(world.state(SEAT), State::Held(HoldReason::Limit));
}
