//! Standard libraries for other targets.

use anyhow::Result;

use crate::process::{program, run};
use crate::setup;

/// Where the core must be able to live without a host.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// The Windows that this machine can compile for.
pub(crate) const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// Gives the installed compiler a standard library for `target`, if it has none.
pub(crate) fn ensure(target: &str) -> Result<()> {
    if target == WINDOWS {
        // The library's own build asks for its dlltool.
        setup::ensure(&[setup::MINGW])?;
    }
    run(&mut program("bash", ["xtask/target-std.sh", target]))
}
