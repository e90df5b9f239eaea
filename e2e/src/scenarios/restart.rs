//! A service that is restarted beneath its agents.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::configuration::{everyone_runs, kept as keeping};
use crate::layer0::{E2E_AGENT, Layer0, SOON, command, ready};
use crate::wait::until;

const FOUND: &str = "/var/lib/found";

/// How often; what counts is the middle, since the machine may have had something else to do.
const RESTARTS: usize = 5;

/// How long the wire may be down.
const DOWN_MAX: Duration = Duration::from_secs(1);

/// `bilayer restart`: the agents are the same processes, and have their connection again within a second.
pub(super) fn kept(bed: &Bed) -> Result<String> {
    bed.write(FOUND, "")?;
    bed.run(["chmod", "666", FOUND])?;
    let service = Layer0::installed(bed, &keeping(&everyone_runs(&[E2E_AGENT, "connected", FOUND])))?;
    bed.login("alice", Desktop::Wayland)?;
    let (before, pid) = ready(bed, "desk", "alice")?;
    let mut down = Vec::new();
    for restart in 0..RESTARTS {
        let old = service.process(bed)?;
        let given = Instant::now();
        command(bed, ["restart"])?;
        let found = until("the agent has found the service again", SOON, || {
            let found = fs::read_to_string(bed.path(FOUND))?;
            Ok(found.lines().nth(restart).map(str::to_owned))
        })?;
        let took = given.elapsed();
        let (by, ms) = found.split_once(' ').context("a line has a pid and a time")?;
        ensure!(by == pid.to_string(), "it was another agent, {by}, and not {pid}");
        ensure!(service.process(bed)? != old && old.is_dead(), "the service is a new process");
        down.push((Duration::from_millis(ms.parse()?), took));
    }
    let (after, same) = ready(bed, "desk", "alice")?;
    ensure!(same == pid && bed.agents()?.len() == 1, "one agent, and the same: {same}, {pid}");
    ensure!(after.entry["generation"] == before.entry["generation"], "the same launch: {}", after.entry);
    down.sort();
    let (middle, seen) = down[RESTARTS / 2];
    ensure!(middle <= DOWN_MAX, "the wire was down for {down:?}, as the agent and as we see it");
    Ok(format!(
        "pid {pid} through {RESTARTS} restarts, its wire down for {middle:?}, {seen:?} after the command was given"
    ))
}
