//! Starting a process.

use crate::{Command, LaunchError, LaunchErrorKind, Output, Process, Station};

/// A started program.
pub struct Launched {
    /// The process.
    pub process: Process,
    /// What it writes to its standard output.
    pub stdout: Output,
    /// What it writes to its standard error.
    pub stderr: Output,
}

/// Starts a program at a station. Called on the thread of the loop, which must live as long as the program may: the
/// parent-death signal is tied to it.
pub fn launch(_station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    Err(LaunchError::refused(
        "execute",
        command.program.display().to_string(),
        LaunchErrorKind::Wrong,
        "not yet",
    ))
}
