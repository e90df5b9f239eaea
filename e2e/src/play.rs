//! A scenario on a release of Debian, played once.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::bed::{Bed, Seat, Suite};
use crate::layer0;
use crate::scenarios::Scenario;

/// What is played.
pub(crate) struct Play {
    scenario: &'static Scenario,
    suite: Suite,
}

/// How it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// There is no such release here.
    Skipped,
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

    /// Plays it and prints the verdict with what was seen.
    pub(crate) fn verdict(&self, seat: &Seat) -> Verdict {
        let start = Instant::now();
        let seen = self.run(seat);
        let name = format!("{} ({:.1} s)", self.name(), start.elapsed().as_secs_f32());
        match seen {
            Ok(Some(seen)) => {
                println!("ok      {name}: {seen}");
                Verdict::Passed
            }
            Ok(None) => {
                println!("SKIPPED {name}: the machine's mirror has no Debian {}", self.suite.codename());
                Verdict::Skipped
            }
            Err(error) => {
                println!("FAILED  {name}: {error:#}");
                Verdict::Failed
            }
        }
    }

    fn run(&self, seat: &Seat) -> Result<Option<String>> {
        let mut setting = self.scenario.setting;
        setting.system.suite = self.suite;
        if !Bed::can_boot(setting)? {
            return Ok(None);
        }
        let bed = Bed::boot(setting, seat.share()?).context("the container did not boot")?;
        let seen = (self.scenario.run)(&bed);
        if seen.is_err() {
            let said = std::fs::read_to_string(layer0::log_file(&bed)).unwrap_or_default();
            println!("--- bilayer said\n{said}--- the journal says\n{}---", bed.journal());
        }
        seen.map(Some)
    }
}
