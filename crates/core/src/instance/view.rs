//! What can be read of an instance.

use crate::{Exit, Failure, HoldReason, Stage, StopReason, Time, WaitReason};

/// What is known about one instance. Read it with [`Supervisor::instance`](crate::Supervisor::instance).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Where it stands.
    pub state: State,
    /// Since when it stands there.
    pub entered: Time,
    /// The generation of its latest launch; 0 before the first.
    pub generation: u32,
    /// How many processes were started after its first one.
    pub restarts: u32,
    /// How its latest process ended.
    pub last_exit: Option<Exit>,
    /// Why its latest launch failed; `None` once one succeeded.
    pub last_failure: Option<Failure>,
    /// Whether it failed more often than its limit allows and was not healthy since.
    pub crash_loop: bool,
    /// Whether its agent is connected.
    pub connected: bool,
    /// Whether its process was started by an earlier life of the service.
    pub adopted: bool,
}

/// Where an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// It should run but has no process.
    Waiting {
        /// When it is started; `None` when that depends on something other than time.
        until: Option<Time>,
        /// What it waits for.
        why: WaitReason,
    },
    /// A launch is under way and has not been answered.
    Starting,
    /// It has a process.
    Running {
        /// When the launch was answered.
        since: Time,
        /// Whether it said that it is ready; `None` when it has not, and nobody waits for it.
        ready: Option<bool>,
    },
    /// Its process is to end.
    Stopping {
        /// What was done so far.
        stage: Stage,
        /// When it is killed.
        deadline: Time,
        /// Why it is stopped.
        why: StopReason,
    },
    /// It stays down until a person, a new logon or a changed configuration says otherwise.
    Held(HoldReason),
    /// It left on purpose and stays away until the next logon or until a person starts it.
    Released,
}

impl State {
    /// A stable word for programs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Waiting { .. } => "waiting",
            Self::Starting => "starting",
            Self::Running { .. } => "running",
            Self::Stopping { .. } => "stopping",
            Self::Held(_) => "held",
            Self::Released => "released",
        }
    }

    /// Whether there is, or may be any moment, a process.
    pub const fn has_process(&self) -> bool {
        match self {
            Self::Starting | Self::Running { .. } | Self::Stopping { .. } => true,
            Self::Waiting { .. } | Self::Held(_) | Self::Released => false,
        }
    }
}
