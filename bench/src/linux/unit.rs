//! A unit of the container's systemd, in which a supervisor runs with everything that it starts.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// A running service; dropping it ends all its processes.
#[derive(Debug)]
pub(super) struct Unit {
    name: String,
    end: Command,
}

impl Unit {
    /// Runs a program as a transient service, with its control group delegated.
    pub(super) fn run<'w>(name: &str, words: impl IntoIterator<Item = &'w str>) -> Result<Self> {
        let mut run = Command::new("systemd-run");
        run.args(["--quiet", "--collect", "--service-type=exec", "--property=Delegate=yes"]);
        run.args(["--property=KillSignal=SIGKILL", "--property=LimitNOFILE=65536"]);
        said(run.arg(format!("--unit={name}")).arg("--").args(words))?;
        Ok(Self::started(format!("{name}.service")))
    }

    /// Units that have been started already, as a pattern.
    pub(super) fn started(name: String) -> Self {
        let mut end = Command::new("systemctl");
        end.args(["stop", &name]);
        Self { name, end }
    }

    /// A service that another command ends.
    pub(super) fn ended_by(name: &str, end: Command) -> Self {
        Self { name: format!("{name}.service"), end }
    }

    /// The processes in the control group of a service: the supervisor's own and those that it supervises.
    pub(super) fn processes(&self) -> Result<Vec<u32>> {
        let folder = Path::new("/sys/fs/cgroup/system.slice").join(&self.name);
        let mut pids = Vec::new();
        collect(&folder, &mut pids).with_context(|| folder.display().to_string())?;
        Ok(pids)
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        if let Err(error) = said(&mut self.end) {
            eprintln!("{error:#}");
        }
    }
}

fn collect(folder: &Path, pids: &mut Vec<u32>) -> Result<()> {
    let here = fs::read_to_string(folder.join("cgroup.procs"))?;
    pids.extend(here.lines().filter_map(|line| line.parse::<u32>().ok()));
    let below: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
    below.iter().filter(|path| path.is_dir()).try_for_each(|path| collect(path, pids))
}

/// Runs a command to its end and returns what it printed; an error carries what it said instead.
pub(super) fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    if !output.status.success() {
        let text = String::from_utf8_lossy(&output.stderr);
        bail!("{command:?} ended with {}: {}", output.status, text.trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
