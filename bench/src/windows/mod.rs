//! The same on Windows: programs for Windows under Wine, on this machine.
//!
//! Wine has no kernel of its own: a Windows process is a process of this machine, and every call that involves another
//! process is a round trip to Wine's server. So the numbers say nothing about a real Windows; the ratios say what Bilayer adds
//! to what the same system calls cost anybody.

mod bed;
mod crowd;
mod layer0;
mod notes;
mod process;
mod restart;
mod session;

use std::path::Path;

use anyhow::Result;

use crate::table::Row;
use bed::Bed;

/// What to measure, and how often.
pub(crate) struct Plan<'a> {
    /// Crashes of each.
    pub(crate) crashes: usize,
    /// Shawl, where it was built.
    pub(crate) shawl: Option<&'a Path>,
    /// Whether a measurement of this name is asked for.
    pub(crate) is_asked: &'a dyn Fn(&str) -> bool,
}

/// Measures everything in one prefix of its own.
pub(crate) fn measure(plan: &Plan<'_>, add: &mut dyn FnMut(&str, Result<Vec<Row>>)) -> Result<()> {
    let bed = Bed::fresh()?;
    if (plan.is_asked)("restart") {
        add("crash to new process under Wine", restart::measure(&bed, plan.crashes, plan.shawl));
    }
    if (plan.is_asked)("session") {
        add("session event to connected agent under Wine", session::measure(&bed));
    }
    if (plan.is_asked)("crowd") {
        for agents in [1, 100] {
            add("agents side by side under Wine", crowd::measure(&bed, agents));
        }
    }
    Ok(())
}
