//! The program under test, running in the container as a service would.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::bed::Bed;
use crate::process::Process;
use crate::wait::until;

pub(crate) const PROGRAM: &str = "/usr/local/bin/bilayer";
const CONFIG: &str = "/etc/acme/acme.toml";
/// Where its output goes.
pub(crate) const LOG: &str = "/var/log/acme.out";
const SERVICE_LOG: &str = "/var/log/acme/acme.log";
const PACKAGED_LOG: &str = "/var/log/bilayer/bilayer.log";
/// How long anything may take that is not held up on purpose, on a machine that has other things to do.
pub(crate) const SOON: Duration = Duration::from_secs(30);

/// Layer 0 as root inside the container.
#[derive(Debug)]
pub(crate) struct Layer0 {
    /// `systemd-run --wait`, which ends with `bilayer run` and its exit status; none where it is installed as a service.
    run: Option<Child>,
    log: PathBuf,
}

impl Layer0 {
    /// `bilayer run`, in a unit for the moment. For what has nothing to do with how it was started.
    pub(crate) fn start(bed: &Bed, config: &str) -> Result<Self> {
        install(bed, config)?;
        let log = bed.disk(LOG);
        let output = File::create(&log)?;
        let run = bed
            .inside(["systemd-run", "--quiet", "--unit=acme", "--pipe", "--wait", "--service-type=exec"])
            .args(["--property=KillMode=process", "--", PROGRAM, "run", "--config", CONFIG])
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        Self { run: Some(run), log }.answering(bed)
    }

    /// The service as it is delivered: installed, enabled and started by its own commands.
    pub(crate) fn installed(bed: &Bed, config: &str) -> Result<Self> {
        install(bed, config)?;
        command(bed, ["install"])?;
        command(bed, ["start"])?;
        Self { run: None, log: bed.disk(SERVICE_LOG) }.answering(bed)
    }

    /// The service of Debian's package, whose name is `bilayer`, with this configuration in the place of the package's own.
    pub(crate) fn packaged(bed: &Bed, config: &str) -> Result<Self> {
        const PACKAGE: &str = "/var/tmp/bilayer.deb";
        install_agents(bed)?;
        let package = built("package-newer.deb")?;
        ensure!(package.exists(), "{} is not there; `cargo xtask e2e-linux` builds it", package.display());
        bed.install(&package, PACKAGE)?;
        bed.run(["dpkg", "--force-unsafe-io", "-i", PACKAGE])?;
        bed.write("/etc/bilayer/bilayer.toml", config)?;
        bed.run(["bilayer", "restart"])?;
        Ok(Self { run: None, log: bed.disk(PACKAGED_LOG) })
    }

    fn answering(mut self, bed: &Bed) -> Result<Self> {
        until("bilayer answers", SOON, || {
            match self.run.as_mut().map(Child::try_wait).transpose()?.flatten() {
                Some(status) => bail!("bilayer ended with {status}"),
                None => status(bed).map(Some),
            }
        })
        .with_context(|| format!("bilayer said: {}", self.said()))?;
        Ok(self)
    }

    /// Asks systemd to stop the service; returns how it ended.
    pub(crate) fn stop(&mut self, bed: &Bed) -> Result<ExitStatus> {
        bed.run(["systemctl", "stop", "--no-block", "acme"])?;
        let run = self.run.as_mut().context("it is installed, and systemd knows how it ends")?;
        until("bilayer ends", SOON, || Ok(run.try_wait()?))
    }

    /// Its process.
    pub(crate) fn process(&self, bed: &Bed) -> Result<Process> {
        let pid = bed.run(["systemctl", "show", "--property=MainPID", "--value", "acme"])?;
        Ok(bed.process(pid.trim().parse().context("the unit has a main process")?))
    }

    /// All that it said: what it printed, or the log of the service.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Layer0 {
    fn drop(&mut self) {
        if let Some(run) = &mut self.run {
            let _ = run.kill();
            let _ = run.wait();
        }
    }
}

/// Installs the programs and the configuration of the service `acme`.
pub(crate) fn install(bed: &Bed, config: &str) -> Result<()> {
    install_agents(bed)?;
    bed.install(&built("bilayer")?, PROGRAM)?;
    bed.write(CONFIG, config)
}

fn install_agents(bed: &Bed) -> Result<()> {
    bed.install(&built("rust-agent")?, RUST_AGENT)?;
    bed.install(&built("e2e-agent")?, E2E_AGENT)
}

/// A file that was built together with this program.
fn built(name: &str) -> Result<PathBuf> {
    let own = std::env::current_exe()?;
    Ok(own.parent().context("a program lies in a folder")?.join(name))
}

/// Where the example agent is installed.
pub(crate) const RUST_AGENT: &str = "/usr/local/bin/rust-agent";
/// Where the agent that misbehaves on request is installed.
pub(crate) const E2E_AGENT: &str = "/usr/local/bin/e2e-agent";

/// What the program under test said in this container, whichever way it was started.
pub(crate) fn said(bed: &Bed) -> String {
    [SERVICE_LOG, PACKAGED_LOG, LOG]
        .iter()
        .find_map(|log| fs::read_to_string(bed.disk(log)).ok())
        .unwrap_or_default()
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

/// Waits until an agent has shown its token and said that it is ready, and returns its entry.
pub(crate) fn ready(bed: &Bed, name: &str, user: &str) -> Result<(Agent, u32)> {
    until(&format!("{name} of {user} is ready"), SOON, || {
        let (agent, pid) = running(bed, name, user)?;
        if agent.entry["connected"] != true || agent.entry["ready"] != true {
            bail!("it is {}", agent.entry);
        }
        Ok(Some((agent, pid)))
    })
}
