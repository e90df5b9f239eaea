//! What the core wants done. Each action says who executes it.

use crate::{InstanceKey, Time};

/// Something to do. The caller executes actions in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// *Launcher*: start a process for this instance and answer with `Launched` or `LaunchFailed` of this generation.
    Launch(InstanceKey, u32),
    /// *Wire*: send `agent/stop` to the agent of this generation. Emitted only while it is connected.
    AskToStop {
        /// The instance.
        instance: InstanceKey,
        /// Its generation.
        generation: u32,
        /// Why, for the agent.
        reason: StopReason,
        /// When it will be killed.
        deadline: Time,
    },
    /// *Platform*: ask the process the operating system's own polite way (SIGTERM; `WM_CLOSE` or `CTRL_BREAK`).
    Terminate(InstanceKey, u32),
    /// *Platform*: kill the process and everything in its job or cgroup.
    Kill(InstanceKey, u32),
    /// *Platform*: the root process ended; kill what it left behind.
    Sweep(InstanceKey, u32),
    /// *Platform*: the root process ended; let go of what it left behind without killing it.
    LeaveSurvivors(InstanceKey, u32),
    /// *Platform and wire*: the service ends and this process lives on; let go of it without ending it.
    Abandon(InstanceKey, u32),
    /// *Wire*: the facts of this instance's session changed; tell the agent (`session/changed`). Only while connected.
    TellSession(InstanceKey, u32),
    /// *Log, status, recorder*: the instance's state or reason changed; read it with `Supervisor::instance`. Also sent,
    /// last, for an instance that was removed, which then cannot be read any more.
    Changed(InstanceKey),
    /// *Service manager*: stopping goes on: so many processes are left, and this is the latest time at which they are gone.
    Progress {
        /// Processes still there.
        remaining: u32,
        /// When the last of them is killed.
        deadline: Time,
    },
    /// *Driver*: the service has nothing left to do and may end. Sent once, after `Event::Stop`.
    Finished,
}

/// Why an agent is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StopReason {
    /// Its user logs off, or the session is gone.
    Logoff,
    /// Its session left the served set: a switch to another user, or a disconnect.
    SessionLeft,
    /// Its session was locked.
    Locked,
    /// A person asked for it.
    Operator,
    /// Its configuration changed, or it was removed.
    Reload,
    /// It sent no heartbeat in time.
    Hang,
    /// It was not ready in time.
    NotReady,
    /// The service stops.
    ServiceStop,
    /// The operating system shuts down.
    Shutdown,
}
