//! Users who leave.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bed::{Bed, Desktop, Login};
use crate::configuration::EVERYONE;
use crate::layer0::{Layer0, SOON, agent, running};
use crate::wait::{throughout, until};

/// One that speaks with the service, and one that does not.
fn two_agents() -> String {
    let plain =
        "[agent.plain]\ncommand = [\"/bin/sleep\", \"3600\"]\nsessions = \"all\"\nneeds_display = false\n";
    format!("{EVERYONE}{plain}")
}

/// With logind's default, a living agent would keep its session closing for ever.
pub(super) fn log_off(bed: &Bed) -> Result<String> {
    leave(bed, Bed::log_off)
}

/// `loginctl terminate-session`.
pub(super) fn terminated(bed: &Bed) -> Result<String> {
    leave(bed, Bed::terminate)
}

fn leave(bed: &Bed, leaves: fn(&Bed, &Login) -> Result<()>) -> Result<String> {
    let _service = Layer0::installed(bed, &two_agents())?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    let (_, desk) = running(bed, "desk", "alice")?;
    let (_, plain) = running(bed, "plain", "alice")?;
    let (_, other) = running(bed, "desk", "bob")?;
    leaves(bed, &alice)?;
    until("the agents are gone", SOON, || {
        Ok((bed.process(desk).is_dead() && bed.process(plain).is_dead()).then_some(()))
    })?;
    bed.wait_until_gone(&alice)?;
    throughout("no agent comes back", Duration::from_millis(800), || {
        Ok(bed.processes("rust-agent")?.len() == 1)
    })?;
    until("the status forgets it", SOON, || Ok(agent(bed, "desk", "alice")?.is_none().then_some(())))?;
    ensure!(!bed.process(other).is_dead(), "bob's agent lives on");
    Ok(format!("{desk} and {plain} ended, session {} went, bob kept {other}", alice.id))
}

/// What is remembered of a session ends with it.
pub(super) fn back_again(bed: &Bed) -> Result<String> {
    let _service = Layer0::installed(bed, &two_agents())?;
    let first = bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    bed.log_off(&first)?;
    bed.wait_until_gone(&first)?;
    let second = bed.login("alice", Desktop::Wayland)?;
    let (entry, after) = running(bed, "desk", "alice")?;
    ensure!(entry.entry["restarts"] == 0, "a new logon begins at no restarts: {}", entry.entry);
    let cgroup = bed.process(after).cgroup()?;
    ensure!(
        cgroup.contains(&format!("session-{}.scope", second.id)),
        "it lives in the new session: {cgroup}"
    );
    Ok(format!("{before} in session {}, {after} in session {}", first.id, second.id))
}
