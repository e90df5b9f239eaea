//! Worlds from their first to their last event, and how a failing one is made small.

use std::fmt;

use crate::{Coverage, Fault, Limits, Plan, Violation, World};

/// A world in which an invariant did not hold.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What it was made smaller by.
    pub limits: Limits,
    /// How many events it took.
    pub events: u64,
    /// What did not hold.
    pub violation: Box<Violation>,
    /// The last things that happened to the instance, where tracing was on.
    pub trace: Vec<String>,
}

/// How many of the next seeds are tried for a smaller world.
const NEIGHBOURS: u64 = 200;

/// How many lines of a failing world are shown.
const LINES_SHOWN: usize = 60;

/// Runs the world of a seed for at most so many events. Returns how many it handled.
pub fn run(
    seed: u64,
    limits: &Limits,
    events: u64,
    tracing: bool,
    seen: &mut Coverage,
) -> Result<u64, Failure> {
    let mut world = World::new(Plan::new(seed, limits), tracing);
    let outcome = live(&mut world, events);
    seen.add(&world.coverage);
    match outcome {
        Ok(()) => Ok(world.events()),
        Err(violation) => {
            let key = violation.key;
            let shown = world.trace().map(|trace| trace.about(key, LINES_SHOWN));
            let trace = shown.unwrap_or_default().into_iter().map(str::to_owned).collect();
            Err(Failure { seed, limits: limits.clone(), events: world.events(), violation, trace })
        }
    }
}

/// Everything that happens in the world of a seed, and how it failed, if it did.
pub fn narrate(seed: u64, limits: &Limits, events: u64) -> (Vec<String>, Option<Failure>) {
    let mut world = World::new(Plan::new(seed, limits), true);
    let failure = live(&mut world, events).err().map(|violation| {
        let trace = Vec::new();
        Failure { seed, limits: limits.clone(), events: world.events(), violation, trace }
    });
    (world.trace().map(|trace| trace.lines().map(str::to_owned).collect()).unwrap_or_default(), failure)
}

fn live(world: &mut World, events: u64) -> Result<(), Box<Violation>> {
    world.begin()?;
    world.run(events).map(drop)
}

/// Looks for a smaller world that breaks the same rule sooner: one with fewer specs, users and kinds of faults, of this seed
/// or of one of the next. Ends with a trace.
pub fn shrink(failure: Failure) -> Failure {
    let rule = failure.violation.rule;
    let mut best = failure;
    let attempt = |best: &mut Failure, seed: u64, limits: Limits| {
        let again = run(seed, &limits, best.events, false, &mut Coverage::default());
        let Err(found) = again else { return };
        if found.violation.rule == rule {
            *best = found;
        }
    };
    for seed in best.seed..best.seed + NEIGHBOURS {
        for (users, specs) in [(1, 1), (2, 1), (2, 2), (3, 2)] {
            let limits = Limits { users: Some(users), specs: Some(specs), ..best.limits.clone() };
            attempt(&mut best, seed, limits);
        }
    }
    for &fault in Fault::ALL {
        let mut limits = best.limits.clone();
        if Plan::new(best.seed, &limits).faults.rate(fault) > 0 {
            limits.without.push(fault);
            let seed = best.seed;
            attempt(&mut best, seed, limits);
        }
    }
    run(best.seed, &best.limits, best.events, true, &mut Coverage::default()).err().unwrap_or(best)
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, event {}: {}", self.seed, self.events, self.violation)?;
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        write!(
            f,
            "replay: cargo run -p sim --release -- --seed {} --events {} --trace",
            self.seed, self.events
        )?;
        if let Some(users) = self.limits.users {
            write!(f, " --users {users}")?;
        }
        if let Some(specs) = self.limits.specs {
            write!(f, " --specs {specs}")?;
        }
        if !self.limits.without.is_empty() {
            let names: Vec<&str> = self.limits.without.iter().map(|fault| fault.name()).collect();
            write!(f, " --without {}", names.join(","))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}
