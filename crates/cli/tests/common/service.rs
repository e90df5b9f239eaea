//! A service that runs for a test, in console mode, and what can be seen of it from outside.

use std::fs::OpenOptions;
use std::process::{Child, Command, ExitStatus, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Home, code, err, out};

/// How long a test waits for something that should come at once, on a machine that may be busy.
const SOON: Duration = Duration::from_secs(30);

/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// The agent that speaks the wire: the one of the demo.
pub(crate) fn wire_agent() -> String {
    format!("command = ['{}', 'demo-agent']\nneeds_display = false\n", env!("CARGO_BIN_EXE_bilayer"))
}

/// An agent that is a line for the shell and knows nothing of Bilayer.
pub(crate) fn shell_agent(script: &str) -> String {
    format!("command = ['/bin/sh', '-c', '''{script}''']\nneeds_display = false\n")
}

/// `bilayer run`; killed with the test.
pub(crate) struct Service {
    pub(crate) home: Home,
    pub(crate) file: String,
    child: Child,
}

impl Service {
    /// Starts one with these `[agent.NAME]` tables, and waits until it answers.
    pub(crate) fn start(name: &str, agents: &[(&str, String)]) -> Self {
        let home = Home::new(name);
        let file = home.write("acme.toml", &configuration(agents));
        Self::run(home, file)
    }

    /// The same with a home that exists and a configuration in it.
    pub(crate) fn run(home: Home, file: String) -> Self {
        let child = spawn(&home, &file);
        let service = Self { home, file, child };
        service.until("it answers", |service| code(&service.bilayer(&["status"])) == 0);
        service
    }

    /// A command about this service.
    pub(crate) fn bilayer(&self, line: &[&str]) -> Output {
        self.home.run(&[&["-c", self.file.as_str()], line].concat())
    }

    /// What a command that must succeed prints.
    pub(crate) fn ok(&self, line: &[&str]) -> String {
        let output = self.bilayer(line);
        assert_eq!(code(&output), 0, "{line:?}: {}", err(&output));
        out(&output)
    }

    /// The status of the one agent of this name.
    pub(crate) fn agent(&self, name: &str) -> Value {
        let status: Value = serde_json::from_str(&self.ok(&["status", "--json"])).unwrap();
        let agents = status["agents"].as_array().unwrap();
        agents.iter().find(|agent| agent["agent"] == name).cloned().unwrap_or(Value::Null)
    }

    /// Waits until the agent looks like this, and returns how it looks.
    pub(crate) fn agent_until(&self, name: &str, what: &str, looks: impl Fn(&Value) -> bool) -> Value {
        self.until(what, |service| looks(&service.agent(name)));
        self.agent(name)
    }

    /// Waits until it is so.
    pub(crate) fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "waited {SOON:?} until {what}; it said:\n{}", self.said());
            thread::sleep(LOOK);
        }
    }

    /// Everything that it wrote to standard error.
    pub(crate) fn said(&self) -> String {
        std::fs::read_to_string(self.home.path("stderr")).unwrap()
    }

    /// Replaces the configuration.
    pub(crate) fn configure(&self, agents: &[(&str, String)]) {
        self.home.write("acme.toml", &configuration(agents));
    }

    /// Kills it, so that it can do nothing about it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it once more, after it ended.
    pub(crate) fn again(&mut self) {
        self.child = spawn(&self.home, &self.file);
        self.until("it answers again", |service| code(&service.bilayer(&["status"])) == 0);
    }

    /// Ctrl-C, and how it ended.
    pub(crate) fn interrupt(&mut self) -> ExitStatus {
        signal("INT", self.child.id().into());
        let deadline = Instant::now() + SOON;
        let mut ended = self.child.try_wait().unwrap();
        while ended.is_none() {
            assert!(Instant::now() < deadline, "it goes on {SOON:?} after Ctrl-C; it said:\n{}", self.said());
            thread::sleep(LOOK);
            ended = self.child.try_wait().unwrap();
        }
        ended.unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(home: &Home, file: &str) -> Child {
    let said = OpenOptions::new().append(true).create(true).open(home.path("stderr")).unwrap();
    home.command(&["run", "--console", "-c", file]).stderr(said).spawn().unwrap()
}

fn configuration(agents: &[(&str, String)]) -> String {
    let agents: String = agents.iter().map(|(name, keys)| format!("\n[agent.{name}]\n{keys}")).collect();
    format!("[service]\nname = \"testing\"\n{agents}")
}

/// The pid of an agent's status.
pub(crate) fn pid(agent: &Value) -> u64 {
    agent["pid"].as_u64().unwrap_or_else(|| panic!("no pid in {agent:#}"))
}

/// Sends a signal, as `kill` of the shell does.
pub(crate) fn signal(name: &str, pid: u64) {
    let sent = Command::new("/bin/sh").args(["-c", &format!("kill -{name} {pid}")]).status().unwrap();
    assert!(sent.success(), "kill -{name} {pid}");
}

/// Whether a process of this pid is there.
pub(crate) fn is_alive(pid: u64) -> bool {
    let silently = format!("kill -0 {pid} 2>/dev/null");
    Command::new("/bin/sh").args(["-c", &silently]).status().unwrap().success()
}

pub(crate) fn is_ready(agent: &Value) -> bool {
    agent["state"] == "running" && agent["ready"] == true
}
