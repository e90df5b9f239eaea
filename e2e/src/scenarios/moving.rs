//! Users who switch and lock.

use std::fs;

use anyhow::{Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::layer0::{Layer0, SOON, ready, running};
use crate::wait::until;

const WITNESS: &str = "/var/lib/witness";

const ONE_AT_A_TIME: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/usr/local/bin/e2e-agent", "witness", "/var/lib/witness"]
sessions = "console"
needs_display = false
"#;

/// The witnesses write down when they begin and end: never two at once, also in a quick back and forth.
pub(super) fn switch(bed: &Bed) -> Result<String> {
    bed.write(WITNESS, "")?;
    bed.run(["chmod", "666", WITNESS])?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    let bob = bed.login("bob", Desktop::X11)?;
    bed.switch_to(&alice)?;
    let _service = Layer0::installed(bed, ONE_AT_A_TIME)?;
    running(bed, "desk", "alice")?;
    for login in [&bob, &alice, &bob] {
        bed.switch_to(login)?;
        running(bed, "desk", login.user)?;
    }
    bed.switch_to(&alice)?;
    bed.switch_to(&bob)?;
    bed.switch_to(&alice)?;
    let (_, pid) = running(bed, "desk", "alice")?;
    until("one agent is left", SOON, || Ok((bed.processes("e2e-agent")?.len() == 1).then_some(())))?;
    ensure!(bed.process(pid).uids()?[0] == 1001, "the one that is left is alice's");
    let written = fs::read_to_string(bed.path(WITNESS))?;
    never_two(&written)?;
    Ok(format!(
        "{} agents, one after the other",
        written.lines().filter(|line| line.starts_with("start")).count()
    ))
}

/// Each starts after the one before it has ended.
pub(super) fn never_two(written: &str) -> Result<()> {
    let mut alive: Option<&str> = None;
    for line in written.lines() {
        match (line.split_once(' '), alive) {
            (Some(("start", pid)), None) => alive = Some(pid),
            (Some(("end", pid)), Some(living)) if pid == living => alive = None,
            _ => anyhow::bail!("two agents at once, at {line:?}:\n{written}"),
        }
    }
    Ok(())
}

const STOP_AND_KEEP: &str = r#"
[service]
name = "acme"
[agent.shy]
command = ["/bin/sleep", "3600"]
while_locked = "stop"
needs_display = false
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
needs_display = false
"#;

/// One spec stops while the screen is locked; the other stays, is told, and shows it.
pub(super) fn lock(bed: &Bed) -> Result<String> {
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.switch_to(&alice)?;
    let service = Layer0::installed(bed, STOP_AND_KEEP)?;
    let (_, shy) = running(bed, "shy", "alice")?;
    let (_, desk) = ready(bed, "desk", "alice")?;
    bed.lock(&alice)?;
    until("the shy agent is stopped", SOON, || Ok(bed.process(shy).is_dead().then_some(())))?;
    until("the other agent is told of the lock", SOON, || {
        Ok(service.said().contains("locked: true").then_some(()))
    })?;
    bed.unlock(&alice)?;
    let (_, again) = running(bed, "shy", "alice")?;
    ensure!(again != shy, "the shy agent is a new process");
    ensure!(!bed.process(desk).is_dead(), "the other agent lived through it");
    Ok(format!("{shy} stopped, {again} started, {desk} stayed"))
}
