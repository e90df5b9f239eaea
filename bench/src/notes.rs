//! What children note of their births, on Linux.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};
use rustix::time::{ClockId, clock_gettime};

/// A process, and when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Birth {
    pub(crate) pid: u64,
    /// On the clock of [`now`], in nanoseconds.
    pub(crate) at: u64,
}

impl Birth {
    /// Kills it, and returns when.
    pub(crate) fn kill(self) -> Result<u64> {
        let pid =
            i32::try_from(self.pid).ok().and_then(Pid::from_raw).context("a child noted a wrong pid")?;
        let killed = now();
        kill_process(pid, Signal::KILL).context("cannot kill the child")?;
        Ok(killed)
    }

    /// How long after `killed` it began, in microseconds, if it is the successor of `before`.
    pub(crate) fn after(self, killed: u64, before: Birth) -> Result<f64> {
        ensure!(
            self.pid != before.pid && self.at > killed,
            "process {} was killed and came back",
            before.pid
        );
        Ok((self.at - killed) as f64 / 1000.0)
    }
}

/// A pipe with a name, and the births that are noted in it.
#[derive(Debug)]
pub(crate) struct Notes {
    births: Receiver<Birth>,
    fifo: PathBuf,
}

impl Notes {
    /// Makes the pipe, for everybody to write to.
    pub(crate) fn new(fifo: &Path) -> Result<Self> {
        let made = Command::new("mkfifo").args(["-m", "666"]).arg(fifo).status()?;
        ensure!(made.success(), "cannot make {}", fifo.display());
        // Opened for both, it neither waits for a writer nor ends when there is none (fifo(7)).
        let file = OpenOptions::new().read(true).write(true).open(fifo)?;
        let (sender, births) = channel();
        std::thread::spawn(move || {
            while let Ok(birth) = read(&file) {
                if sender.send(birth).is_err() {
                    return;
                }
            }
        });
        Ok(Self { births, fifo: fifo.to_owned() })
    }

    /// The pipe's path, for the child.
    pub(crate) fn fifo(&self) -> &Path {
        &self.fifo
    }

    /// Waits for the next birth.
    pub(crate) fn next(&self, within: Duration) -> Result<Birth> {
        self.births.recv_timeout(within).with_context(|| {
            format!("no new process within {} s in {}", within.as_secs(), self.fifo.display())
        })
    }
}

/// The clock that the child reads, in nanoseconds.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn read(mut file: &File) -> std::io::Result<Birth> {
    let mut note = [[0; 8]; 2];
    file.read_exact(note.as_flattened_mut())?;
    Ok(Birth { pid: u64::from_ne_bytes(note[0]), at: u64::from_ne_bytes(note[1]) })
}
