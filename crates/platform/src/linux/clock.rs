//! The clock of the driver.

use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of a clock that stands still while the machine sleeps: `CLOCK_MONOTONIC`, clock_gettime(2).
pub fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    // The clock starts at zero with the boot, so neither half is ever negative; u64 lasts 584 years.
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}
