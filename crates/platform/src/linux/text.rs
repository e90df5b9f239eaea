//! Code that was needed once.

use std::ffi::c_void;
use std::ptr;

use rustix::mm::{Advice, madvise};

/// Unmaps the pages of all program code; what is needed again comes back from the page cache by itself, a few pages at a
/// time. A service that reads its configuration and its arguments once would otherwise keep what did that for ever.
///
/// Only code is let go of: it is mapped from files, cannot be written, and is the same whenever it is read again (madvise(2),
/// `MADV_DONTNEED`). Best effort, as nothing depends on it.
pub fn forget_startup() {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    for (start, length) in maps.lines().filter_map(code) {
        // SAFETY: the range is a mapping of code of a file, as the kernel itself lists it, private and not writable: no page
        // of it was ever changed, so what is faulted in again is what was there.
        let _ =
            unsafe { madvise(ptr::without_provenance_mut::<c_void>(start), length, Advice::LinuxDontNeed) };
    }
}

/// Address and length of a line of `/proc/PID/maps` that maps code of a file: proc_pid_maps(5).
fn code(line: &str) -> Option<(usize, usize)> {
    let mut fields = line.split_ascii_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    if fields.next()? != "r-xp" || !fields.nth(3)?.starts_with('/') {
        return None;
    }
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_code_of_files_is_let_go_of() {
        let line =
            "55d0c0a2d000-55d0c0f3a000 r-xp 0002d000 fe:00 9183                       /usr/bin/bilayer";
        assert_eq!(code(line), Some((0x55d0_c0a2_d000, 0x50_d000)));
        for other in [
            "55d0c0a00000-55d0c0a2d000 r--p 00000000 fe:00 9183                       /usr/bin/bilayer",
            "7ffc1d5fe000-7ffc1d600000 r-xp 00000000 00:00 0                          [vdso]",
            "7f0000000000-7f0000001000 r-xp 00000000 00:00 0",
            "7f0000000000-7f0000001000 rwxp 00000000 fe:00 1                          /usr/lib/jit.so",
            "",
        ] {
            assert_eq!(code(other), None, "{other}");
        }
    }

    #[test]
    fn the_program_goes_on() {
        forget_startup();
        assert_eq!(format!("{:?}", vec![1, 2]), "[1, 2]");
    }
}
