//! Every fuzz target for a short while: enough to catch what a change broke, not to search for long.

use anyhow::{Context, Result};

use crate::process::{cargo, program, read, run};
use crate::{root, setup};

pub(crate) fn fuzz(seconds: u32) -> Result<()> {
    setup::ensure(&[setup::CXX])?;
    if !crate::process::have("cargo-fuzz") {
        println!("cargo-fuzz is missing; building it once");
        run(&mut cargo(["install", "--quiet", "--locked", "cargo-fuzz"]))?;
    }
    // The host's name, or cargo-fuzz takes the target that it was itself built for, whose library may be missing.
    let version = read(&mut program("rustc", ["-vV"]))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    let targets = fuzz_cargo(&["list"])?;
    let targets = read(&mut { targets })?;
    for target in targets.lines() {
        let time = format!("-max_total_time={seconds}");
        run(&mut fuzz_cargo(&[
            "run",
            "--target",
            host,
            target,
            "--",
            &time,
            "-rss_limit_mb=1024",
            "-verbosity=0",
        ])?)?;
    }
    Ok(())
}

/// Sanitizers and coverage are unstable flags; this lets the stable compiler take them.
fn fuzz_cargo(args: &[&str]) -> Result<std::process::Command> {
    let mut command = cargo(["fuzz"]);
    command.args(args).env("RUSTC_BOOTSTRAP", "1");
    let fuzz = root().join("fuzz");
    anyhow::ensure!(fuzz.is_dir(), "there is no fuzz/");
    Ok(command)
}
