//! The program under test.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use wtsapi32_stand_in::{Script, Session};

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

/// What `ControlService` calls a change of parameters.
const PARAMCHANGE: &str = "6";
/// The bed's tool for services.
pub(crate) const SCM: &str = r"C:\Program Files\Acme\scm.exe";
/// Where the service writes its log.
const LOG: &str = r"C:\ProgramData\acme\log\acme.log";

/// The service under the service manager. It ends with its bed.
pub(crate) struct Service<'a> {
    bed: &'a Bed,
}

impl<'a> Service<'a> {
    /// Writes the configuration, installs and starts it, and returns once it answers.
    pub(crate) fn start(bed: &'a Bed, config: &str) -> Result<Self> {
        bed.write(CONFIG, config)?;
        command(bed, &["install"])?;
        command(bed, &["start"])?;
        until("bilayer answers", SOON, || status(bed).map(Some))?;
        Ok(Self { bed })
    }

    /// Changes what terminal services say, and has the service look at it.
    pub(crate) fn play(&self, change: impl FnOnce(&mut Script)) -> Result<()> {
        self.bed.play(change)?;
        self.look_again()
    }

    /// Changes one session, and has the service look at it.
    pub(crate) fn change(&self, session: u32, change: impl FnOnce(&mut Session)) -> Result<()> {
        self.play(|script| {
            if let Some(found) = script.sessions.iter_mut().find(|found| found.id == session) {
                change(found);
            }
        })
    }

    /// Stands for the session change control, which Wine's service manager cannot send.
    pub(crate) fn look_again(&self) -> Result<()> {
        control(self.bed, PARAMCHANGE)
    }

    /// Its process.
    pub(crate) fn process(&self) -> Result<Process> {
        let of_service = |process: &Process| {
            process.words().is_some_and(|words| words.get(1).is_some_and(|word| word == "service"))
        };
        let found = self.bed.processes("bilayer.exe")?.into_iter().find(of_service);
        found.context("the service has no process")
    }
}

/// Sends a control to the service. Under load Wine's service manager now and then answers 1061, "cannot accept control messages at
/// this time", for a service that runs and has nothing to do, and has not reached it: then it is sent again.
pub(crate) fn control(bed: &Bed, code: &str) -> Result<()> {
    until("the service takes a control", SOON, || match bed.run([SCM, "acme", "control", code]) {
        Err(error) if format!("{error:#}").contains("error 1061") => Ok(None),
        sent => sent.map(|_| Some(())),
    })
}

/// The state of the service, as the service manager has it: `RUNNING`, `STOPPED`; nothing if there is no such service.
pub(crate) fn state(bed: &Bed) -> Result<Option<String>> {
    let answer = output(&mut bed.wine(["sc", "query", "acme"]))?;
    let text = String::from_utf8_lossy(&answer.stdout).into_owned();
    let state = text.lines().find(|line| line.trim_start().starts_with("STATE"));
    Ok(state.and_then(|line| line.split_whitespace().last()).map(str::to_owned))
}

fn said_file(bed: &Bed) -> PathBuf {
    bed.prefix().join("bilayer.out")
}

/// All that layer 0 said: `bilayer run` to its console, the service to its log.
pub(crate) fn said(bed: &Bed) -> String {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    read(said_file(bed)) + &read(bed.path(LOG))
}

/// Waits until layer 0 has said something.
pub(crate) fn until_said(bed: &Bed, what: &str) -> Result<()> {
    until(&format!("the log says `{what}`"), SOON, || Ok(said(bed).contains(what).then_some(())))
}

/// A command of the program that succeeds; returns what it printed.
pub(crate) fn command(bed: &Bed, words: &[&str]) -> Result<String> {
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
pub(crate) fn command_output(bed: &Bed, words: &[&str]) -> Result<Output> {
    output(bed.wine([BILAYER, "--config", CONFIG]).args(words))
}

/// `bilayer status --json`.
pub(crate) fn status(bed: &Bed) -> Result<Value> {
    let text = command(bed, &["status", "--json"])?;
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
    agents_of(&status(bed)?)
}

/// Every agent of what `status --json` printed.
pub(crate) fn agents_of(status: &Value) -> Result<Vec<Agent>> {
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
