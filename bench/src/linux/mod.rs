//! Layer 0 beside its peers, on real systemd and logind, in the container of the whole-system tests.
//!
//! Everything that is compared runs in the same container, and so does what measures it ([`inside`]): a kill and the birth that
//! follows are noted on one clock, in one process-id namespace. This file is the half outside: it compiles the C programs, lets
//! `e2e` boot the container with the peers' packages in it, and carries the programs in.

mod footprint;
mod inside;
mod layer0;
mod logins;
mod peer;
mod peers;
mod report;
mod restart;
mod session;
mod unit;

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::compiled::{BARE, compile};

pub(crate) use inside::{Plan, measure as measure_inside};

/// An option of the half inside.
const REAL_TIME: &str = "--real-time";

/// What is passed on.
pub(crate) fn options(only: &[String], idle_seconds: u64, real_time: bool) -> Vec<String> {
    let mut options = vec![format!("--idle-seconds={idle_seconds}")];
    options.extend(real_time.then(|| REAL_TIME.to_owned()));
    options.extend((!only.is_empty()).then(|| format!("--only={}", only.join(","))));
    options
}

/// Boots, measures inside and prints what was found there.
pub(crate) fn measure(folder: &Path, options: &[String]) -> Result<()> {
    let e2e = crate::built("e2e")?;
    let (user, child) =
        (format!("-DUSER={}", peer::ALICE), format!("-DCHILD=\"{}/child\"", inside::PROGRAMS));
    let programs = [
        compile(folder, "child", BARE)?,
        compile(folder, "become", &[BARE, &[&user, &child]].concat())?,
        compile(folder, "floor", &["-static"])?,
        compile(folder, "client", &["-static"])?,
        compile(folder, "listener", &["-static"])?,
        crate::built("bilayer")?,
    ];
    let boots_with_peers = Command::new(&e2e).args(["--peers", "--inside", "/bin/true"]).status()?.success();
    let mut run = Command::new(e2e);
    if boots_with_peers {
        run.arg("--peers");
    } else {
        println!(
            "\n!!! SKIPPED: no container with their packages: runit, s6 and supervisord are not measured\n"
        );
    }
    for program in &programs {
        run.arg("--bring").arg(program);
    }
    run.arg("--inside").arg(std::env::current_exe()?).arg("inside").args(options);
    let status = run.status().context("cannot start e2e")?;
    ensure!(status.success(), "the measurement inside ended with {status}");
    let before_all = options.iter().any(|option| option == REAL_TIME);
    let how = if before_all { ", everything that is measured under SCHED_RR" } else { "" };
    println!("{}{how}", crate::machine::describe());
    Ok(())
}
