//! What people ask of the service, and who may.

use std::process::Output;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bed::{Bed, Desktop};
use crate::configuration::{EVERYONE, everyone_runs};
use crate::layer0::{E2E_AGENT, Layer0, SOON, command, ready, running};
use crate::wait::until;

const CONFIG: &str = "/etc/acme/acme.toml";

/// A user's commands are refused with exit code 5 and change nothing.
pub(super) fn strangers(bed: &Bed) -> Result<String> {
    let _service = Layer0::installed(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    let mut said = String::new();
    for words in [&["status"][..], &["agents", "stop", "desk", "--all"], &["reload"]] {
        let output = bilayer(bed, "alice", words)?;
        said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        ensure!(output.status.code() == Some(5), "`{words:?}` of alice ended with {}: {said}", output.status);
    }
    let (_, after) = running(bed, "desk", "alice")?;
    ensure!(before == after, "her agent was left alone");
    Ok(said)
}

/// Nobody but the session's user is heard at its endpoint, not even root.
pub(super) fn foreign_peer(bed: &Bed) -> Result<String> {
    let service = Layer0::installed(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, before) = ready(bed, "desk", "alice")?;
    let environment = bed.process(before).environment()?;
    let endpoint = environment.get("BILAYER_ENDPOINT").context("the agent knows its endpoint")?;
    let bob = bed.inside(["runuser", "-u", "bob", "--", E2E_AGENT, "knock", endpoint]).output()?;
    ensure!(bob.status.code() == Some(4), "the kernel keeps bob away: {}", bob.status);
    let told = bed.run([E2E_AGENT, "knock", endpoint])?;
    ensure!(told.trim() == "0", "root is told nothing, not {told} bytes");
    until("the log says why", SOON, || Ok(service.said().contains("not this session's user").then_some(())))?;
    let (after, pid) = running(bed, "desk", "alice")?;
    ensure!(pid == before && after.entry["connected"] == true, "the agent is untouched: {}", after.entry);
    Ok(format!("bob and root were kept from {endpoint}"))
}

/// Exit code 2 and the choice where several match, 4 where none does.
pub(super) fn ambiguous(bed: &Bed) -> Result<String> {
    let _service = Layer0::start(bed, EVERYONE)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "alice")?;
    running(bed, "desk", "bob")?;
    let several = bilayer(bed, "root", &["agents", "restart", "desk"])?;
    let said = String::from_utf8_lossy(&several.stderr).into_owned();
    ensure!(several.status.code() == Some(2), "it ended with {}: {said}", several.status);
    ensure!(
        said.contains("alice") && said.contains("bob") && said.contains(&alice.id),
        "it names both: {said}"
    );
    for words in [&["agents", "stop", "nope"][..], &["agents", "stop", "desk", "--user", "carol"]] {
        let none = bilayer(bed, "root", words)?;
        ensure!(none.status.code() == Some(4), "`{words:?}` ended with {}", none.status);
    }
    let one = bilayer(bed, "root", &["agents", "stop", "desk", "--user", "bob"])?;
    ensure!(one.status.success(), "a user names one: {}", String::from_utf8_lossy(&one.stderr));
    running(bed, "desk", "alice")?;
    Ok(said.lines().next().unwrap_or_default().to_owned())
}

/// An agent shows it where one can, else the desktop's notifications do.
pub(super) fn message(bed: &Bed) -> Result<String> {
    let service = Layer0::start(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    ready(bed, "desk", "alice")?;
    ensure!(delivered(bed, "to the agent")? == "agent", "the agent showed it");
    // A program that knows nothing of messages, which is the desktop at the same time.
    bed.write(CONFIG, &everyone_runs(&[E2E_AGENT, "desktop"]))?;
    command(bed, ["reload"])?;
    until("the desktop is there", SOON, || Ok(service.said().contains("shows notifications").then_some(())))?;
    let by = delivered(bed, "two\nlines")?;
    ensure!(by == "desktop", "the desktop showed it, not {by}");
    ensure!(service.said().contains("notification"), "it was shown: {}", service.said());
    Ok("by the agent, and by the desktop's own notifications as alice".to_owned())
}

fn delivered(bed: &Bed, text: &str) -> Result<String> {
    let printed = command(bed, ["message", "--json", "--user", "alice", "--title", "Update", text])?;
    let deliveries: Value = serde_json::from_str(&printed).context("message --json prints JSON")?;
    let by = deliveries[0]["delivered"].as_str();
    by.map(str::to_owned).with_context(|| format!("nobody showed it: {deliveries}"))
}

/// The program, as a user gives the command.
fn bilayer(bed: &Bed, user: &str, words: &[&str]) -> Result<Output> {
    let mut command = bed.inside(["runuser", "-u", user, "--", "/usr/local/bin/bilayer", "--config", CONFIG]);
    Ok(command.args(words).output()?)
}
