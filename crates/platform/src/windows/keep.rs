//! What lets a process outlive this program: named jobs.
//!
//! Not there yet: a launch that asks for it is refused, nothing is ever found again, and nothing is left that could be swept,
//! since every job still ends with this program.

use std::io;

use crate::{Command, Process, ProcessRecord, Station};

/// The boot that a record belongs to: not needed here, because the creation time of a process is an absolute time.
pub(crate) fn boot() -> String {
    String::new()
}

/// The name of the job that a process will be born in.
pub(crate) fn group(_station: &Station, _command: &Command) -> Option<String> {
    None
}

pub(crate) fn adopt(_record: &ProcessRecord) -> io::Result<Option<Process>> {
    Ok(None)
}

pub(crate) fn sweep(_record: &ProcessRecord) -> io::Result<usize> {
    Ok(0)
}

pub(crate) fn release(_record: &ProcessRecord) -> io::Result<()> {
    Ok(())
}
