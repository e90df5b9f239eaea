//! Standard libraries for other targets.

use anyhow::Result;

use crate::process::{program, run};

/// Where the core must be able to live without a host.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// The Windows that this machine can compile for.
pub(crate) const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// Gives the installed compiler a standard library for `target`, if it has none.
pub(crate) fn ensure(target: &str) -> Result<()> {
    run(&mut program("bash", ["xtask/target-std.sh", target]))
}
