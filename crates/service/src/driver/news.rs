//! What the driver's tasks tell its loop.

use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{Goodbye, InstanceKey, Logon, StopReason};
use bilayer_ipc::Secret;
use bilayer_ipc::agent::Initialized;
use bilayer_ipc::peer::Peer as WirePeer;
use bilayer_platform::{Exit, Peer, SessionInfo, Signal};
use tokio::sync::oneshot;

use super::control;
use super::launch::Launching;
use super::workers::{Errand, Sought};
use crate::builder::Unusable;
use crate::config::Config;

/// Something that happened, in the words of the task that saw it.
pub(super) enum News {
    /// The sessions were enumerated again.
    Sessions(Vec<SessionInfo>),
    /// They could not be, for this reason. Told every time, so that whoever watches over the loop need not think that it hangs.
    SessionsUnknown(String),
    /// The machine is about to sleep.
    Suspend,
    /// The machine woke up.
    Resume,
    /// The operating system shuts down; everything ends within this time.
    ShutdownAnnounced(Duration),
    /// It does not, after all.
    ShutdownCalledOff,
    /// A signal or its like reached the service.
    Signal(Signal),
    /// The service manager wants the service to end within this time, or leaves it as much as it needs.
    Stop(StopReason, Option<Duration>),
    /// The account of a worker was looked for, to do this with it.
    Account(InstanceKey, Errand, Box<Sought>),
    /// A launch that was not clear at once came to its end.
    Launched(InstanceKey, u32, Box<Launching>),
    /// The root process of an instance ended.
    Exited(InstanceKey, u32, Exit),
    /// Somebody at a session's endpoint shows a secret.
    Hello(Hello),
    /// An agent said something.
    Agent(InstanceKey, u32, AgentNews),
    /// A person asked for something.
    Control(control::Request),
    /// The configuration was read again: the new one, or its rendered mistakes.
    Reloaded(Result<Box<Config>, Unusable>, Option<control::Answer>),
}

/// A client that wants to be an agent. Nothing that it says is believed yet.
pub(super) struct Hello {
    pub(super) logon: Logon,
    pub(super) secret: Secret,
    pub(super) peer: Arc<Peer>,
    /// Welcome, or why it is refused. The reason is for the log; a client is told one text for every cause.
    pub(super) answer: oneshot::Sender<Result<Welcome, String>>,
}

/// The agent that a client turned out to be.
pub(super) struct Welcome {
    pub(super) instance: InstanceKey,
    pub(super) generation: u32,
    pub(super) initialized: Initialized,
}

/// What an agent said, or what became of its connection.
pub(super) enum AgentNews {
    /// The handshake is over; this is how to reach it.
    Connected { connection: u64, wire: WirePeer },
    /// The connection with this number ended.
    Disconnected { connection: u64 },
    /// The first message after the handshake: whoever sent it has the reply.
    Heard { connection: u64 },
    /// `agent/ready`.
    Ready,
    /// `agent/heartbeat`.
    Heartbeat,
    /// `agent/status`.
    Status(String),
    /// `agent/goodbye`.
    Goodbye(Goodbye),
}
