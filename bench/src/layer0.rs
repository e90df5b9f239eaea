//! Layer 0 in console mode, as it is measured.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// `bilayer run`; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Layer0 {
    child: Child,
    config: PathBuf,
}

impl Layer0 {
    /// Starts it with this configuration and waits until all its agents run.
    pub(crate) fn start(folder: &Path, name: &str, agents: &str) -> Result<Self> {
        let config = folder.join(format!("{name}.toml"));
        fs::write(&config, format!("[service]\nname = \"{name}\"\n{agents}"))?;
        let log = File::create(folder.join(format!("{name}.log")))?;
        let child = Command::new(crate::built("bilayer")?)
            .args(["run", "--config"])
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut layer0 = Self { child, config };
        layer0.wait_until_running().with_context(|| {
            let log = fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
            format!("bilayer said: {}", log.lines().take(20).collect::<Vec<_>>().join("\n"))
        })?;
        Ok(layer0)
    }

    /// Waits until its start is over: some seconds, and then until no thread is left but its own. The count of one that ends
    /// while it is watched would be lost.
    pub(crate) fn settle(&self) -> Result<()> {
        std::thread::sleep(Duration::from_secs(3));
        let deadline = Instant::now() + Duration::from_secs(30);
        while fs::read_dir(format!("/proc/{}/task", self.child.id()))?.count() > 1
            && Instant::now() < deadline
        {
            std::thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Voluntary context switches of all its threads so far (proc(5)).
    pub(crate) fn switches(&self) -> Result<u64> {
        let mut sum = 0;
        for task in fs::read_dir(format!("/proc/{}/task", self.child.id()))?.flatten() {
            let status = fs::read_to_string(task.path().join("status"))?;
            sum += number(&status, "voluntary_ctxt_switches:")?;
        }
        Ok(sum)
    }

    /// Its share of the memory that is resident, in KiB.
    pub(crate) fn memory(&self) -> Result<u64> {
        number(&fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?, "Pss:")
    }

    fn wait_until_running(&mut self) -> Result<()> {
        let deadline = Instant::now() + Duration::from_secs(60);
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait()? {
                bail!("bilayer ended with {status}");
            }
            if self.is_running().unwrap_or(false) {
                return Ok(());
            }
            std::thread::park_timeout(Duration::from_millis(100));
        }
        bail!("the agents did not all run within a minute")
    }

    fn is_running(&self) -> Result<bool> {
        let output = Command::new(crate::built("bilayer")?)
            .arg("--config")
            .arg(&self.config)
            .args(["status", "--json"])
            .stdin(Stdio::null())
            .output()?;
        let status: Value = serde_json::from_slice(&output.stdout)?;
        let agents = status["agents"].as_array().context("status lists agents")?;
        Ok(!agents.is_empty() && agents.iter().all(|agent| agent["state"] == "running"))
    }
}

impl Drop for Layer0 {
    fn drop(&mut self) {
        let _ = i32::try_from(self.child.id())
            .ok()
            .and_then(Pid::from_raw)
            .map(|pid| kill_process(pid, Signal::TERM));
        let _ = self.child.wait();
    }
}

fn number(text: &str, key: &str) -> Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let value = line.and_then(|rest| rest.split_whitespace().next()).with_context(|| format!("no {key}"))?;
    Ok(value.parse()?)
}
