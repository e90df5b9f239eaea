//! One program inside the container, for tests that need nothing of it but a real system.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::bed::{Bed, Seat, Setting};

const PROGRAM: &str = "/usr/local/bin/program-under-test";

/// Boots, runs the program to its end as a unit of the container's own systemd, and returns how it ended.
pub(crate) fn run(program: &str, args: &[String]) -> Result<ExitCode> {
    let bed = Bed::boot(Setting::USUAL, Seat::Plain)?;
    bed.install(Path::new(program), PROGRAM)?;
    let status = bed
        .inside(["systemd-run", "--quiet", "--pipe", "--wait", "--property=Delegate=yes", "--", PROGRAM])
        .args(args)
        .status()
        .with_context(|| format!("cannot run {program} inside"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
