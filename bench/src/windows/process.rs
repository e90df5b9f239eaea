//! What the kernel of this machine says about a Windows process.

use std::fs;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

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

    /// Ends it without a word to it or to Wine.
    pub(crate) fn kill(self) -> Result<()> {
        kill_process(self.0, Signal::KILL).context("cannot kill a Windows process")
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
