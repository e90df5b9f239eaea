//! How fast the core decides.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};

use crate::table::Row;

/// Simulated events a second on one core, with every invariant checked after every event.
pub(crate) fn measure(events: u64) -> Result<Vec<Row>> {
    let start = Instant::now();
    let output = Command::new(crate::built("sim")?).args(["--events", &events.to_string()]).output()?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(output.status.success(), "the simulation failed: {}", String::from_utf8_lossy(&output.stdout));
    Ok(vec![Row::at_least("simulated events a second", events as f64 / seconds / 1e6, 5.0, "million")])
}
