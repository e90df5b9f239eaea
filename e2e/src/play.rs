//! A scenario on a release of Debian, played once.

use std::time::Instant;

use anyhow::{Error, Result};

use crate::bed::{Bed, Seat, Setting, Suite, Variant};
use crate::layer0;
use crate::scenarios::Scenario;

/// How much of the log is shown where something failed: as much as of the journal, and the start of most.
const LINES: usize = 80;

/// What is played.
pub(crate) struct Play {
    scenario: &'static Scenario,
    suite: Suite,
}

/// A scenario on every release that it asks for, or on the one that a person asks for.
pub(crate) fn plays_of(scenario: &'static Scenario, asked: Option<Suite>) -> Vec<Play> {
    let mut plays: Vec<Play> = Vec::new();
    for suite in asked.map_or(scenario.suites.to_vec(), |suite| vec![suite]) {
        // The machine's own release may be the other one.
        if !plays.iter().any(|play| play.suite.codename() == suite.codename()) {
            plays.push(Play { scenario, suite });
        }
    }
    plays
}

impl Play {
    /// What must hold, and where.
    pub(crate) fn name(&self) -> String {
        match self.suite {
            Suite::Own => self.scenario.name.to_owned(),
            Suite::Trixie => format!("{}, on Debian 13", self.scenario.name),
        }
    }

    /// Whether it is about what virtual terminals do.
    pub(crate) fn is_at_terminals(&self) -> bool {
        self.scenario.is_at_terminals
    }

    /// Whether its system is there or can be built; builds it, so that no boot has to.
    pub(crate) fn can_boot(&self) -> Result<bool> {
        let can_boot = Bed::can_boot(self.setting())?;
        if !can_boot {
            println!("SKIPPED {}: the machine's mirror has no Debian {}", self.name(), self.suite.codename());
        }
        Ok(can_boot)
    }

    /// Plays it and prints the verdict with what was seen.
    pub(crate) fn passes(&self, seat: &Seat) -> bool {
        let start = Instant::now();
        let seen = self.run(seat);
        let name = format!("{} ({:.1} s)", self.name(), start.elapsed().as_secs_f32());
        // One call for each verdict: scenarios are played side by side.
        match &seen {
            Ok(seen) => println!("ok      {name}: {seen}"),
            Err((error, evidence)) => println!("{evidence}FAILED  {name}: {error:#}"),
        }
        seen.is_ok()
    }

    /// What was seen, or what went wrong and what is known of it.
    fn run(&self, seat: &Seat) -> Result<String, (Error, String)> {
        let unknown = |error: Error| (error.context("the container did not boot"), String::new());
        // Whether a login comes to the front by itself depends on the seat, and so it is the same in every run.
        let seat = if self.is_at_terminals() { seat.share().map_err(unknown)? } else { Seat::Plain };
        let bed = Bed::boot(self.setting(), seat).map_err(unknown)?;
        (self.scenario.run)(&bed).map_err(|error| {
            let said = layer0::said(&bed);
            let lines: Vec<_> = said.lines().collect();
            let said = lines[lines.len().saturating_sub(LINES)..].join("\n");
            (error, format!("--- bilayer said\n{said}\n--- the journal says\n{}---\n", bed.journal()))
        })
    }

    fn setting(&self) -> Setting {
        let system = Variant { suite: self.suite, ..self.scenario.setting.system };
        Setting { system, ..self.scenario.setting }
    }
}
