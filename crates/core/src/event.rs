//! What can happen.

use alloc::vec::Vec;
use core::time::Duration;

use crate::{Exit, InstanceKey, OnServiceStop, Session, Spec, SpecId, StopReason};

/// Something that happened outside the core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A deadline came, or may have come.
    Tick,
    /// A fresh, complete enumeration of the sessions. Hints never reach the core: the caller answers each with one of these.
    Sessions(Vec<Session>),
    /// The configuration was read, for the first time or again. Specs that are not in it any more are removed.
    Configured {
        /// Every spec of the new configuration, each id at most once.
        specs: Vec<(SpecId, Spec)>,
        /// What becomes of agents when the service stops.
        on_service_stop: OnServiceStop,
    },
    /// A person asked for something.
    Operator(InstanceKey, Command),
    /// A process left by an earlier life of the service was found and verified. Sent before the first `Sessions`, and a worker's
    /// before the first `Configured`.
    Adopted {
        /// The instance it is.
        instance: InstanceKey,
        /// The generation it was launched with; the next launch uses a higher one.
        generation: u32,
        /// The fingerprint of the spec that it was launched from.
        fingerprint: u64,
    },
    /// A launch succeeded: the process exists.
    Launched(InstanceKey, u32),
    /// A launch failed: no process exists.
    LaunchFailed(InstanceKey, u32, Failure),
    /// The root process ended.
    Exited(InstanceKey, u32, Exit),
    /// The agent finished its handshake on the wire.
    Connected(InstanceKey, u32),
    /// The agent's connection ended. Not a failure by itself.
    Disconnected(InstanceKey, u32),
    /// `agent/ready`.
    Ready(InstanceKey, u32),
    /// `agent/heartbeat`.
    Heartbeat(InstanceKey, u32),
    /// `agent/goodbye`: the agent says why it is about to leave. Overrides the meaning of its exit.
    Goodbye(InstanceKey, u32, Goodbye),
    /// The machine is about to sleep: timers pause.
    Suspend,
    /// The machine woke up: timers go on.
    Resume,
    /// The operating system is about to shut down; everything is stopped within this time.
    ShutdownAnnounced(Duration),
    /// The shutdown will not take place after all; the desired state comes back.
    ShutdownCalledOff,
    /// The service itself must end within this time. Final.
    Stop(StopReason, Duration),
}

/// What a person can ask of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Command {
    /// Start it, whatever held it; forgets its failures.
    Start,
    /// Stop it and hold it.
    Stop,
    /// Stop it and start it again; forgets its failures.
    Restart,
}

/// What an agent announced before it left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Goodbye {
    /// Start me again, this is no failure.
    Restart,
    /// Hold me.
    Hold,
    /// I left on purpose.
    Release,
    /// The session is ending.
    LoggingOff,
}

/// Why there is no process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// The session is not ready to have a process (no token yet, no user manager yet): try again while it lives.
    NotReady,
    /// The session is gone: stop trying.
    Gone,
    /// It can never work as configured (not found, not executable, access denied): held.
    Wrong,
    /// The machine is short of something: try again with back-off.
    Busy,
}

/// A failed launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Failure {
    /// Its class.
    pub kind: FailureKind,
    /// The operating system's error number, for the report.
    pub os_error: i32,
}

impl Event {
    /// The instance and generation that this is about, where it is about one process.
    pub fn process(&self) -> Option<(InstanceKey, u32)> {
        match *self {
            Self::Launched(key, generation)
            | Self::LaunchFailed(key, generation, _)
            | Self::Exited(key, generation, _)
            | Self::Connected(key, generation)
            | Self::Disconnected(key, generation)
            | Self::Ready(key, generation)
            | Self::Heartbeat(key, generation)
            | Self::Goodbye(key, generation, _)
            | Self::Adopted { instance: key, generation, .. } => Some((key, generation)),
            Self::Tick
            | Self::Sessions(_)
            | Self::Configured { .. }
            | Self::Operator(..)
            | Self::Suspend
            | Self::Resume
            | Self::ShutdownAnnounced(_)
            | Self::ShutdownCalledOff
            | Self::Stop(..) => None,
        }
    }
}
