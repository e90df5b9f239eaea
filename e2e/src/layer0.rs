//! The program under test, running in the container as a service would.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::bed::Bed;
use crate::process::Process;
use crate::wait::until;

const PROGRAM: &str = "/usr/local/bin/bilayer";
const CONFIG: &str = "/etc/acme/acme.toml";
/// How long anything may take that is not held up on purpose.
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// `bilayer run` as root inside the container.
#[derive(Debug)]
pub(crate) struct Layer0 {
    /// `systemd-run --wait`, which ends with the service and its exit status.
    run: Child,
    log: PathBuf,
}

impl Layer0 {
    /// Installs the programs and the configuration, starts the service and returns once it answers.
    pub(crate) fn start(bed: &Bed, config: &str) -> Result<Self> {
        let own = std::env::current_exe()?;
        let built = own.parent().context("a program lies in a folder")?;
        for (program, inside) in [("bilayer", PROGRAM), ("rust-agent", RUST_AGENT), ("e2e-agent", E2E_AGENT)]
        {
            bed.install(&built.join(program), inside)?;
        }
        bed.write(CONFIG, config)?;
        let log = log_file(bed);
        let output = File::create(&log)?;
        let run = bed
            .inside(["systemd-run", "--quiet", "--unit=acme", "--pipe", "--wait", "--service-type=exec"])
            .args(["--property=KillMode=process", "--", PROGRAM, "run", "--config", CONFIG])
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut service = Self { run, log };
        until("bilayer answers", SOON, || match service.run.try_wait()? {
            Some(status) => bail!("bilayer ended with {status}"),
            None => status(bed).map(Some),
        })
        .with_context(|| format!("bilayer said: {}", service.said()))?;
        Ok(service)
    }

    /// Asks systemd to stop the service; returns how it ended.
    pub(crate) fn stop(&mut self, bed: &Bed) -> Result<ExitStatus> {
        bed.run(["systemctl", "stop", "--no-block", "acme"])?;
        until("bilayer ends", SOON, || Ok(self.run.try_wait()?))
    }

    /// Its process.
    pub(crate) fn process(&self, bed: &Bed) -> Result<Process> {
        let pid = bed.run(["systemctl", "show", "--property=MainPID", "--value", "acme"])?;
        Ok(bed.process(pid.trim().parse().context("the unit has a main process")?))
    }

    /// All that it printed.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Layer0 {
    fn drop(&mut self) {
        let _ = self.run.kill();
        let _ = self.run.wait();
    }
}

/// Where the example agent is installed.
pub(crate) const RUST_AGENT: &str = "/usr/local/bin/rust-agent";
/// Where the agent that misbehaves on request is installed.
pub(crate) const E2E_AGENT: &str = "/usr/local/bin/e2e-agent";

/// What `bilayer run` printed in this container.
pub(crate) fn log_file(bed: &Bed) -> PathBuf {
    bed.path("/var/log").join(Path::new("acme.out"))
}

/// `bilayer status --json`, asked as root.
pub(crate) fn status(bed: &Bed) -> Result<Value> {
    let text = bed.run([PROGRAM, "--config", CONFIG, "status", "--json"])?;
    serde_json::from_str(&text).with_context(|| format!("status printed {text}"))
}

/// A command of the program, asked as root.
pub(crate) fn command<const N: usize>(bed: &Bed, args: [&str; N]) -> Result<String> {
    let mut command = bed.inside([PROGRAM, "--config", CONFIG]);
    crate::bed::run(command.args(args))
}

/// One agent of the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agent {
    /// Its process, where it has one.
    pub(crate) pid: Option<u32>,
    /// waiting, starting, running, stopping, held or released.
    pub(crate) state: String,
    /// The code of the reason.
    pub(crate) reason: String,
    /// The whole entry.
    pub(crate) entry: Value,
}

/// What the status says of an agent in the sessions of a user; nothing if it says nothing.
pub(crate) fn agent(bed: &Bed, name: &str, user: &str) -> Result<Option<Agent>> {
    let status = status(bed)?;
    let agents = status["agents"].as_array().context("status has agents")?;
    let is_it = |entry: &&Value| entry["agent"] == name && user_of(entry) == user;
    Ok(agents.iter().find(is_it).map(|entry| Agent {
        pid: entry["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()),
        state: entry["state"].as_str().unwrap_or_default().to_owned(),
        reason: entry["reason"]["code"].as_str().unwrap_or_default().to_owned(),
        entry: entry.clone(),
    }))
}

fn user_of(entry: &Value) -> &str {
    entry["user"]["name"].as_str().or(entry["user"].as_str()).unwrap_or_default()
}

/// Waits until an agent runs for a user, and returns its entry.
pub(crate) fn running(bed: &Bed, name: &str, user: &str) -> Result<(Agent, u32)> {
    until(&format!("{name} runs for {user}"), SOON, || {
        let agent = agent(bed, name, user)?;
        let Some(agent) = agent else { return Ok(None) };
        match (agent.state.as_str(), agent.pid) {
            ("running", Some(pid)) if !bed.process(pid).is_dead() => Ok(Some((agent, pid))),
            (state, _) => bail!("it is {state}: {}", agent.entry["reason"]),
        }
    })
}
