//! Every chore of the repository, so that CI runs nothing that a person cannot run.
//!
//! `cargo xtask` lists them. Each chore is a module of its own; [`ci`] runs most of them one after the other.

#![forbid(unsafe_code)]

mod bench;
mod ci;
mod dist;
mod docs;
mod fuzz;
mod licences;
mod main_job;
mod process;
mod setup;
mod targets;
mod tests;
mod tidy;
mod typescript;
mod wasm;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::process::{cargo, program, run};

/// The chores of the repository.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// The main job, shown on this machine: an agent starts, is killed, is back, and everything stops.
    Try,
    /// Everything that must hold before a change lands.
    Ci {
        /// Only the steps whose name contains one of these.
        only: Vec<String>,
    },
    /// The rules of the house, as far as a program can check them.
    Tidy,
    /// All tests of the workspace.
    Test,
    /// Formatting and lints, for this system and for Windows.
    Lint,
    /// Build the core for a target that has no host, and show that it imports nothing.
    Wasm,
    /// Licences and sources of all dependencies.
    Deny,
    /// The deterministic simulation.
    Sim {
        /// How many events.
        #[arg(long, default_value_t = 10_000_000)]
        events: u64,
    },
    /// Every fuzz target, for a short while each.
    Fuzz {
        /// Seconds for each target.
        #[arg(long, default_value_t = 20)]
        seconds: u32,
    },
    /// Whole-system tests in a container with real systemd and logind. Needs root.
    E2eLinux {
        /// Options of the test program; `-- --help` lists them.
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Whole-system tests of the Windows half, and the tests of the crates below it, under Wine.
    E2eWindows {
        /// Only scenarios whose name contains one of these, and options of the test program; `-- --help` lists them.
        #[arg(allow_hyphen_values = true)]
        options: Vec<String>,
    },
    /// Packages and portable archives for Linux and for Windows, into target/dist.
    Dist(dist::Options),
    /// Measure beside the floor, in one run.
    Bench {
        /// Measure the service on real systemd instead, beside its peers. Needs root.
        #[arg(long, conflicts_with = "windows")]
        linux: bool,
        /// Measure the Windows half under Wine instead.
        #[arg(long)]
        windows: bool,
        /// Options of the benchmark; `-- --help` lists them.
        #[arg(last = true)]
        options: Vec<String>,
    },
    /// Write the checked-in schema files again.
    Schema {
        /// Change nothing; fail if they are out of date.
        #[arg(long)]
        check: bool,
    },
    /// Run the commands that README.md shows.
    Docs,
    /// Install what the other chores need and this machine lacks, or name it.
    Setup,
}

fn main() -> ExitCode {
    let done = match Args::parse().chore {
        Chore::Try => main_job::main_job(),
        Chore::Ci { only } => ci::ci(&only),
        Chore::Tidy => tidy::tidy(),
        Chore::Test => tests::workspace().and_then(tests::Count::verdict),
        Chore::Lint => lint(),
        Chore::Wasm => wasm::wasm(),
        Chore::Deny => licences::deny(),
        Chore::Sim { events } => sim(events),
        Chore::Fuzz { seconds } => fuzz::fuzz(seconds),
        Chore::E2eLinux { options } => tests::e2e_linux(&options).and_then(tests::Count::verdict),
        Chore::E2eWindows { options } => tests::e2e_windows(&options).and_then(tests::Count::verdict),
        Chore::Dist(options) => dist::dist(&options),
        Chore::Bench { linux: true, options, .. } => bench::linux(&options),
        Chore::Bench { windows: true, options, .. } => bench::windows(&options),
        Chore::Bench { options, .. } => bench::console(&options),
        Chore::Schema { check } => docs::schema(check),
        Chore::Docs => docs::readme(),
        Chore::Setup => setup::setup(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The repository's root.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ lies in the repository").to_path_buf()
}

fn lint() -> Result<()> {
    format()?;
    clippy()?;
    clippy_windows()?;
    check_msvc()
}

fn format() -> Result<()> {
    run(&mut cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    run(&mut cargo(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

/// Packages that drive Linux, or a target of their own; everything else is for both systems.
const NOT_FOR_WINDOWS: [&str; 3] = ["e2e", "bench", "pure"];

fn clippy_windows() -> Result<()> {
    targets::ensure(targets::WINDOWS)?;
    let mut command = cargo(["clippy", "--workspace", "--all-targets", "--target", targets::WINDOWS]);
    command.args(NOT_FOR_WINDOWS.map(|package| format!("--exclude={package}")));
    command.args(["--features", "e2e-windows/agent"]);
    run(command.args(["--", "-D", "warnings"]))
}

/// Whether the compilers of Visual Studio would take it, for both processors: checking needs no linker.
fn check_msvc() -> Result<()> {
    for target in targets::MSVC {
        targets::ensure(target)?;
        let mut command = cargo(["check", "--workspace", "--target", target]);
        run(command.args(NOT_FOR_WINDOWS.map(|package| format!("--exclude={package}"))))?;
    }
    Ok(())
}

fn sim(events: u64) -> Result<()> {
    run(&mut cargo(["run", "--release", "--package", "sim", "--", "--events", &events.to_string()]))
}

/// Whether this program runs as root.
fn is_root() -> bool {
    process::read(&mut program("id", ["-u"])).is_ok_and(|uid| uid.trim() == "0")
}
