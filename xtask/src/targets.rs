//! Standard libraries for other targets.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{program, read, run};
use crate::setup;

/// Where the core must be able to live without a host.
pub(crate) const WASM: &str = "wasm32-unknown-unknown";
/// The Windows that this machine can compile for.
pub(crate) const WINDOWS: &str = "x86_64-pc-windows-gnu";
/// The Windows that people on Windows compile for.
pub(crate) const MSVC: [&str; 2] = ["x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc"];

/// Gives the installed compiler a standard library for `target`, if it has none.
pub(crate) fn ensure(target: &str) -> Result<()> {
    if target == WINDOWS {
        // The library's own build asks for its dlltool.
        setup::ensure(&[setup::MINGW])?;
    }
    run(&mut program("bash", ["xtask/target-std.sh", target]))
}

/// Makes a release build for `target` do without optimisation at link time where the standard library cannot take part in it.
pub(crate) fn optimise_at_link<'c>(build: &'c mut Command, target: &str) -> Result<&'c mut Command> {
    if !has_bitcode(target)? {
        println!("the standard library for {target} has no bitcode: no optimisation at link time");
        build.env("CARGO_PROFILE_RELEASE_LTO", "off");
    }
    Ok(build)
}

/// Whether the standard library for `target` can take part in link-time optimisation. One that was built from source has no
/// bitcode in its objects.
fn has_bitcode(target: &str) -> Result<bool> {
    let sysroot = read(&mut program("rustc", ["--print", "sysroot"]))?;
    let folder = Path::new(sysroot.trim()).join("lib/rustlib").join(target).join("lib");
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("libcore-") && name.ends_with(".rlib") {
            // The name of the section, in ELF and COFF alike.
            let library = fs::read(entry.path())?;
            return Ok(library.windows(b".llvmbc".len()).any(|bytes| bytes == b".llvmbc"));
        }
    }
    Ok(false)
}
