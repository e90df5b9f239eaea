//! How a process ended, and what that means to its spec.

use alloc::collections::BTreeMap;

/// How the root process of an instance ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exit {
    /// It returned this code: 0-255 on Unix, any 32-bit value (an `NTSTATUS` among them) on Windows.
    Code(u32),
    /// A Unix signal ended it.
    Signal(u8),
    /// It is gone and nobody can say how: an adopted process is not our child. Counts as a crash.
    Unknown,
}

/// What an exit means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meaning {
    /// A failure: start it again with back-off.
    Restart,
    /// Not a failure: start it again at once. (Still counted against the limit, or a program could spin.)
    RestartNow,
    /// Leave it down until a person or a new logon says otherwise.
    Hold,
    /// It left on purpose and stays away until the next logon.
    Release,
    /// The session is ending: no restart, unless no logoff follows.
    LoggingOff,
}

/// The spec's own reading of exits; it wins over the built-in one.
pub type ExitTable = BTreeMap<Exit, Meaning>;
