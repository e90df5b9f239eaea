//! Sleep, shutdown, and the end of the service.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::layer0::{Layer0, SOON, ready, running};
use crate::wait::{throughout, until};

const EVERYONE: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
needs_display = false
"#;

/// Agents are told and stay.
pub(super) fn sleep(bed: &Bed) -> Result<String> {
    let service = Layer0::start(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, pid) = ready(bed, "desk", "alice")?;
    bed.sleep_cycle()?;
    until("the agent is told of sleep and waking", SOON, || {
        let said = service.said();
        Ok((said.contains("power: Suspend") && said.contains("power: Resume")).then_some(()))
    })?;
    throughout("the same process runs on", Duration::from_millis(500), || Ok(!bed.process(pid).is_dead()))?;
    Ok(format!("{pid} was told and lived through it"))
}

/// Announced: the agents stop. Called off: they are back.
pub(super) fn aborted_shutdown(bed: &Bed) -> Result<String> {
    let _service = Layer0::start(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    bed.aborted_shutdown()?;
    until("the agent stops for the shutdown", SOON, || Ok(bed.process(before).is_dead().then_some(())))?;
    let (_, after) = running(bed, "desk", "alice")?;
    ensure!(after != before, "it is a new process");
    Ok(format!("{before} stopped, {after} started"))
}

/// SIGTERM: all agents end, nothing stays in their cgroups, the exit code is 0.
pub(super) fn service_stop(bed: &Bed) -> Result<String> {
    let mut service = Layer0::start(bed, EVERYONE)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "alice")?;
    running(bed, "desk", "bob")?;
    let status = service.stop(bed)?;
    ensure!(status.success(), "the service ended with {status}");
    ensure!(bed.processes("rust-agent")?.is_empty(), "agents are left");
    let scope = bed.path(&format!("/sys/fs/cgroup/user.slice/user-1001.slice/session-{}.scope", alice.id));
    let left: Vec<_> = std::fs::read_dir(scope)?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with("bilayer-"))
        .collect();
    ensure!(left.is_empty(), "cgroups are left: {left:?}");
    ensure!(!bed.path("/run/acme/control").exists(), "the control endpoint is left");
    Ok("two agents ended, exit code 0".to_owned())
}
