//! One program inside the container, for tests that need nothing of it but a real system.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Seat, Setting, Variant};

const PROGRAM: &str = "/usr/local/bin/program-under-test";

/// What the benchmark compares, as Debian packages.
const PEERS: &[&str] = &["s6", "execline", "runit", "supervisor"];

/// What the program finds inside.
pub(crate) struct With<'a> {
    /// Programs of the host, by their own names in the same folder.
    pub(crate) files: &'a [PathBuf],
    /// Whether the system has the peers.
    pub(crate) peers: bool,
}

/// Boots, runs the program to its end as a unit of the container's own systemd, and returns how it ended.
pub(crate) fn run(program: &str, args: &[String], with: &With<'_>) -> Result<ExitCode> {
    let usual = Setting::USUAL;
    let packages = if with.peers { PEERS } else { usual.system.packages };
    let setting = Setting { system: Variant { packages, ..usual.system }, ..usual };
    ensure!(Bed::can_boot(setting)?, "there is no system with {}", packages.join(", "));
    let bed = Bed::boot(setting, Seat::Plain)?;
    bed.install(Path::new(program), PROGRAM)?;
    for file in with.files {
        let name = file.file_name().and_then(|name| name.to_str()).context("a program has a name")?;
        bed.install(file, &format!("/usr/local/bin/{name}"))?;
    }
    let status = bed
        .inside(["systemd-run", "--quiet", "--pipe", "--wait", "--property=Delegate=yes", "--", PROGRAM])
        .args(args)
        .status()
        .with_context(|| format!("cannot run {program} inside"))?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}
