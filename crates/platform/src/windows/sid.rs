//! Security identifiers: who a user is, whatever the name.

use std::{fmt, io, ptr};

use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
use windows_sys::Win32::Security::PSID;

use super::handle::{LocalMemory, succeeded};
use super::wide;

/// A security identifier in its text form, `S-1-…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Sid(String);

impl Sid {
    /// The account that services of the system run as.
    pub(super) const LOCAL_SYSTEM: &str = "S-1-5-18";

    /// Reads a binary one.
    ///
    /// # Safety
    ///
    /// `sid` points to a complete security identifier.
    pub(super) unsafe fn read(sid: PSID) -> io::Result<Sid> {
        let mut text = ptr::null_mut();
        // SAFETY: the caller vouches for `sid`; `text` is ours to be written.
        succeeded(unsafe { ConvertSidToStringSidW(sid, &mut text) })?;
        let memory = LocalMemory(text.cast());
        // SAFETY: on success `text` is a string with its end marker, alive until `memory` is dropped.
        let sid = Sid(unsafe { wide::read(memory.0.cast()) });
        Ok(sid)
    }

    /// Its text form.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is LocalSystem.
    #[cfg(feature = "host")]
    pub(super) fn is_local_system(&self) -> bool {
        self.0 == Sid::LOCAL_SYSTEM
    }
}

impl fmt::Display for Sid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
