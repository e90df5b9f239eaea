//! Memory that was needed once.

use std::ffi::c_void;
use std::ptr;

use rustix::mm::{Advice, madvise};

use super::heap;

/// Unmaps the pages of all program code and constants, and gives back what the heap has free. What is needed again comes back from
/// the page cache by itself, a few pages at a time. A service that reads its configuration and its arguments once would
/// otherwise keep what did that for ever.
///
/// Only what was never changed is let go of: mapped from files, not writable, and the same whenever it is read again (madvise(2),
/// `MADV_DONTNEED`). Best effort, as nothing depends on it.
pub fn forget_startup() {
    heap::trim();
    let smaps = std::fs::read_to_string("/proc/self/smaps").unwrap_or_default();
    for (start, length) in unchanged(&smaps) {
        // SAFETY: the range is a private mapping of a file that cannot be written and of which no page was ever changed, as the
        // kernel itself lists it: what is faulted in again is what was there.
        let _ =
            unsafe { madvise(ptr::without_provenance_mut::<c_void>(start), length, Advice::LinuxDontNeed) };
    }
}

/// Address and length of what is mapped from files and is as it is there: proc_pid_smaps(5).
fn unchanged(smaps: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut of_file = false;
    for line in smaps.lines() {
        let mut fields = line.split_ascii_whitespace();
        match (fields.next(), fields.next()) {
            // Pages with a copy of their own, here or in the swap: the loader has written into them before it protected them.
            (Some("Anonymous:" | "Swap:"), Some(kilobytes)) if of_file && kilobytes != "0" => {
                found.pop();
                of_file = false;
            }
            (Some(range), Some("r--p" | "r-xp")) => {
                // Behind the offset, the device and the inode.
                let is_file = fields.nth(3).is_some_and(|path| path.starts_with('/'));
                let mapping = addresses(range).filter(|_| is_file);
                of_file = mapping.is_some();
                found.extend(mapping);
            }
            (Some(range), _) if !range.ends_with(':') => of_file = false,
            _ => {}
        }
    }
    found
}

fn addresses(range: &str) -> Option<(usize, usize)> {
    let (start, end) = range.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    Some((start, end.checked_sub(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(line: &str, anonymous: u32, swap: u32) -> String {
        format!(
            "{line}\nSize: 8 kB\nRss: 8 kB\nAnonymous: {anonymous} kB\nSwap: {swap} kB\nVmFlags: rd mr me\n"
        )
    }

    #[test]
    fn only_what_is_as_in_its_file_is_let_go_of() {
        let code =
            "55d0c0a2d000-55d0c0f3a000 r-xp 0002d000 fe:00 9183                       /usr/bin/bilayer";
        let constants = "55d0c0a00000-55d0c0a2d000 r--p 00000000 fe:00 9183               /usr/bin/bilayer";
        let (kept, gone) = ((0x55d0_c0a2_d000, 0x50_d000), (0x55d0_c0a0_0000, 0x2_d000));
        assert_eq!(unchanged(&(mapping(constants, 0, 0) + &mapping(code, 0, 0))), [gone, kept]);
        // Relocated, and then protected; a debugger's breakpoint; the same, swapped.
        assert_eq!(unchanged(&(mapping(constants, 4, 0) + &mapping(code, 0, 0))), [kept]);
        assert_eq!(unchanged(&(mapping(code, 0, 0) + &mapping(constants, 0, 4))), [kept]);
        assert_eq!(unchanged(&(mapping(constants, 92, 4) + &mapping(code, 4, 0))), []);
        for other in [
            "7ffc1d5fe000-7ffc1d600000 r-xp 00000000 00:00 0                          [vdso]",
            "7f0000000000-7f0000001000 r-xp 00000000 00:00 0",
            "7f0000000000-7f0000001000 r--s 00000000 fe:00 1                          /usr/share/table",
            "7f0000000000-7f0000001000 rw-p 00000000 fe:00 1                          /usr/bin/bilayer",
            "7f0000000000-7f0000001000 rwxp 00000000 fe:00 1                          /usr/lib/jit.so",
        ] {
            assert_eq!(unchanged(&(mapping(code, 0, 0) + &mapping(other, 4, 0))), [kept], "{other}");
        }
        assert_eq!(unchanged(""), []);
    }

    #[test]
    fn the_program_goes_on() {
        static WORDS: [&str; 2] = ["relocated", "by the loader"];
        forget_startup();
        assert_eq!(format!("{:?}", vec![1, 2]), "[1, 2]");
        assert_eq!(std::hint::black_box(&WORDS).concat(), "relocatedby the loader");
    }
}
