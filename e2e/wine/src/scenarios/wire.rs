//! Agents and others at the other end of a pipe.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, PROGRAMS};
use crate::layer0::{Console, SOON, command, config, ready, running, said, until_said};
use crate::wait::{throughout, until};

/// One line each from the SDK's and from a hand-written client: ready, asked to stop, gone.
pub(super) fn agents_of_both_kinds(bed: &Bed) -> Result<String> {
    let mut seen = Vec::new();
    for program in ["rust-agent.exe", "c-agent.exe"] {
        let mut console = Console::start(bed, &config(program, &[], "heartbeat = \"1s\""))?;
        let agent = ready(bed, 1)?;
        ensure!(agent.entry["connected"] == true, "{program} is connected: {}", agent.entry);
        let status = command(bed, &["message", "--json", "--all", "--title", "Update", "at noon"])?;
        ensure!(status.contains("\"agent\""), "{program} showed the message: {status}");
        // Heartbeats that do not come would be missed after a second.
        throughout("it is not taken for hung", Duration::from_millis(2500), || {
            Ok(!said(bed).contains("generation=2"))
        })?;
        let code = console.interrupt()?;
        ensure!(code.success(), "a clean end, not {code}");
        ensure!(!said(bed).contains("killed after"), "{program} left by itself");
        seen.push(agent.entry["status"].to_string());
    }
    Ok(seen.join(", "))
}

/// The right token in the wrong process.
pub(super) fn outsider(bed: &Bed) -> Result<String> {
    let leave = r"C:\bilayer-bed\leave";
    let _console = Console::start(bed, &config("windows-agent.exe", &["waits", leave], ""))?;
    let before = running(bed, 1)?;
    let endpoint = until("the agent tells its endpoint", SOON, || {
        Ok(fs::read_to_string(bed.path(&format!("{leave}.endpoint"))).ok())
    })?;
    let (endpoint, token) = endpoint.trim().split_once('\n').context("two lines")?;
    let program = format!(r"{PROGRAMS}\windows-agent.exe");
    let told = bed.run([program.as_str(), "client", "honest", endpoint, token])?;
    ensure!(!told.contains("resume"), "it was let in: {told}");
    let after = running(bed, 1)?;
    ensure!(after.pid == before.pid, "the agent is untouched");
    Ok(told.trim().to_owned())
}

/// Each in the agent's own place, with everything that an agent has.
pub(super) fn misbehaving(bed: &Bed) -> Result<String> {
    let once = "restart = { on = \"never\" }";
    let mut seen = Vec::new();
    for how in ["wrong-token", "endless", "huge", "garbage", "batch", "silent", "vanish"] {
        let mut console = Console::start(bed, &config("windows-agent.exe", &["client", how], once))?;
        if how == "vanish" {
            until_said(bed, "exit code 3")?;
        } else {
            until_said(bed, &format!("{how} was told"))?;
        }
        ensure!(!said(bed).contains("resume"), "{how} was let in: {}", said(bed));
        command(bed, &["status"]).with_context(|| format!("after {how}"))?;
        let code = console.interrupt()?;
        ensure!(code.success(), "{how}: a clean end, not {code}");
        seen.push(how);
    }
    Ok(seen.join(", "))
}
