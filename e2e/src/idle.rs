//! What an idle service costs on real logind, for the benchmark: a number, not a verdict.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::bed::{Bed, Desktop, Seat, Setting};
use crate::configuration::EVERYONE;
use crate::layer0::{Layer0, running};

/// Who logs in, in this order.
const LOGINS: [(&str, u32, Desktop); 3] =
    [("alice", 1001, Desktop::Wayland), ("bob", 1002, Desktop::X11), ("carol", 1003, Desktop::Wayland)];

/// How many sessions can be had.
pub(crate) const SESSIONS_MAX: u64 = LOGINS.len() as u64;

/// Prints `switches N` and `sessions N`.
pub(crate) fn measure(seat: Seat, sessions: usize, seconds: u64) -> Result<()> {
    let bed = Bed::boot(Setting::USUAL, seat)?;
    let service = Layer0::start(&bed, EVERYONE)?;
    for (user, uid, desktop) in LOGINS.into_iter().take(sessions) {
        bed.login(user, desktop)?;
        // A session without a display is looked at again every time, in case that it has one by now.
        let display = if desktop == Desktop::X11 { "DISPLAY=:0" } else { "WAYLAND_DISPLAY=wayland-0" };
        bed.publish_display(user, uid, display)?;
        running(&bed, "desk", user)?;
    }
    let process = service.process(&bed)?;
    // What follows a logon (handshakes, log lines, the manager's own start) is not idleness.
    thread::park_timeout(Duration::from_secs(15));
    let before = process.switches()?;
    thread::park_timeout(Duration::from_secs(seconds));
    println!("switches {}\nsessions {sessions}", process.switches()? - before);
    Ok(())
}
