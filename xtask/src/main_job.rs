//! The main job, shown on this machine: an agent starts, is killed, is back, and everything stops.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::process::{cargo, program, read, run};
use crate::root;

const CONFIG: &str = "examples/rust-agent/bilayer.toml";

/// How long each step may take.
const WITHIN: Duration = Duration::from_secs(30);

/// Builds the program and the example agent, and shows the main job with them, step by step.
pub(crate) fn main_job() -> Result<()> {
    run(&mut cargo(["build", "--quiet", "--package", "bilayer-cli", "--package", "rust-agent"]))?;
    say("Layer 0 runs in this console and starts the agent of the configuration.");
    let mut layer0 = Layer0::start()?;
    let first = layer0.ready_agent(None)?;
    layer0.show_status()?;
    say("The agent is killed with SIGKILL. Its supervisor starts it again at once.");
    run(&mut program("kill", ["-KILL", &first.to_string()]))?;
    let second = layer0.ready_agent(Some(first))?;
    println!("process {first} is gone, process {second} is ready");
    layer0.show_status()?;
    say("Ctrl-C ends layer 0: the agent is asked to stop, and has its grace.");
    let status = layer0.interrupt()?;
    println!("bilayer run ended with {status}");
    if !status.success() || process_is_alive(second) {
        bail!("it should have ended with success, and left no agent behind");
    }
    println!("and left nothing behind");
    Ok(())
}

fn say(text: &str) {
    println!("\n# {text}");
}

/// A running `bilayer run`. Dropping it kills it, which its agents do not outlive.
struct Layer0(Child);

impl Layer0 {
    fn start() -> Result<Self> {
        println!("$ bilayer run --console -c {CONFIG}");
        let child = bilayer(&["run", "--console"])
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start `bilayer run`")?;
        Ok(Self(child))
    }

    /// Waits until an agent other than `not` is ready, and says which process it is.
    fn ready_agent(&mut self, not: Option<u64>) -> Result<u64> {
        let deadline = Instant::now() + WITHIN;
        loop {
            if let Some(status) = self.0.try_wait()? {
                bail!("`bilayer run` ended with {status}");
            }
            if let Some(pid) = ready_pid()
                && Some(pid) != not
            {
                return Ok(pid);
            }
            if Instant::now() > deadline {
                bail!("no agent was ready within {} s", WITHIN.as_secs());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn show_status(&self) -> Result<()> {
        println!("$ bilayer status -c {CONFIG}");
        print!("{}", read(&mut bilayer(&["status"]))?);
        Ok(())
    }

    fn interrupt(&mut self) -> Result<ExitStatus> {
        run(&mut program("kill", ["-INT", &self.0.id().to_string()]))?;
        let deadline = Instant::now() + WITHIN;
        while Instant::now() < deadline {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("`bilayer run` had not ended {} s after Ctrl-C", WITHIN.as_secs())
    }
}

impl Drop for Layer0 {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn ready_pid() -> Option<u64> {
    let output = bilayer(&["status", "--json"]).stderr(Stdio::null()).output().ok()?;
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    let agent = status["agents"].as_array()?.iter().find(|agent| agent["ready"] == true)?;
    agent["pid"].as_u64()
}

fn bilayer(arguments: &[&str]) -> Command {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut command = Command::new(target.join("debug").join("bilayer"));
    command.current_dir(root()).args(arguments).args(["-c", CONFIG]);
    command
}

fn process_is_alive(pid: u64) -> bool {
    PathBuf::from(format!("/proc/{pid}")).exists()
}
