//! What layer 0 costs while nothing happens: wake-ups and memory.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::layer0::Layer0;
use crate::table::Row;

/// With so many connected agents in one's own session.
pub(crate) fn console(folder: &Path, agents: usize, seconds: u64) -> Result<Vec<Row>> {
    let program = crate::built("rust-agent")?;
    let agent = |number| {
        format!(
            "[agent.a{number}]\ncommand = ['{}']\nneeds_display = false\ntrust_writable_program = true\n",
            program.display()
        )
    };
    let config: String = (0..agents).map(agent).collect();
    let layer0 = Layer0::start(folder, &format!("bench-idle-{agents}"), &config)?;
    // What follows a start (handshakes, log lines, threads that wait for more work) is not idleness.
    layer0.settle()?;
    let memory = layer0.memory()? as f64 / 1024.0;
    let before = layer0.switches()?;
    println!("watching an idle service with {agents} agents for {seconds} s");
    std::thread::sleep(Duration::from_secs(seconds));
    let switches = layer0.switches()?.saturating_sub(before);
    let memory_most = if agents == 1 { 3.0 } else { 4.5 };
    let named = if agents == 1 { "1 agent".to_owned() } else { format!("{agents} agents") };
    Ok(vec![
        Row::at_most(format!("voluntary switches in {seconds} s, {named}"), switches as f64, 4.0, ""),
        Row::at_most(format!("memory of layer 0 (PSS), {named}"), memory, memory_most, "MiB"),
    ])
}

/// With real logind and two users' sessions, in the container of the whole-system tests.
pub(crate) fn logind(seconds: u64) -> Result<Vec<Row>> {
    let e2e = crate::built("e2e").context("cargo build --release --package e2e --package bilayer-cli")?;
    println!("watching an idle service with logind for {seconds} s");
    let output = Command::new(e2e).args(["--measure-idle", &seconds.to_string()]).output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let value = |key: &str| said.lines().find_map(|line| line.strip_prefix(key)?.trim().parse::<f64>().ok());
    let (switches, sessions) =
        (value("switches").context("no switches")?, value("sessions").context("no sessions")?);
    let what = format!("voluntary switches in {seconds} s with logind, {sessions} sessions");
    Ok(vec![Row::at_most(what, switches, 2.0 * (2.0 + sessions), "")])
}
