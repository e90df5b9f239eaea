//! What the kernel of this machine says about a Windows process.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::bed::read;

/// A process, by its number on this machine. Windows has another for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pid: u32,
}

impl Process {
    /// Every living process of a prefix whose program is `program`, by its file name.
    pub(crate) fn all(prefix: &Path, program: &str) -> Result<Vec<Process>> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").context("/proc")?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let process = Process { pid };
            if process.program().as_deref() == Some(program) && process.is_in(prefix) && !process.is_dead() {
                found.push(process);
            }
        }
        Ok(found)
    }

    /// This child of the runner.
    pub(crate) fn of(child: &std::process::Child) -> Process {
        Process { pid: child.id() }
    }

    /// The file name of its program, as Windows knows it.
    fn program(&self) -> Option<String> {
        let words = self.words()?;
        Some(words.first()?.rsplit('\\').next()?.to_owned())
    }

    /// Its command line. Wine overwrites that of its loader, and leaves zeros behind it.
    pub(crate) fn words(&self) -> Option<Vec<String>> {
        let line = fs::read(self.file("cmdline")).ok()?;
        let line = String::from_utf8_lossy(&line);
        Some(line.trim_end_matches('\0').split('\0').map(str::to_owned).collect())
    }

    fn is_in(&self, prefix: &Path) -> bool {
        let Ok(environment) = fs::read(self.file("environ")) else { return false };
        let wanted = format!("WINEPREFIX={}", prefix.display());
        environment.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    }

    /// Whether it is gone or a zombie.
    pub(crate) fn is_dead(&self) -> bool {
        let Ok(status) = fs::read_to_string(self.file("status")) else { return true };
        let state = status.lines().find_map(|line| line.strip_prefix("State:"));
        state.is_none_or(|state| state.trim().starts_with(['Z', 'X']))
    }

    /// Ends it without a word to it or to Wine.
    pub(crate) fn kill(&self) -> Result<()> {
        self.signal("-KILL")
    }

    /// What Ctrl-C does to a program in a console of Wine.
    pub(crate) fn interrupt(&self) -> Result<()> {
        self.signal("-INT")
    }

    /// Stops it where it is: it hangs.
    pub(crate) fn freeze(&self) -> Result<()> {
        self.signal("-STOP")
    }

    fn signal(&self, signal: &str) -> Result<()> {
        read(Command::new("kill").args([signal, &self.pid.to_string()])).map(drop)
    }

    fn file(&self, name: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{name}", self.pid))
    }
}
