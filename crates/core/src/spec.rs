//! One `[agent.NAME]` or `[worker.NAME]` of the configuration, as the core needs it.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::time::Duration;

use crate::{ExitTable, Logon};

/// A spec, as a small number that stays with its name across reloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpecId(pub u32);

/// An instance: a spec in a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceKey {
    /// Which logon it serves. First, so that the instances of a session stand together in order.
    pub logon: Logon,
    /// Which spec it runs.
    pub spec: SpecId,
}

/// Which sessions a spec serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Serve {
    /// The active session at the machine's own keyboard and screen: one at a time. The agent of another session must have
    /// ended before this one's starts, unless it is there to stay ([`OnLeave::Keep`]).
    #[default]
    Console,
    /// Every active session, of whatever kind.
    Active,
    /// Every logged-on user's sessions, also those in the background.
    All,
    /// No session: one process for the machine ([`Logon::MACHINE`]), whoever is logged on. It needs the configuration only, and
    /// no enumeration; what a spec says of sessions, locks and displays is not looked at.
    Machine,
}

/// What happens when a session leaves the served set but lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnLeave {
    /// The agent is stopped.
    #[default]
    Stop,
    /// The agent stays, and is restarted when it fails, for as long as its session lives. A session that was never served does
    /// not get one.
    Keep,
}

/// What happens while the session is locked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WhileLocked {
    /// The agent stays.
    #[default]
    Keep,
    /// The agent is stopped, and started again at unlock.
    Stop,
}

/// What becomes of processes that the root process leaves behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Survivors {
    /// They are killed.
    #[default]
    Kill,
    /// They are left alone: an agent that opens programs for its user.
    Leave,
}

/// What becomes of agents when the service stops.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OnServiceStop {
    /// They are stopped too.
    #[default]
    Stop,
    /// They live on and are adopted by the next service.
    Keep,
}

/// Which exits are followed by a restart at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RestartOn {
    /// Every exit.
    #[default]
    Always,
    /// Every exit but code 0, which releases the agent.
    Failure,
    /// None: an exit releases the agent.
    Never,
}

/// What happens once restarts exceed the limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PastLimit {
    /// A try every `delay_max`, reported as a crash loop.
    #[default]
    Slow,
    /// None, until a person or a new logon says so.
    Hold,
}

/// Restart intensity: more than `count` failures `within` a time is a crash loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Limit {
    /// How many failures are allowed; 1 to 1,000.
    pub count: u16,
    /// Within how long.
    pub within: Duration,
    /// What happens past it.
    pub then: PastLimit,
}

/// When and how soon an agent that left is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Restart {
    /// After which exits.
    pub on: RestartOn,
    /// The longest delay; the first restart is immediate, then 100 ms doubling up to this. Less than 100 ms counts as that.
    pub delay_max: Duration,
    /// An agent that ran this long starts its delays over.
    pub healthy_after: Duration,
    /// How many failures are a crash loop.
    pub limit: Limit,
}

impl Default for Restart {
    fn default() -> Self {
        Self {
            on: RestartOn::Always,
            delay_max: Duration::from_secs(60),
            healthy_after: Duration::from_secs(60),
            limit: Limit { count: 10, within: Duration::from_secs(120), then: PastLimit::Slow },
        }
    }
}

/// One agent of the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// The name, for people.
    pub name: Arc<str>,
    /// Changes whenever anything about the spec changes that needs a restart of its instances; computed by the caller
    /// over all it knows of the spec (command, environment, …).
    pub fingerprint: u64,
    /// Which sessions it serves.
    pub serve: Serve,
    /// Only these users' sessions, by name, by name with the domain, or by id, case-sensitive, where not empty.
    pub users: Vec<String>,
    /// Only sessions of members of these groups, where not empty.
    pub groups: Vec<String>,
    /// Only remote (`Some(true)`) or only local (`Some(false)`) sessions.
    pub remote: Option<bool>,
    /// Only sessions of these types, where not empty. A session without a type passes.
    pub types: Vec<String>,
    /// Whether the logon screen is served as well, whatever `users` and `groups` say: who it runs as is nobody's choice.
    pub greeter: bool,
    /// What happens when a session leaves the served set.
    pub on_leave: OnLeave,
    /// What happens while the session is locked.
    pub while_locked: WhileLocked,
    /// Whether the agent waits until its session has a display.
    pub needs_display: bool,
    /// How long it has between the request to stop and the kill.
    pub grace: Duration,
    /// When it is started again.
    pub restart: Restart,
    /// The longest silence before it counts as hung; `None` asks for no heartbeat. What was agreed on at a handshake holds
    /// until the next one, unless a new configuration asks for none.
    pub heartbeat: Option<Duration>,
    /// How soon after its launch it must say that it is ready; `None` does not wait for it.
    pub ready_within: Option<Duration>,
    /// What its exits mean; wins over the built-in reading.
    pub exit_codes: ExitTable,
    /// What becomes of processes that it leaves behind.
    pub survivors: Survivors,
}

impl Spec {
    /// A spec with every default, as an empty `[agent.NAME]` would give.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            fingerprint: 0,
            serve: Serve::default(),
            users: Vec::new(),
            groups: Vec::new(),
            remote: None,
            types: Vec::new(),
            greeter: false,
            on_leave: OnLeave::default(),
            while_locked: WhileLocked::default(),
            needs_display: false,
            grace: Duration::from_secs(5),
            restart: Restart::default(),
            heartbeat: None,
            ready_within: None,
            exit_codes: ExitTable::new(),
            survivors: Survivors::default(),
        }
    }
}
