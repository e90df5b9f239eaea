//! Test suites, and how many of their tests passed.

use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{cargo, watch};
use crate::{dist, is_root, root, setup, targets, typescript};

/// How many tests a suite ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl std::ops::Add for Count {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

impl Count {
    /// An error if anything failed or nothing ran.
    pub(crate) fn verdict(self) -> Result<()> {
        println!("{} passed, {} failed", self.passed, self.failed);
        match self {
            Self { passed: 0, failed: 0 } => bail!("no test ran"),
            Self { failed: 0, .. } => Ok(()),
            Self { failed, .. } => bail!("{failed} failed"),
        }
    }

    /// Adds what a line of a test runner's output says: cargo's `test result:` or a plain `N passed, N failed`.
    fn add_line(&mut self, line: &str) {
        let counts = match line.strip_prefix("test result:") {
            Some(rest) => rest.split_once(". ").map(|(_, counts)| counts).unwrap_or_default(),
            None if line.ends_with(" failed") => line,
            None => return,
        };
        for part in counts.split([';', ',']) {
            match part.trim().split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }
}

/// Every test of the workspace, documentation examples among them.
pub(crate) fn workspace() -> Result<Count> {
    typescript::build()?;
    let mut tests = cargo(["test", "--workspace", "--no-fail-fast"]);
    if std::env::consts::OS == "windows" {
        tests.args(crate::NOT_FOR_WINDOWS.map(|package| format!("--exclude={package}")));
    }
    suite("the tests", &mut tests)
}

/// The whole system on real systemd and logind.
pub(crate) fn e2e_linux(options: &[String]) -> Result<Count> {
    if std::env::consts::OS != "linux" || !is_root() {
        return skip("the container with real systemd needs Linux and root: sudo -E cargo xtask e2e-linux");
    }
    setup::ensure(&[setup::NSPAWN, setup::MMDEBSTRAP])?;
    build(&["bilayer-cli", "rust-agent", "e2e"])?;
    dist::linux::packages_for_tests(&root().join("target/debug/bilayer"))?;
    let scenarios = suite("e2e-linux", cargo(["run", "--quiet", "--package", "e2e", "--"]).args(options))?;
    // Whoever asks for something in particular gets that alone.
    if options.is_empty() { Ok(scenarios + contract_inside()?) } else { Ok(scenarios) }
}

/// The tests of the platform crate's Linux half once more, where every instance has a control group of its own.
fn contract_inside() -> Result<Count> {
    let runner = root().join("target/debug/e2e");
    let runner = format!("target.'cfg(target_os = \"linux\")'.runner = ['{}', '--inside']", runner.display());
    let mut tests = cargo(["test", "--package", "bilayer-platform", "--lib", "--tests", "--no-fail-fast"]);
    suite("the platform's tests inside", tests.args(["--config", &runner]))
}

/// The Windows half, run under Wine: whole-system scenarios, and the tests of the crates that talk to the system.
pub(crate) fn e2e_windows(options: &[String]) -> Result<Count> {
    if std::env::consts::OS != "linux" {
        return skip("Wine runs on Linux; on Windows, `cargo xtask test` runs the tests of the crates");
    }
    setup::ensure(&[setup::MINGW, setup::WINE])?;
    targets::ensure(targets::WINDOWS)?;
    let scenarios = scenarios_under_wine(options)?;
    // Whoever asks for something in particular gets that alone.
    if options.is_empty() { Ok(scenarios + tests_under_wine()?) } else { Ok(scenarios) }
}

fn scenarios_under_wine(options: &[String]) -> Result<Count> {
    let windows = ["--target", targets::WINDOWS];
    let mut programs = cargo(["build", "--package", "bilayer-cli", "--package", "rust-agent"]);
    crate::process::run(programs.args(["--package", "wtsapi32-stand-in"]).args(windows))?;
    let mut agent =
        cargo(["build", "--package", "e2e-windows", "--features", "agent", "--bin", "windows-agent"]);
    crate::process::run(agent.args(windows))?;
    dist::windows::packages_for_tests(
        &root().join("target").join(targets::WINDOWS).join("debug/bilayer.exe"),
    )?;
    suite("e2e-windows", cargo(["run", "--quiet", "--package", "e2e-windows", "--"]).args(options))
}

fn tests_under_wine() -> Result<Count> {
    let mut tests = cargo(["test", "--target", targets::WINDOWS, "--no-fail-fast"]);
    for package in ["bilayer-platform", "bilayer-ipc", "bilayer-agent"] {
        tests.args(["--package", package]);
    }
    let runner = root().join("e2e/wine/run.sh");
    tests.env("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_RUNNER", runner);
    // Wine's service manager mixes up the handles of callers that install side by side.
    suite("the tests under Wine", tests.env("RUST_TEST_THREADS", "1"))
}

fn build(packages: &[&str]) -> Result<()> {
    let mut command = cargo(["build"]);
    for package in packages {
        command.args(["--package", package]);
    }
    crate::process::run(&mut command)
}

fn suite(name: &str, command: &mut Command) -> Result<Count> {
    let mut count = Count::default();
    let success = watch(command, |line| count.add_line(line))?;
    match (success, count.failed) {
        (false, 0) => bail!("{name} ended before it could count its tests"),
        (true, failed) if failed > 0 => bail!("{name} reported {failed} failures and success"),
        _ => Ok(count),
    }
}

/// A check that cannot be made here. Said loudly, so that nobody takes silence for success.
fn skip(why: &str) -> Result<Count> {
    println!("\n!!! SKIPPED: {why}\n");
    Ok(Count::default())
}

#[cfg(test)]
mod test {
    use super::Count;

    fn count(lines: &[&str]) -> Count {
        let mut count = Count::default();
        lines.iter().for_each(|line| count.add_line(line));
        count
    }

    #[test]
    fn lines_of_both_kinds_are_added_up() {
        let lines = [
            "running 2 tests",
            "test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 3 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "14 passed, 2 failed",
            "a test said: it failed",
        ];
        assert_eq!(count(&lines), Count { passed: 19, failed: 3 });
    }

    #[test]
    fn a_run_without_tests_is_no_success() {
        assert!(Count::default().verdict().is_err());
        assert!(Count { passed: 1, failed: 0 }.verdict().is_ok());
        assert!(Count { passed: 1, failed: 1 }.verdict().is_err());
    }
}
