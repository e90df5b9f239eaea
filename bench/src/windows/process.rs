//! What the kernel of this machine says about a Windows process.

use std::fs;
use std::os::fd::OwnedFd;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// A process, by its number on this machine. Windows has another for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Process(Pid);

impl Process {
    /// The living processes whose program has this file name and whose command line holds `word`.
    pub(crate) fn all(program: &str, word: &str) -> Result<Vec<Self>> {
        let pids = fs::read_dir("/proc").context("/proc")?.flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
        Ok(pids.filter(|pid| is(*pid, program, word)).map(Self).collect())
    }

    /// The only one of them.
    pub(crate) fn one(program: &str, word: &str) -> Result<Self> {
        let all = Self::all(program, word)?;
        match all.as_slice() {
            [one] => Ok(*one),
            _ => anyhow::bail!("{} processes are {program} with {word}, not one", all.len()),
        }
    }

    /// This child of ours.
    pub(crate) fn of(child: &std::process::Child) -> Result<Self> {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self(pid.context("a child's number is a process's")?))
    }

    /// Resident memory, all of it and what is its own alone, in MiB.
    pub(crate) fn memory(self) -> Result<Memory> {
        let file = format!("/proc/{}/smaps_rollup", self.0.as_raw_nonzero());
        let text = fs::read_to_string(&file).with_context(|| file.clone())?;
        let sum = |keys: &[&str]| {
            let lines = text.lines().filter(|line| keys.iter().any(|key| line.starts_with(key)));
            let numbers = lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<f64>().ok());
            numbers.sum::<f64>() / 1024.0
        };
        Ok(Memory { resident: sum(&["Rss:"]), own: sum(&["Private_Clean:", "Private_Dirty:"]) })
    }

    /// What tells its end, whoever else may be given its number.
    pub(crate) fn end(self) -> Result<End> {
        Ok(End(pidfd_open(self.0, PidfdFlags::empty()).context("cannot watch a Windows process")?))
    }

    /// What Ctrl-C does to a program in a console of Wine.
    pub(crate) fn interrupt(self) -> Result<()> {
        kill_process(self.0, Signal::INT).context("cannot interrupt a Windows process")
    }

    /// Ends it without a word to it or to Wine.
    pub(crate) fn kill(self) -> Result<()> {
        kill_process(self.0, Signal::KILL).context("cannot kill a Windows process")
    }
}

/// Resident memory in MiB.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Memory {
    pub(crate) resident: f64,
    /// What it shares with no other process: Wine's own libraries are shared by as many as there are.
    pub(crate) own: f64,
}

/// The end of a process, which may have come.
#[derive(Debug)]
pub(crate) struct End(OwnedFd);

impl End {
    /// Waits for it, at most this long.
    pub(crate) fn wait(&self, limit: Duration) -> Result<()> {
        let limit = Timespec::try_from(limit).context("a limit of some seconds")?;
        let ended = poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&limit))?;
        ensure!(ended == 1, "a process lives on");
        Ok(())
    }
}

/// Wine overwrites the command line of its loader with that of Windows, and leaves zeros behind it.
fn is(pid: Pid, program: &str, word: &str) -> bool {
    let Ok(line) = fs::read(format!("/proc/{}/cmdline", pid.as_raw_nonzero())) else { return false };
    let line = String::from_utf8_lossy(&line);
    let mut words = line.split('\0');
    let name = words.next().and_then(|first| first.rsplit('\\').next());
    name == Some(program) && words.any(|given| given == word)
}
