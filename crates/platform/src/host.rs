//! What a service manager asks of the service that it started.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::Hint;

/// Something that the service manager wants, or lets the service know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// End, and say so with the exit code. Final: a stop is never called off.
    Stop {
        /// The whole system goes down.
        shutdown: bool,
        /// The service is cut off after this time, counted from now; `None` where the manager waits as long as it is told
        /// that the stop goes on.
        within: Option<Duration>,
    },
    /// What the service reads at its start may have changed: its configuration, and who is logged on.
    Reload,
    /// A session changed; enumerate again. What changed is for the log.
    Session {
        /// What happened, in the manager's words.
        change: SessionChange,
        /// To which session, where the manager said so.
        session: Option<u32>,
    },
    /// The machine is about to sleep, or woke up.
    Power(Hint),
}

/// What happened to a session: the reasons of `WTS_SESSION_*` and `WTS_CONSOLE_*`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionChange {
    /// It came to the keyboard and screen.
    ConsoleConnect,
    /// It left the keyboard and screen.
    ConsoleDisconnect,
    /// A remote client came.
    RemoteConnect,
    /// The remote client left.
    RemoteDisconnect,
    /// A user logged on.
    Logon,
    /// Its user logged off.
    Logoff,
    /// It was locked.
    Lock,
    /// It was unlocked.
    Unlock,
    /// Somebody began or ceased to control it from afar.
    RemoteControl,
    /// It was made; nobody is logged on yet.
    Created,
    /// It is gone.
    Terminated,
    /// A reason that this version does not know, by its number.
    Other(u32),
}

impl fmt::Display for SessionChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConsoleConnect => "connected to the console",
            Self::ConsoleDisconnect => "disconnected from the console",
            Self::RemoteConnect => "a remote client connected",
            Self::RemoteDisconnect => "the remote client disconnected",
            Self::Logon => "logon",
            Self::Logoff => "logoff",
            Self::Lock => "locked",
            Self::Unlock => "unlocked",
            Self::RemoteControl => "remote control changed",
            Self::Created => "created",
            Self::Terminated => "terminated",
            Self::Other(reason) => return write!(f, "changed, reason {reason}"),
        })
    }
}

/// Why this process does not live as a service.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// A person or a script started it, and no service manager waits for it.
    #[error("this process was not started by the service manager")]
    NotStartedByManager,
    /// The service manager started it and cannot be reached.
    #[error("cannot connect to the service manager")]
    Connect(#[source] io::Error),
}
