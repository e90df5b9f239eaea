//! All measurements, one after the other, as root inside the container.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;

use super::report::Report;
use super::{footprint, logins, restart, session, unit};

/// What is brought along lies here.
pub(super) const PROGRAMS: &str = "/usr/local/bin";

/// How much to measure.
#[derive(Args)]
pub(crate) struct Plan {
    /// Rounds of crashes; in each, every child is killed that is measured once in a round.
    #[arg(long, default_value_t = 21)]
    pub(super) rounds: usize,
    /// How long the idle supervisors are watched, three times.
    #[arg(long, default_value_t = 60)]
    pub(super) idle_seconds: u64,
    /// Switches to either user's session.
    #[arg(long, default_value_t = 40)]
    pub(super) switches: usize,
    /// All of it before whatever else the machine does (SCHED_RR), the floor and the peers as well.
    #[arg(long)]
    real_time: bool,
    /// Only these: crash, idle, session.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Measures and prints the tables.
pub(crate) fn measure(plan: &Plan) -> Result<()> {
    let is_asked = |name: &str| plan.only.is_empty() || plan.only.iter().any(|only| only == name);
    let folder = PathBuf::from("/run/bench");
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // Their packages start some of the peers at boot; where they are not installed there is nothing to stop.
    let _ = unit::said(Command::new("systemctl").args(["stop", "supervisor.service", "runit.service"]));
    if plan.real_time {
        // Whatever it starts from now on inherits it: sched(7).
        unit::said(Command::new("chrt").args(["--rr", "--all-tasks", "--pid", "1", "1"]))?;
        let own = std::process::id().to_string();
        unit::said(Command::new("chrt").args(["--rr", "--all-tasks", "--pid", "1", &own]))?;
    }
    let alice = logins::Login::new("alice")?;
    let mut report = Report::new(plan.idle_seconds);
    if is_asked("crash") {
        restart::measure(&folder, plan.rounds, &mut report)?;
    }
    if is_asked("idle") {
        footprint::measure(&folder, plan.idle_seconds, &mut report)?;
    }
    if is_asked("session") {
        report.rows(session::measure(&folder, &alice, plan.switches));
    }
    println!("\n{report}");
    Ok(())
}
