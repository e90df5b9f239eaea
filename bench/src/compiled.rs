//! The C programs of this crate, compiled for one run.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Nothing but the kernel stands between exec and the first instruction.
pub(crate) const BARE: &[&str] = &["-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector"];

/// Compiles `name.c` into the folder.
pub(crate) fn compile(folder: &Path, name: &str, flags: &[&str]) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.c"));
    let program = folder.join(name);
    let status = Command::new("gcc").arg("-O2").args(flags).arg("-o").arg(&program).arg(&source).status();
    ensure!(status.context("cannot start gcc")?.success(), "gcc could not compile {}", source.display());
    Ok(program)
}
