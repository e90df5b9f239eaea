//! What an idle service costs on real logind, for the benchmark: a number, not a verdict.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::bed::{Bed, Desktop, Seat, Setting};
use crate::layer0::{Layer0, running};

const CONFIG: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
needs_display = false
"#;

/// Prints `switches N` and `sessions N`.
pub(crate) fn measure(seat: Seat, seconds: u64) -> Result<()> {
    let bed = Bed::boot(Setting { kill_user_processes: false }, seat)?;
    let service = Layer0::start(&bed, CONFIG)?;
    for (user, desktop) in [("alice", Desktop::Wayland), ("bob", Desktop::X11)] {
        bed.login(user, desktop)?;
        running(&bed, "desk", user)?;
    }
    let process = service.process(&bed)?;
    // What follows a logon (handshakes, log lines, the manager's own start) is not idleness.
    thread::park_timeout(Duration::from_secs(15));
    let before = process.switches()?;
    thread::park_timeout(Duration::from_secs(seconds));
    println!("switches {}\nsessions 2", process.switches()? - before);
    Ok(())
}
