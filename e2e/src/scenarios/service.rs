//! The service as systemd keeps it: installed, started, asked, killed, hung, stopped and removed.

use std::collections::BTreeMap;
use std::process::Output;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::layer0::{self, PROGRAM, SOON};
use crate::wait::until;

const CONFIG: &str = "/etc/acme/acme.toml";
const UNIT: &str = "/etc/systemd/system/acme.service";

/// Two agents in every session.
const ACME: &str = r#"
[service]
name = "acme"
display_name = "Acme 100% Desk"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
needs_display = false
"#;

/// Installed, started, stopped, removed: what systemd says each time, and that nothing is left.
pub(super) fn whole_life(bed: &Bed) -> Result<String> {
    layer0::install(bed, ACME)?;
    let before = units(bed)?;
    said(bed, &["start"], 4, "install it with `bilayer install")?;
    said(bed, &["status"], 3, "")?;
    said(bed, &["install"], 0, "acme is installed, as root")?;
    let shown = show(bed)?;
    for (property, value) in [
        ("UnitFileState", "enabled"),
        ("ActiveState", "inactive"),
        ("Type", "notify"),
        ("Restart", "always"),
        ("KillMode", "mixed"),
        ("Delegate", "yes"),
        ("Description", "Acme 100% Desk"),
    ] {
        ensure!(
            shown.get(property).map(String::as_str) == Some(value),
            "{property} is {:?}",
            shown.get(property)
        );
    }
    bed.run(["systemd-analyze", "verify", UNIT])?;
    said(bed, &["status"], 3, "acme, stopped; installed as a service")?;
    said(bed, &["install"], 0, "installed like this already")?;
    said(bed, &["start"], 0, "acme runs")?;
    said(bed, &["start"], 0, "acme runs already")?;
    ensure!(show(bed)?["ActiveState"] == "active", "it runs");
    until("the status text", SOON, || {
        Ok((show(bed)?["StatusText"] == "0 agents in 0 sessions").then_some(()))
    })?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, agent) = layer0::running(bed, "desk", "alice")?;
    until(
        "the status text",
        SOON,
        || Ok((show(bed)?["StatusText"] == "1 agent in 1 session").then_some(())),
    )?;
    let cgroup = bed.process(agent).cgroup()?;
    ensure!(cgroup.contains("session-") && !cgroup.contains("acme.service"), "the agent is in {cgroup}");
    let environment = bed.process(agent).environment()?;
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM"] {
        ensure!(!environment.contains_key(name), "the agent has {name}");
    }
    said(bed, &["restart"], 0, "acme runs")?;
    said(bed, &["stop"], 0, "has stopped")?;
    said(bed, &["stop"], 0, "does not run")?;
    let shown = show(bed)?;
    ensure!(shown["Result"] == "success" && shown["ActiveState"] == "inactive", "{shown:?}");
    said(bed, &["start"], 0, "acme runs")?;
    said(bed, &["uninstall"], 0, "acme is removed")?;
    ensure!(show(bed)?["LoadState"] == "not-found", "systemd has forgotten it");
    let after = units(bed)?;
    ensure!(before == after, "units were {before:?} and are {after:?}");
    said(bed, &["uninstall"], 4, "there is no service acme")?;
    Ok("installed, started, restarted, stopped and removed".to_owned())
}

/// All below the folder of units.
fn units(bed: &Bed) -> Result<String> {
    bed.run(["find", "/etc/systemd/system", "-printf", "%p %m %l\n"])
}

/// What `systemctl show` says of the unit.
fn show(bed: &Bed) -> Result<BTreeMap<String, String>> {
    let text = bed.run(["systemctl", "show", "acme"])?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Gives the command and makes sure of its exit code, and of something that it says.
fn said(bed: &Bed, words: &[&str], code: i32, text: &str) -> Result<String> {
    let output = bilayer(bed, words)?;
    let all = [output.stdout, output.stderr].concat();
    let all = String::from_utf8_lossy(&all).trim().to_owned();
    ensure!(
        output.status.code() == Some(code),
        "`{words:?}` ended with {}, not {code}: {all}",
        output.status
    );
    ensure!(all.contains(text), "`{words:?}` does not say {text:?}: {all}");
    Ok(all)
}

fn bilayer(bed: &Bed, words: &[&str]) -> Result<Output> {
    bed.inside([PROGRAM, "--config", CONFIG]).args(words).output().context("bilayer starts")
}
