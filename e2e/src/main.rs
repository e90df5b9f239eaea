//! Whole-system tests on real operating systems.
//!
//! Every scenario boots a machine of its own ([`bed`]), lets real users log in, has the service inside it ([`layer0`]) and
//! looks at the result from outside ([`agents`], [`process`]): what the kernel and logind say, not what Bilayer says of
//! itself. `cargo xtask e2e-linux` builds what is needed and runs them all, some at the same time ([`lanes`]).

#![forbid(unsafe_code)]

mod agents;
mod bed;
mod configuration;
mod idle;
mod inside;
mod lanes;
mod layer0;
mod play;
mod process;
mod scenarios;
mod wait;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use crate::bed::{Seat, Suite};
use crate::play::{Play, plays_of};
use crate::scenarios::SCENARIOS;

/// Whole-system tests on real systemd and logind.
#[derive(Parser)]
struct Args {
    /// Only scenarios whose name contains one of these.
    only: Vec<String>,
    /// Name the scenarios and run none.
    #[arg(long)]
    list: bool,
    /// Play every scenario on this release of Debian alone. Without it each is played where it was written for.
    #[arg(long, value_enum)]
    suite: Option<Suite>,
    /// How many scenarios are played side by side. Most of a scenario is waiting, so it is one more than there are processors.
    #[arg(long, value_name = "N", default_value_t = processors() + 1, value_parser = clap::value_parser!(u8).range(1..=16))]
    jobs: u8,
    /// Play no scenario; print the voluntary context switches of an idle service in so many seconds.
    #[arg(long, value_name = "SECONDS")]
    measure_idle: Option<u64>,
    /// In how many sessions the service has an agent while its idleness is measured.
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u64).range(0..=idle::SESSIONS_MAX))]
    sessions: u64,
    /// Play no scenario; run this program with these arguments as root inside, in a unit to which its control group is
    /// delegated. As a runner of cargo's, this runs tests inside.
    #[arg(long, value_names = ["PROGRAM", "ARG"], num_args = 1.., allow_hyphen_values = true)]
    inside: Vec<String>,
    /// Programs that are there as well, in /usr/local/bin.
    #[arg(long, value_name = "FILE", requires = "inside")]
    bring: Vec<PathBuf>,
    /// The system inside has the supervisors that the benchmark compares.
    #[arg(long, requires = "inside")]
    peers: bool,
    /// Whether sessions get virtual terminals. They belong to the whole machine.
    #[arg(long, value_enum, default_value_t = Terminals::IfFree)]
    terminals: Terminals,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Terminals {
    /// Where no person and no other test uses them.
    IfFree,
    /// Never.
    No,
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some((program, rest)) = args.inside.split_first() {
        let with = inside::With { files: &args.bring, peers: args.peers };
        return inside::run(program, rest, &with).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        });
    }
    match play(&args) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn processors() -> u8 {
    std::thread::available_parallelism()
        .ok()
        .and_then(|count| u8::try_from(count.get()).ok())
        .unwrap_or(1)
        .min(15)
}

/// Plays what was asked for and returns how many scenarios failed.
fn play(args: &Args) -> Result<usize> {
    let is_asked = |play: &Play| {
        args.only.is_empty() || args.only.iter().any(|part| play.name().contains(part.as_str()))
    };
    let plays: Vec<_> =
        SCENARIOS.iter().flat_map(|scenario| plays_of(scenario, args.suite)).filter(is_asked).collect();
    if args.list {
        plays.iter().for_each(|play| println!("{}", play.name()));
        return Ok(0);
    }
    let seat = match args.terminals {
        Terminals::IfFree => Seat::free()?,
        Terminals::No => Seat::Plain,
    };
    if let Some(seconds) = args.measure_idle {
        return idle::measure(seat, usize::try_from(args.sessions)?, seconds).map(|()| 0);
    }
    let has_terminals = !matches!(seat, Seat::Plain);
    println!(
        "sessions have {}",
        if has_terminals { "virtual terminals" } else { "a seat without terminals" }
    );
    let count = plays.len();
    let mut bootable = Vec::with_capacity(count);
    for play in plays {
        if play.can_boot()? {
            bootable.push(play);
        }
    }
    let (playing, skipped) = (bootable.len(), count - bootable.len());
    let failed = lanes::play(bootable, &seat, usize::from(args.jobs));
    if skipped > 0 {
        println!(
            "\n!!! SKIPPED: {skipped} scenarios on a release of Debian that the machine's mirror does not have\n"
        );
    }
    println!("{} passed, {failed} failed", playing - failed);
    Ok(failed)
}
