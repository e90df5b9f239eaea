//! What can go wrong, by stage.

use std::io;
use std::path::PathBuf;

/// Whatever the operating system or a bus between us and it said.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// A failure of the operating-system half. The cause is the [`source`](std::error::Error::source).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Somebody listens there already.
    #[error("another service already listens at {address}")]
    Taken {
        /// The socket or pipe.
        address: String,
    },
    /// The endpoint could not be opened.
    #[error("cannot listen at {address}")]
    Listen {
        /// The socket or pipe.
        address: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Something that must not be there is in the place of a folder, a socket or a file; it was not touched.
    #[error("{} {problem}", path.display())]
    Unsafe {
        /// The place.
        path: PathBuf,
        /// What is wrong with it and what to do.
        problem: String,
    },
    /// A folder could not be made or entered.
    #[error("cannot {action} {}", path.display())]
    Folder {
        /// What was tried.
        action: &'static str,
        /// On which folder.
        path: PathBuf,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// The sessions of the machine could not be followed or listed. This never means that there are none.
    #[error("cannot {action}")]
    Tracking {
        /// What was tried.
        action: String,
        /// What was answered.
        #[source]
        source: Cause,
    },
    /// A name in the system's event log could not be registered or removed.
    #[error("cannot {action} the name {name} in the event log")]
    EventSource {
        /// What was tried.
        action: &'static str,
        /// The name.
        name: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// A person could not be told something.
    #[error("cannot show a notification to {user}")]
    Notify {
        /// Whom.
        user: String,
        /// What was answered.
        #[source]
        source: Cause,
    },
}

/// A connection that was not made, or was closed again because the other end is not who it should be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nobody listens there.
    #[error("nothing listens at {address}; is the service running?")]
    NotRunning {
        /// The socket or pipe.
        address: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// This user may not open it.
    #[error("not permitted to open {address}")]
    NotPermitted {
        /// The socket or pipe.
        address: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Somebody else listens there. Nothing was sent.
    #[error("{address} is served by {found}, not by {expected}; nothing was sent to it")]
    Impostor {
        /// The socket or pipe.
        address: String,
        /// The uid or SID that it should be.
        expected: String,
        /// The uid or SID that it is.
        found: String,
    },
    /// Anything else.
    #[error("cannot connect to {address}")]
    Failed {
        /// The socket or pipe.
        address: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
}
