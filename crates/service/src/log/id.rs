//! The numbers of entries in the system's event log. They are part of the interface: people filter by them, and docs/event-log.md
//! lists them. A number is never given to something else.

/// The service has started.
pub(crate) const STARTED: u16 = 1;
/// The service has stopped, and every agent before it.
pub(crate) const STOPPED: u16 = 2;
/// The service was asked to stop.
pub(crate) const STOPPING: u16 = 3;
/// The system shuts down.
pub(crate) const SHUTDOWN: u16 = 4;
/// It does not, after all.
pub(crate) const SHUTDOWN_CALLED_OFF: u16 = 5;
/// The configuration was read again.
pub(crate) const RELOADED: u16 = 6;
/// The configuration was read again and has mistakes.
pub(crate) const NOT_RELOADED: u16 = 7;
/// The service ends because it cannot go on, or could not start.
pub(crate) const FAILED: u16 = 8;

/// The state of an agent changed in a way that somebody should look at.
pub(crate) const AGENT: u16 = 100;

/// Entries were left out, since there were too many.
pub(super) const LEFT_OUT: u16 = 899;
/// Any other warning.
pub(super) const WARNING: u16 = 900;
/// Any other error.
pub(super) const ERROR: u16 = 901;
