//! How grave an entry of the system's event log is.

/// The three types of entries that the Event Log of Windows has for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// Something failed.
    Error,
    /// Something may need a look.
    Warning,
    /// Something happened.
    Information,
}
