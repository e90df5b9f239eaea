//! The system's event log. On Linux there is none of this kind: the journal takes what a service prints.

use std::io;

use crate::{Error, Severity};

/// A name under which this program writes entries into the system's event log. Here there is never one.
pub enum EventLog {}

impl EventLog {
    /// Makes a name known to the system. Nothing to do.
    pub fn register_source(_name: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Forgets a name. Nothing to do.
    pub fn unregister_source(_name: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Opens the log for entries under this name; `None` where the system has no such log.
    pub fn open(_name: &str) -> io::Result<Option<EventLog>> {
        Ok(None)
    }

    /// Writes an entry.
    pub fn report(&self, _severity: Severity, _id: u16, _text: &str) -> io::Result<()> {
        match *self {}
    }
}
