//! Every fuzz target for a short while: enough to catch what a change broke, not to search for long.

use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{cargo, have, program, read, run};
use crate::{root, setup};

pub(crate) fn fuzz(seconds: u32) -> Result<()> {
    setup::ensure(&[setup::CXX])?;
    if !have("cargo-fuzz") {
        println!("cargo-fuzz is missing; building it once");
        run(&mut cargo(["install", "--quiet", "--locked", "cargo-fuzz"]))?;
    }
    // The host's name, or cargo-fuzz takes the target that it was itself built for, whose library may be missing.
    let version = read(&mut program("rustc", ["-vV"]))?;
    let host =
        version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names its host")?;
    for target in read(&mut cargo_fuzz("list"))?.lines() {
        let corpus = format!("fuzz/corpus/{target}");
        std::fs::create_dir_all(root().join(&corpus))?;
        // What is fuzzed has no unsafe code, so there is nothing for a sanitizer to find.
        let mut command = cargo_fuzz("run");
        command.args(["--sanitizer", "none", "--target", host, target, &corpus, "fuzz/seeds"]);
        run(command.arg("--").args([
            &format!("-max_total_time={seconds}"),
            "-rss_limit_mb=1024",
            "-verbosity=0",
        ]))?;
    }
    Ok(())
}

/// Coverage is an unstable flag; this lets the stable compiler take it.
fn cargo_fuzz(what: &str) -> Command {
    let mut command = cargo(["fuzz", what]);
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}
