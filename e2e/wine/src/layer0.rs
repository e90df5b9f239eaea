//! The program under test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::bed::{Bed, PROGRAMS, appended, output};
use crate::process::Process;
use crate::wait::until;

/// The program under test.
pub(crate) const BILAYER: &str = r"C:\Program Files\Acme\bilayer.exe";
/// The configuration that the commands of this module mean.
pub(crate) const CONFIG: &str = r"C:\bilayer-bed\acme.toml";
/// How long anything may take that is not held up on purpose. Wine on a busy machine takes its time.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A configuration with one agent; `program` is relative to the folder of the programs.
pub(crate) fn config(program: &str, arguments: &[&str], more: &str) -> String {
    let words: Vec<_> = std::iter::once(format!(r"{PROGRAMS}\{program}"))
        .chain(arguments.iter().map(|word| (*word).to_owned()))
        .map(|word| format!("'{word}'"))
        .collect();
    format!("[service]\nname = \"acme\"\n[agent.desk]\ncommand = [{}]\n{more}\n", words.join(", "))
}

/// `bilayer run` in a console.
pub(crate) struct Console {
    child: Child,
}

impl Console {
    /// Writes the configuration, starts it and returns once it answers.
    pub(crate) fn start(bed: &Bed, config: &str) -> Result<Self> {
        bed.write(CONFIG, config)?;
        let output = appended(&said_file(bed))?;
        let mut run = bed.wine([BILAYER, "run", "--config", CONFIG]);
        let child = run.stdout(output.try_clone()?).stderr(output).spawn().context("cannot start wine")?;
        let mut console = Self { child };
        let ended = until("bilayer answers", SOON, || match console.child.try_wait()? {
            Some(status) => Ok(Some(Some(status))),
            None => status(bed).map(|_| Some(None)),
        })?;
        if let Some(status) = ended {
            bail!("bilayer ended with {status}");
        }
        Ok(console)
    }

    /// Its process.
    pub(crate) fn process(&self) -> Process {
        Process::of(&self.child)
    }

    /// Presses Ctrl-C; returns how it ended.
    pub(crate) fn interrupt(&mut self) -> Result<ExitStatus> {
        self.process().interrupt()?;
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> Result<ExitStatus> {
        until("bilayer ends", SOON, || Ok(self.child.try_wait()?))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn said_file(bed: &Bed) -> PathBuf {
    bed.prefix().join("bilayer.out")
}

/// All that `bilayer run` printed.
pub(crate) fn said(bed: &Bed) -> String {
    fs::read_to_string(said_file(bed)).unwrap_or_default()
}

/// All that can be found of what layer 0 said.
pub(crate) fn logs(bed: &Bed) -> String {
    said(bed)
}

/// Waits until `bilayer run` has said something.
pub(crate) fn until_said(bed: &Bed, what: &str) -> Result<()> {
    until(&format!("the log says `{what}`"), SOON, || Ok(said(bed).contains(what).then_some(())))
}

/// A command of the program that succeeds; returns what it printed.
pub(crate) fn command<const N: usize>(bed: &Bed, words: [&str; N]) -> Result<String> {
    let Output { status, stdout, stderr } = command_output(bed, words)?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    ensure!(
        status.success(),
        "`bilayer {}` ended with {status}: {}{stdout}",
        words.join(" "),
        String::from_utf8_lossy(&stderr)
    );
    Ok(stdout)
}

/// A command of the program, however it ends.
pub(crate) fn command_output<const N: usize>(bed: &Bed, words: [&str; N]) -> Result<Output> {
    let mut command = bed.wine([BILAYER, "--config", CONFIG]);
    output(command.args(words))
}

/// `bilayer status --json`.
pub(crate) fn status(bed: &Bed) -> Result<Value> {
    let text = command(bed, ["status", "--json"])?;
    serde_json::from_str(&text).with_context(|| format!("status printed {text}"))
}

/// One agent of the status.
#[derive(Clone, Debug)]
pub(crate) struct Agent {
    /// Its process, as Windows numbers it.
    pub(crate) pid: Option<u64>,
    /// waiting, starting, running, stopping, held or released.
    pub(crate) state: String,
    /// The code of the reason.
    pub(crate) reason: String,
    /// In which session.
    pub(crate) session: String,
    /// The whole entry.
    pub(crate) entry: Value,
}

impl Agent {
    /// Whether it runs and has a process.
    pub(crate) fn runs(&self) -> bool {
        self.state == "running" && self.pid.is_some()
    }
}

/// Every agent of the status.
pub(crate) fn agents(bed: &Bed) -> Result<Vec<Agent>> {
    let status = status(bed)?;
    let agents = status["agents"].as_array().context("status has agents")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok(agents
        .iter()
        .map(|entry| Agent {
            pid: entry["pid"].as_u64(),
            state: text(&entry["state"]),
            reason: text(&entry["reason"]["code"]),
            session: text(&entry["session"]),
            entry: entry.clone(),
        })
        .collect())
}

/// The agent of a session; nothing if the status has none.
pub(crate) fn agent_in(bed: &Bed, session: u32) -> Result<Option<Agent>> {
    let session = session.to_string();
    Ok(agents(bed)?.into_iter().find(|agent| agent.session == session))
}

/// Waits until the agent of a session is as wanted.
pub(crate) fn agent_when(
    bed: &Bed,
    session: u32,
    what: &str,
    wanted: impl Fn(&Agent) -> bool,
) -> Result<Agent> {
    until(&format!("the agent of session {session} {what}"), SOON, || match agent_in(bed, session)? {
        Some(agent) if wanted(&agent) => Ok(Some(agent)),
        Some(agent) => bail!("it is {}: {}", agent.state, agent.entry),
        None => Ok(None),
    })
}

/// Waits until the agent of a session runs.
pub(crate) fn running(bed: &Bed, session: u32) -> Result<Agent> {
    agent_when(bed, session, "runs", Agent::runs)
}

/// Waits until the agent of a session runs and has said that it is ready.
pub(crate) fn ready(bed: &Bed, session: u32) -> Result<Agent> {
    agent_when(bed, session, "is ready", |agent| agent.runs() && agent.entry["ready"] == true)
}
