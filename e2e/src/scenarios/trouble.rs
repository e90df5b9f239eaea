//! Agents that die, do not listen or leave things behind.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::configuration::{EVERYONE, everyone_runs};
use crate::layer0::{E2E_AGENT, Layer0, SOON, agent, command, running};
use crate::wait::until;

/// A killed agent is a new process at once, and the status names the signal.
pub(super) fn crash(bed: &Bed) -> Result<String> {
    let _service = Layer0::start(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    bed.run(["kill", "-KILL", &before.to_string()])?;
    let (entry, after) = until("a new process", SOON, || {
        let (entry, pid) = running(bed, "desk", "alice")?;
        Ok((pid != before).then_some((entry, pid)))
    })?;
    let last = &entry.entry["last_exit"];
    ensure!(
        last["signal"] == 9 || last["signal"] == "SIGKILL",
        "the status says how it ended: {}",
        entry.entry
    );
    ensure!(entry.entry["restarts"] == 1, "the status counts one restart: {}", entry.entry);
    ensure!(bed.process(after).uids()? == [1001; 4], "the new one is alice's");
    Ok(format!("{before} killed, {after} runs: {}", last["text"]))
}

/// SIGTERM is ignored; the kill comes at the end of the grace and not before.
pub(super) fn deaf(bed: &Bed) -> Result<String> {
    let config = everyone_runs(&[E2E_AGENT, "deaf"]) + "stop = { grace = \"1s\" }\n";
    let service = Layer0::start(bed, &config)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, pid) = running(bed, "desk", "alice")?;
    until("it listens to signals", SOON, || Ok(service.said().contains("deaf to SIGTERM").then_some(())))?;
    let asked = Instant::now();
    command(bed, ["agents", "stop", "desk", "--all"])?;
    until("it is killed", SOON, || Ok(bed.process(pid).is_dead().then_some(())))?;
    let took = asked.elapsed();
    ensure!(took >= Duration::from_millis(900), "killed after {took:?}, before its grace of 1 s");
    ensure!(took < Duration::from_millis(4900), "killed only after {took:?}, like one with the usual grace");
    ensure!(service.said().contains("not listening"), "it was asked first: {}", service.said());
    let held =
        until("it is held", SOON, || Ok(agent(bed, "desk", "alice")?.filter(|agent| agent.state == "held")))?;
    Ok(format!("asked, ignored it, killed after {took:.1?}, {}", held.reason))
}

/// A child in a process session of its own does not survive its agent.
pub(super) fn child_left_behind(bed: &Bed) -> Result<String> {
    let config = everyone_runs(&[E2E_AGENT, "parent"]) + "restart = { on = \"never\" }\n";
    let service = Layer0::start(bed, &config)?;
    bed.login("alice", Desktop::Wayland)?;
    until("the agent left", SOON, || {
        Ok(agent(bed, "desk", "alice")?.filter(|agent| agent.state == "released"))
    })?;
    ensure!(service.said().contains("left a child behind"), "it had a child: {}", service.said());
    let orphans = || -> Result<usize> {
        let sleeps = bed.processes("sleep")?;
        Ok(sleeps
            .iter()
            .filter(|sleep| sleep.cgroup().is_ok_and(|cgroup| cgroup.contains("bilayer-acme")))
            .count())
    };
    until("the child is gone", SOON, || Ok((orphans()? == 0).then_some(())))?;
    Ok("the agent left, its child in another process session went with it".to_owned())
}
