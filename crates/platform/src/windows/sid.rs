//! Security identifiers: who a user is, whatever the name.

use std::{fmt, io, ptr};

use windows_sys::Win32::Security::Authorization::ConvertSidToStringSidW;
#[cfg(feature = "host")]
use windows_sys::Win32::Security::Authorization::ConvertStringSidToSidW;
use windows_sys::Win32::Security::PSID;

use super::handle::{LocalMemory, succeeded};
use super::wide;

/// A security identifier in its text form, `S-1-…`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Sid(String);

impl Sid {
    /// The account that services of the system run as.
    pub(super) const LOCAL_SYSTEM: &str = "S-1-5-18";
    /// LocalService, whose account has no password.
    #[cfg(feature = "host")]
    pub(super) const LOCAL_SERVICE: &str = "S-1-5-19";
    /// NetworkService, likewise.
    #[cfg(feature = "host")]
    pub(super) const NETWORK_SERVICE: &str = "S-1-5-20";

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

    /// Its binary form.
    #[cfg(feature = "host")]
    pub(super) fn to_binary(&self) -> io::Result<BinarySid> {
        let (text, mut sid) = (wide::wide(&self.0), ptr::null_mut());
        // SAFETY: the text has its end marker; `sid` is ours to be written.
        succeeded(unsafe { ConvertStringSidToSidW(text.as_ptr(), &mut sid) })?;
        Ok(BinarySid(LocalMemory(sid)))
    }

    /// The English name, where it is one that every Windows has. The system knows it in its own language.
    #[cfg(feature = "host")]
    pub(super) fn well_known(&self) -> Option<&'static str> {
        let found = WELL_KNOWN.iter().find(|(sid, _)| *sid == self.0);
        found.map(|(_, name)| *name)
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

/// A security identifier as calls take it.
#[cfg(feature = "host")]
pub(super) struct BinarySid(LocalMemory);

#[cfg(feature = "host")]
impl BinarySid {
    /// Good while `self` lives.
    pub(super) fn as_ptr(&self) -> PSID {
        self.0.0
    }
}

/// Those that a user of a session can be in.
/// <https://learn.microsoft.com/windows-server/identity/ad-ds/manage/understand-security-identifiers>
#[cfg(feature = "host")]
const WELL_KNOWN: &[(&str, &str)] = &[
    ("S-1-1-0", "Everyone"),
    ("S-1-2-0", "LOCAL"),
    ("S-1-2-1", "CONSOLE LOGON"),
    ("S-1-5-4", "INTERACTIVE"),
    ("S-1-5-11", "Authenticated Users"),
    ("S-1-5-14", "REMOTE INTERACTIVE LOGON"),
    ("S-1-5-32-544", "Administrators"),
    ("S-1-5-32-545", "Users"),
    ("S-1-5-32-546", "Guests"),
    ("S-1-5-32-547", "Power Users"),
    ("S-1-5-32-551", "Backup Operators"),
    ("S-1-5-32-555", "Remote Desktop Users"),
    ("S-1-5-32-578", "Hyper-V Administrators"),
    ("S-1-5-113", "Local account"),
    ("S-1-5-114", "Local account and member of Administrators group"),
];

#[cfg(all(test, feature = "host"))]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_one_identifier() {
        for text in ["S-1-5-18", "S-1-5-32-544", "S-1-5-21-1-2-3-1001"] {
            let binary = Sid(text.into()).to_binary().unwrap();
            // SAFETY: a complete identifier, alive.
            assert_eq!(unsafe { Sid::read(binary.as_ptr()) }.unwrap().as_str(), text);
        }
        assert!(Sid("S-1-no".into()).to_binary().is_err());
        assert_eq!(Sid("S-1-5-32-544".into()).well_known(), Some("Administrators"));
    }
}
