//! Whole-system tests of the Windows half, under Wine.
//!
//! Every scenario gets a Windows of its own ([`bed`]): a fresh prefix in which a stand-in for `wtsapi32.dll` plays the sessions
//! that Wine lacks. The product's own `bilayer.exe` runs there, in a console or under the service manager ([`layer0`]), and
//! the result is looked at from outside ([`process`]): Windows processes are processes of this machine. `cargo xtask
//! e2e-windows` builds what is needed and runs them all.

#![forbid(unsafe_code)]

mod bed;
mod layer0;
mod logons;
mod process;
mod scenarios;
#[path = "../../src/wait.rs"]
mod wait;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use crate::bed::{Bed, Prepared};
use crate::scenarios::{SCENARIOS, Scenario};

/// Whole-system tests of the Windows half, under Wine.
#[derive(Parser)]
struct Args {
    /// Only scenarios whose name contains one of these.
    only: Vec<String>,
    /// Name the scenarios and run none.
    #[arg(long)]
    list: bool,
    /// Leave the prefixes of scenarios that fail, to be looked at.
    #[arg(long)]
    keep: bool,
}

fn main() -> ExitCode {
    match play(&Args::parse()) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Plays what was asked for and returns how many scenarios failed.
fn play(args: &Args) -> Result<usize> {
    let is_asked = |scenario: &&Scenario| {
        args.only.is_empty() || args.only.iter().any(|part| scenario.name.contains(part.as_str()))
    };
    let scenarios: Vec<_> = SCENARIOS.iter().filter(is_asked).collect();
    if args.list {
        scenarios.iter().for_each(|scenario| println!("{}", scenario.name));
        return Ok(0);
    }
    let prepared = Prepared::make().context("no prefix could be prepared")?;
    let failed = scenarios.iter().filter(|scenario| !passes(scenario, &prepared, args.keep)).count();
    println!("{} passed, {failed} failed", scenarios.len() - failed);
    Ok(failed)
}

/// Runs one scenario and prints its verdict with what was seen.
fn passes(scenario: &Scenario, prepared: &Prepared, keep: bool) -> bool {
    let start = Instant::now();
    let verdict = run(scenario, prepared, keep);
    let seconds = start.elapsed().as_secs_f32();
    match &verdict {
        Ok(seen) => println!("ok      {} ({seconds:.1} s): {seen}", scenario.name),
        Err(error) => println!("FAILED  {} ({seconds:.1} s): {error:#}", scenario.name),
    }
    verdict.is_ok()
}

fn run(scenario: &Scenario, prepared: &Prepared, keep: bool) -> Result<String> {
    let mut bed = Bed::fresh(prepared).context("no fresh prefix")?;
    let seen = (scenario.run)(&bed);
    if seen.is_err() {
        println!("--- bilayer said\n{}---", layer0::said(&bed));
        if keep {
            println!("--- left in {}", bed.keep().display());
        }
    }
    seen
}
