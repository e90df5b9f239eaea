//! What the outside asks of this process.

/// A request from a terminal, a service manager or a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// End: SIGINT, SIGTERM; Ctrl-C, Ctrl-Break, a closed console.
    Stop,
    /// Read the configuration again: SIGHUP. (A console has nothing for it; ask on the control endpoint.)
    Reload,
}
