//! Worlds small enough for every test run, and those that once showed a mistake.

use sim::{Coverage, Fault, Limits, Plan};

fn holds(seed: u64, limits: &Limits, events: u64) -> Coverage {
    let mut seen = Coverage::default();
    if let Err(failure) = sim::run(seed, limits, events, false, &mut seen) {
        panic!("{}", sim::shrink(failure));
    }
    seen
}

#[test]
fn invariants_hold_in_a_few_worlds() {
    for seed in 1..=24 {
        holds(seed, &Limits::default(), 4_000);
    }
}

#[test]
fn a_world_without_faults_settles() {
    let limits = Limits { without: Fault::ALL.to_vec(), ..Limits::default() };
    for seed in 1..=4 {
        assert_eq!(holds(seed, &limits, u64::MAX).settled, 1);
    }
}

#[test]
fn a_crowd_is_served() {
    let seed = (1..).find(|&seed| Plan::new(seed, &Limits::default()).crowd).unwrap();
    holds(seed, &Limits::default(), 6_000);
}

#[test]
fn a_seed_is_an_exact_replay() {
    let narrate = || sim::narrate(7, &Limits::default(), 3_000).0;
    let first = narrate();
    assert!(first.len() > 3_000, "{} lines", first.len());
    assert!(first == narrate(), "the same seed told two stories");
}

/// Seeds in which an invariant did not hold once, each with what was wrong in the core, or in the oracle. A change of the world gives its
/// seeds other stories: then the mistake is put back and a seed looked for that finds it again.
#[test]
fn regressions() {
    // An agent that was kept and has to end, and another session's that starts, in one enumeration: both lived.
    holds(225, &Limits::default(), 17_000);
    // In the oracle: a configuration that came while a process was being stopped made it healthy there, and nowhere else.
    holds(328, &Limits::default(), 7_000);
}
