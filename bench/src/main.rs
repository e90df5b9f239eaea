//! Measurements beside the floor, as ratios in one run.
//!
//! Every measurement compares two things on the same machine in the same minute, alternating where it can, so that a busy or
//! slow machine moves both. `cargo xtask bench` builds what is measured and runs this.

#![forbid(unsafe_code)]

mod compiled;
mod idle;
mod layer0;
mod linux;
mod machine;
mod notes;
mod restart;
mod simulation;
mod table;
mod windows;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

use crate::table::Row;

/// Measures Bilayer beside the floor.
#[derive(Parser)]
struct Args {
    /// Crashes to measure, of each.
    #[arg(long, default_value_t = 200)]
    crashes: usize,
    /// How long to watch an idle service.
    #[arg(long, default_value_t = 60)]
    idle_seconds: u64,
    /// Round trips to measure, of each.
    #[arg(long, default_value_t = 20_000)]
    round_trips: usize,
    /// Events to simulate.
    #[arg(long, default_value_t = 20_000_000)]
    events: u64,
    /// Measure layer 0 beside its peers instead, as a service in a container with real systemd.
    #[arg(long, conflicts_with = "windows")]
    linux: bool,
    /// With --linux: everything that is measured goes before whatever else the machine does.
    #[arg(long, requires = "linux")]
    real_time: bool,
    /// Measure programs for Windows under Wine instead.
    #[arg(long)]
    windows: bool,
    /// Shawl built for Windows, which is measured beside ours.
    #[arg(long, value_name = "EXE", requires = "windows")]
    shawl: Option<PathBuf>,
    /// Only these: restart, idle, wire, simulation; with --linux crash, idle, session; on Windows restart, session, crowd.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    #[command(subcommand)]
    part: Option<Part>,
}

/// The other process of a measurement. Not for people.
#[derive(Subcommand)]
#[command(hide = true)]
enum Part {
    /// Sends back what comes in on a socket.
    #[command(name = "serve-raw")]
    Raw { socket: PathBuf },
    /// The same without a runtime.
    #[command(name = "serve-blocking")]
    Blocking { socket: PathBuf },
    /// Answers requests on a socket.
    #[command(name = "serve-wire")]
    Wire { socket: PathBuf },
    /// Measures inside the container.
    #[command(name = "inside")]
    Inside(linux::Plan),
}

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.part {
        Some(Part::Raw { socket }) => wire::serve_raw(socket),
        Some(Part::Blocking { socket }) => wire::serve_blocking(socket),
        Some(Part::Wire { socket }) => wire::serve_wire(socket),
        Some(Part::Inside(plan)) => linux::measure_inside(plan),
        None => measure(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let is_asked = |name: &str| args.only.is_empty() || args.only.iter().any(|only| only == name);
    let folder = Folder::new()?;
    if args.linux {
        return linux::measure(&folder.0, &linux::options(&args.only, args.idle_seconds, args.real_time));
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut add = |name: &str, measured: Result<Vec<Row>>| match measured {
        Ok(measured) => rows.extend(measured),
        Err(error) => rows.push(Row::failed(name, &error)),
    };
    if args.windows {
        let plan = windows::Plan { crashes: args.crashes, shawl: args.shawl.as_deref(), is_asked: &is_asked };
        windows::measure(&plan, &mut add)?;
        println!("\n{}\n\n{}", machine::describe(), table::markdown(&rows));
        return Ok(());
    }
    if is_asked("restart") {
        add("crash to new process", restart::measure(&folder.0, args.crashes));
    }
    if is_asked("wire") {
        add("round trip on the wire", wire::measure(&folder.0, args.round_trips));
    }
    if is_asked("simulation") {
        add("simulation", simulation::measure(args.events));
    }
    if is_asked("idle") {
        for agents in [1, 100] {
            add("idle", idle::console(&folder.0, agents, args.idle_seconds));
        }
        add("idle with logind", idle::logind(args.idle_seconds));
    }
    println!("\n{}\n\n{}", machine::describe(), table::markdown(&rows));
    Ok(())
}

/// A folder of this run's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("bilayer-bench-{}", std::process::id()));
        std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A program that was built beside this one.
fn built(name: &str) -> Result<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    anyhow::ensure!(program.exists(), "{} is missing; `cargo xtask bench` builds it", program.display());
    Ok(program)
}
