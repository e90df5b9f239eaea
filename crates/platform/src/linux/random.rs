//! Randomness for secrets.

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Random bytes from the kernel, fit for secrets: getrandom(2).
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        match getrandom(&mut bytes[filled..], GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(Errno::INTR) => {}
            // getrandom(2): without flags it fails only for a wrong address, a wrong flag or a kernel without it.
            Err(errno) => unreachable!("getrandom: {errno}"),
        }
    }
    bytes
}
