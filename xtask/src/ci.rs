//! Everything that must hold before a change lands: one step after the other, all of them even when one fails.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::tests::{self, Count};
use crate::{docs, fuzz, licences, tidy, wasm};

/// The steps, cheap and telling ones first.
const STEPS: [(&str, Step); 14] = [
    ("format", || crate::format().map(done)),
    ("tidy", || tidy::tidy().map(done)),
    ("licences", || licences::deny().map(done)),
    ("clippy", || crate::clippy().map(done)),
    ("clippy for Windows", || crate::clippy_windows().map(done)),
    ("check for MSVC", || crate::check_msvc().map(done)),
    ("core without a host", || wasm::wasm().map(done)),
    ("tests", || tests::workspace().map(Outcome::Counted)),
    ("schema files", || docs::schema(true).map(done)),
    ("commands of the README", || docs::readme().map(done)),
    ("simulation", || crate::sim(10_000_000).map(done)),
    ("fuzzing", || fuzz::fuzz(15).map(done)),
    ("whole system on Linux", || tests::e2e_linux(&[]).map(Outcome::Counted)),
    ("Windows half under Wine", || tests::e2e_windows(&[]).map(Outcome::Counted)),
];

type Step = fn() -> Result<Outcome>;

enum Outcome {
    Done,
    Counted(Count),
    Failed,
}

fn done((): ()) -> Outcome {
    Outcome::Done
}

/// Runs the steps whose name contains one of `only`, or all of them, and ends with `N passed, N failed`.
///
/// A step that counts no tests counts as one.
pub(crate) fn ci(only: &[String]) -> Result<()> {
    let mut report = Vec::new();
    for (name, step) in STEPS {
        if !only.is_empty() && !only.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        println!("\n=== {name} {}", "=".repeat(100 - name.len()));
        let start = Instant::now();
        let outcome = step().unwrap_or_else(|error| {
            println!("error: {error:#}");
            Outcome::Failed
        });
        report.push((name, outcome, start.elapsed()));
    }
    summary(&report)
}

fn summary(report: &[(&str, Outcome, Duration)]) -> Result<()> {
    println!("\n=== summary {}", "=".repeat(93));
    let mut total = Count::default();
    for (name, outcome, time) in report {
        let (text, passed, failed) = match outcome {
            Outcome::Done => ("ok".to_owned(), 1, 0),
            Outcome::Failed => ("FAILED".to_owned(), 0, 1),
            Outcome::Counted(Count { passed: 0, failed: 0 }) => ("SKIPPED, see above".to_owned(), 0, 0),
            Outcome::Counted(Count { passed, failed: 0 }) => (format!("ok, {passed} tests"), *passed, 0),
            Outcome::Counted(Count { passed, failed }) => {
                (format!("FAILED, {failed} of {}", passed + failed), *passed, *failed)
            }
        };
        println!("{name:<26}{:>7.1} s  {text}", time.as_secs_f32());
        total.passed += passed;
        total.failed += failed;
    }
    println!("\n{} passed, {} failed", total.passed, total.failed);
    match total.failed {
        0 => Ok(()),
        _ => bail!("not everything holds"),
    }
}
