//! What the children note of their births.

use std::fs::File;
use std::io::Read;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::time::{ClockId, clock_gettime};

use super::bed::Bed;

/// From 1601, where Windows counts from, to 1970, in seconds.
const EPOCH_DIFFERENCE: i64 = 11_644_473_600;
/// How long a new process is waited for: longer than any of the peers takes.
const BIRTH_MAX: Duration = Duration::from_secs(20);
/// How often its note is looked for. Its time is in it, so that this makes nothing longer.
const LOOK: Duration = Duration::from_millis(2);

/// A file of notes, one after the other.
#[derive(Debug)]
pub(crate) struct Notes {
    file: File,
    windows: String,
}

impl Notes {
    /// Makes the file.
    pub(crate) fn new(bed: &Bed, name: &str) -> Result<Self> {
        let path = bed.path(name);
        File::create(&path)?;
        Ok(Self { file: File::open(&path)?, windows: bed.windows(name) })
    }

    /// Its name for the child, which is found by it.
    pub(crate) fn name(&self) -> &str {
        &self.windows
    }

    /// Waits for the next birth and returns when it was, in seconds since 1970.
    pub(crate) fn next(&mut self) -> Result<f64> {
        let deadline = Instant::now() + BIRTH_MAX;
        let mut note = [0; 16];
        let mut length = 0;
        while length < note.len() {
            match self.file.read(&mut note[length..]).context("cannot read the notes")? {
                0 => {
                    ensure!(
                        Instant::now() < deadline,
                        "no new process within {} s in {}",
                        BIRTH_MAX.as_secs(),
                        self.windows
                    );
                    std::thread::park_timeout(LOOK);
                }
                read => length += read,
            }
        }
        let (_, time) = note.split_at(8);
        Ok(since_1970(u64::from_ne_bytes(time.try_into().context("a note has two numbers")?)))
    }
}

/// The time of this machine, in seconds since 1970: Wine's programs are told the same.
pub(crate) fn now() -> f64 {
    let now = clock_gettime(ClockId::Realtime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// From a `FILETIME`: units of 100 ns since 1601.
fn since_1970(time: u64) -> f64 {
    let (seconds, rest) = (time / 10_000_000, time % 10_000_000);
    (seconds as i64 - EPOCH_DIFFERENCE) as f64 + rest as f64 / 1e7
}

#[cfg(test)]
mod tests {
    use super::since_1970;

    #[test]
    fn windows_counts_from_1601() {
        assert_eq!(since_1970(116_444_736_000_000_000), 0.0);
        assert_eq!(since_1970(132_854_688_005_000_000), 1_640_995_200.5);
    }
}
