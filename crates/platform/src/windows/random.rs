//! Randomness for secrets.

use windows_sys::Win32::Security::Cryptography::ProcessPrng;

/// Random bytes from the operating system, fit for secrets. `ProcessPrng` always succeeds.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: `bytes` can take `N` bytes.
    let filled = unsafe { ProcessPrng(bytes.as_mut_ptr(), N) };
    assert!(filled != 0, "ProcessPrng does not fail");
    bytes
}
