//! Strings as execve(2) wants them.

use std::ffi::{CStr, c_char};
use std::ptr;

/// One after another with a NUL behind each, and where each begins.
pub(super) struct Strings {
    bytes: Vec<u8>,
    /// With a null pointer behind the last. They lead into `bytes`, which does not change any more.
    pointers: Vec<*const c_char>,
}

impl Strings {
    /// Each made of its parts. `None`: there is a NUL within one.
    pub(super) fn join<const N: usize>(strings: &[[&[u8]; N]]) -> Option<Strings> {
        let length: usize = strings.iter().flatten().map(|part| part.len()).sum();
        let mut bytes = Vec::with_capacity(length + strings.len());
        for parts in strings {
            parts.iter().for_each(|part| bytes.extend_from_slice(part));
            bytes.push(0);
        }
        let mut pointers = Vec::with_capacity(strings.len() + 1);
        pointers.extend(bytes.split_inclusive(|byte| *byte == 0).map(|string| string.as_ptr().cast()));
        // One that had a NUL in it is now two.
        let is_whole = pointers.len() == strings.len();
        pointers.push(ptr::null());
        is_whole.then_some(Strings { bytes, pointers })
    }

    /// The first; empty if there is none.
    pub(super) fn first(&self) -> &CStr {
        CStr::from_bytes_until_nul(&self.bytes).unwrap_or_default()
    }

    pub(super) fn as_ptr(&self) -> *const *const c_char {
        self.pointers.as_ptr()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_begins_where_the_one_before_it_has_its_nul() {
        let strings =
            Strings::join(&[[&b"A"[..], b"=", b"one"], [b"", b"", b""], [b"B", b"=", b""]]).unwrap();
        assert_eq!(strings.bytes, b"A=one\0\0B=\0");
        assert_eq!(strings.first(), c"A=one");
        let starts: Vec<usize> = strings.pointers.iter().map(|pointer| pointer.addr()).collect();
        let base = strings.bytes.as_ptr().addr();
        assert_eq!(starts, [base, base + 6, base + 7, 0]);
    }

    #[test]
    fn none_has_a_nul_in_it() {
        for odd in ["\0", "a\0", "\0a", "a\0b"] {
            assert!(Strings::join(&[[b"x"], [odd.as_bytes()]]).is_none(), "{odd:?}");
        }
        assert_eq!(Strings::join::<1>(&[]).unwrap().first(), c"");
    }
}
