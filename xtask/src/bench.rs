//! Measurements beside the floor and the peers: what is measured is built first, as it is released.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::process::{cargo, program, run};
use crate::{is_root, root, setup, targets};

/// Beside it the Windows half is measured: the wrapper of its kind that restarts a program, from its authors' own package.
const SHAWL: (&str, &str) = ("shawl", "1.9.0");

/// In one's own session, on this machine.
pub(crate) fn console(options: &[String]) -> Result<()> {
    setup::ensure(&[setup::CC])?;
    let mut build = cargo(["build", "--release"]);
    run(
        build.args(["bilayer-cli", "rust-agent", "sim", "e2e"].map(|package| format!("--package={package}")))
    )?;
    run(cargo(["run", "--release", "--package", "bench", "--"]).args(options))
}

/// Layer 0 as a service on real systemd, beside its peers. Their packages are installed in the container alone.
pub(crate) fn linux(options: &[String]) -> Result<()> {
    anyhow::ensure!(is_root(), "a container with real systemd needs root: sudo -E cargo xtask bench --linux");
    setup::ensure(&[setup::CC, setup::NSPAWN, setup::MMDEBSTRAP])?;
    run(cargo(["build", "--release"])
        .args(["bilayer-cli", "e2e"].map(|package| format!("--package={package}"))))?;
    run(cargo(["run", "--release", "--package", "bench", "--", "--linux"]).args(options))
}

/// The Windows half, under Wine on this machine.
pub(crate) fn windows(options: &[String]) -> Result<()> {
    setup::ensure(&[setup::MINGW, setup::WINE])?;
    targets::ensure(targets::WINDOWS)?;
    let mut build = cargo(["build", "--release", "--target", targets::WINDOWS]);
    build.args(["--package=bilayer-cli", "--package=wtsapi32-stand-in"]);
    run(targets::optimise_at_link(&mut build, targets::WINDOWS)?)?;
    let mut measure = cargo(["run", "--release", "--package", "bench", "--", "--windows"]);
    match shawl() {
        Ok(program) => measure.arg("--shawl").arg(program),
        // It is another project's: a table without it is better than none.
        Err(error) => {
            println!("\n!!! SKIPPED: Shawl is not measured: {error:#}\n");
            &mut measure
        }
    };
    run(measure.args(options))
}

/// Builds Shawl for Windows, once.
fn shawl() -> Result<PathBuf> {
    let (name, version) = SHAWL;
    let cache = root().join("target/bench").join(format!("{name}-{version}"));
    let built = cache.join("bin/shawl.exe");
    if built.exists() {
        return Ok(built);
    }
    let mut install =
        cargo(["install", name, "--version", version, "--locked", "--target", targets::WINDOWS]);
    install.arg("--root").arg(&cache).arg("--target-dir").arg(cache.join("build"));
    // Its build script looks for a resource compiler under the name that it has on Windows.
    install.env("PATH", with_windres(&cache.join("tools"))?);
    run(targets::optimise_at_link(&mut install, targets::WINDOWS)?)?;
    std::fs::remove_dir_all(cache.join("build"))?;
    Ok(built)
}

/// The path with a folder in front in which `windres` is that of the cross compiler.
fn with_windres(tools: &Path) -> Result<OsString> {
    std::fs::create_dir_all(tools)?;
    let link = "ln -sf \"$(command -v x86_64-w64-mingw32-windres)\" \"$0\"/windres";
    run(program("sh", ["-c", link]).arg(tools))?;
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(tools.to_owned()).chain(std::env::split_paths(&path)))?)
}
