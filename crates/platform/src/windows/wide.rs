//! UTF-16 with a zero at its end, as the system's calls want it.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt as _;

/// A string with its end marker. A zero inside would cut it short without a word, so callers with foreign input check first.
pub(super) fn wide(text: impl AsRef<OsStr>) -> Vec<u16> {
    text.as_ref().encode_wide().chain([0]).collect()
}

/// Reads the string that starts here.
///
/// # Safety
///
/// `start` points to readable UTF-16 units that end with a zero.
pub(super) unsafe fn read(start: *const u16) -> String {
    let mut length = 0;
    loop {
        // SAFETY: no zero was found before this unit, so by the caller's word it is readable.
        let unit = unsafe { start.add(length) };
        // SAFETY: as above.
        if unsafe { unit.read() } == 0 {
            break;
        }
        length += 1;
    }
    // SAFETY: `length` readable units, by the caller's word; nobody writes them meanwhile.
    let units = unsafe { std::slice::from_raw_parts(start, length) };
    String::from_utf16_lossy(units)
}
