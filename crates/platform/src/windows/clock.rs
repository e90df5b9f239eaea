//! The clock that all of Bilayer goes by.

use windows_sys::Win32::System::WindowsProgramming::QueryUnbiasedInterruptTimePrecise;

/// Nanoseconds since the boot, without those asleep.
pub fn now() -> u64 {
    let mut ticks = 0;
    // SAFETY: `ticks` is ours to be written.
    unsafe { QueryUnbiasedInterruptTimePrecise(&mut ticks) };
    // Of 100 ns each.
    ticks * 100
}
