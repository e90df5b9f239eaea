//! The control API: what an administrator's program asks the service, after `initialize` with `kind: "control"`.
//!
//! In results every key is present, and null where there is nothing. Times are RFC 3339 in UTC.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use crate::agent::{MessageLevel, SessionKind, SessionState, User};

/// Result of `service/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatusReport {
    /// The service itself.
    pub service: ServiceStatus,
    /// Every session there is, served or not.
    pub sessions: Vec<SessionStatus>,
    /// Every instance there is.
    pub agents: Vec<AgentStatus>,
}

/// The service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServiceStatus {
    /// `service.name` of the configuration.
    pub name: String,
    /// `service.display_name` of the configuration.
    pub display_name: String,
    /// Version of the service's program.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// What it serves.
    pub mode: ServiceMode,
    /// What it is doing.
    pub state: ServiceState,
    /// When it started.
    pub since: String,
    /// Its configuration file.
    pub config: String,
    /// Its log file, where it writes one.
    pub log: Option<String>,
    /// The machine's power.
    pub power: Power,
    /// Why it cannot be told now who is logged on; the sessions are those last known.
    #[serde(default)]
    pub sessions_error: Option<String>,
}

/// Whose sessions a service serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceMode {
    /// Every session of the machine.
    System,
    /// The session that it was started in.
    Console,
}

/// What a service is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ServiceState {
    /// Serving.
    Running,
    /// Stopping its agents, to end after that.
    Stopping,
}

/// Whether the machine is awake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Power {
    /// Awake.
    Awake,
    /// About to sleep: timers pause.
    Suspending,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionStatus {
    /// The operating system's session id.
    pub id: String,
    /// Whose it is.
    pub user: User,
    /// Where its user sits.
    pub kind: SessionKind,
    /// Whether it is the one in front of its user.
    pub state: SessionState,
    /// Whether its screen is locked.
    pub locked: bool,
    /// Whether its user sits at the other end of a network.
    pub remote: bool,
    /// Whether its user is an administrator, where the system tells sessions so.
    pub administrator: Option<bool>,
    /// `x11`, `wayland`, `tty`, …, where the system has such types.
    #[serde(rename = "type")]
    pub session_type: Option<String>,
    /// Whether it is the logon screen. It is listed only where an agent serves it.
    #[serde(default)]
    pub greeter: bool,
    /// Whether the environment that its programs start with is known. Before that, none starts.
    pub environment: bool,
    /// Whether a program that is started in it now finds a display.
    pub display: bool,
    /// The agents that do not serve it, and why.
    pub unserved: Vec<Unserved>,
}

/// Why there is no instance of an agent in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unserved {
    /// The agent's name in the configuration.
    pub agent: String,
    /// Why it does not serve the session.
    pub reason: Reason,
}

/// An instance: an agent in a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentStatus {
    /// The agent's name in the configuration.
    pub agent: String,
    /// Whether it serves a session or the machine.
    #[serde(default)]
    pub kind: AgentKind,
    /// The operating system's id of its session; null for a worker, which has none.
    pub session: Option<String>,
    /// Whose session it is; for a worker the account that it runs as, whose id is empty until the account was found.
    pub user: User,
    /// What it is doing.
    pub state: AgentState,
    /// Why it is in that state.
    pub reason: Reason,
    /// Its root process.
    pub pid: Option<u32>,
    /// Counts its launches in this session.
    pub generation: u32,
    /// How often it was started again in this session.
    pub restarts: u32,
    /// When it entered its state.
    pub since: String,
    /// When it is started next, where that is known.
    pub next_retry: Option<String>,
    /// How its last process ended.
    pub last_exit: Option<LastExit>,
    /// Whether it is connected.
    pub connected: bool,
    /// Whether it said that it is ready; null while it is not connected.
    pub ready: Option<bool>,
    /// What it said that it is doing.
    pub status: Option<String>,
    /// Whether it failed more often than its restart limit allows.
    pub crash_loop: bool,
}

/// What an instance serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentKind {
    /// An agent, in a session.
    #[default]
    Agent,
    /// A worker, for the machine.
    Worker,
}

/// What an instance is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentState {
    /// It will be started when its time comes.
    Waiting,
    /// Its process is being started.
    Starting,
    /// Its process runs.
    Running,
    /// Its process was asked to stop.
    Stopping,
    /// It stays down until a person or a new logon says otherwise.
    Held,
    /// It left on purpose and stays away until the next logon.
    Released,
}

/// Why something is as it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reason {
    /// One word, for programs.
    pub code: String,
    /// A sentence, for people.
    pub text: String,
}

/// How a process ended. One of `code` and `signal` is set, or neither where nobody can know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LastExit {
    /// What it returned.
    pub code: Option<u32>,
    /// The name of the signal that ended it, such as `SIGKILL`.
    pub signal: Option<String>,
    /// Whether it is gone and nobody can say how.
    pub unknown: bool,
    /// The same in words.
    pub text: String,
    /// When it ended.
    pub at: String,
}

/// Which agents are meant. What is absent does not narrow the choice; more than one match needs `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Selector {
    /// The agent's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The operating system's id of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The session's user, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Every match is meant, not exactly one.
    pub all: bool,
}

/// Parameters of `agents/call`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Call {
    /// The one agent that is called.
    pub selector: Selector,
    /// One of the product's own methods.
    pub method: String,
    /// Its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub params: Option<Box<RawValue>>,
    /// How long the agent may take to answer, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
}

/// Parameters of `message/send`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Send {
    /// Whom it is for.
    pub to: Recipients,
    /// A few words.
    pub title: String,
    /// The message: plain text, no markup.
    pub text: String,
    /// How grave it is.
    #[serde(default)]
    pub level: MessageLevel,
    /// The buttons below it; by default one that says OK. Where there are others, or one of the next two is set, it is a question:
    /// the desktop asks it, not an agent, and on Linux nobody can.
    #[serde(default)]
    pub buttons: Buttons,
    /// Its answer is waited for: until it comes, or the time is over.
    #[serde(default)]
    pub wait: bool,
    /// How long it stays on the screen, in milliseconds, 1 hour at most. By default until it is closed, and 30 s if its
    /// answer is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u32>,
}

/// The buttons below a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Buttons {
    /// OK.
    #[default]
    Ok,
    /// OK, Cancel.
    OkCancel,
    /// Yes, No.
    YesNo,
    /// Yes, No, Cancel.
    YesNoCancel,
    /// Retry, Cancel.
    RetryCancel,
    /// Abort, Retry, Ignore.
    AbortRetryIgnore,
}

/// Whose screens a message is for. What is absent does not narrow the choice; more than one match needs `all`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Recipients {
    /// The operating system's id of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The session's user, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Every match is meant, not exactly one.
    pub all: bool,
}

/// What became of a message in one session; `message/send` results in a list of these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Delivery {
    /// The operating system's id of the session.
    pub session: String,
    /// Whose session it is.
    pub user: User,
    /// Who put it on the screen; null if nobody did.
    pub delivered: Option<DeliveredBy>,
    /// What its user answered; null if the answer was not waited for.
    pub answer: Option<Answer>,
    /// Why nobody did.
    pub error: Option<String>,
}

/// What a person answered to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// OK.
    Ok,
    /// Cancel, or the message was closed.
    Cancel,
    /// Yes.
    Yes,
    /// No.
    No,
    /// Retry.
    Retry,
    /// Abort.
    Abort,
    /// Ignore.
    Ignore,
    /// Nothing, until the time was over.
    TimedOut,
}

/// Who put a message on the screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveredBy {
    /// An agent.
    Agent,
    /// The desktop itself: its notifications, or a message box.
    Desktop,
}

/// Result of `service/reload`: names of agents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reloaded {
    /// Changed, so that their instances restart.
    pub changed: Vec<String>,
    /// New.
    pub added: Vec<String>,
    /// Gone, so that their instances stop.
    pub removed: Vec<String>,
    /// How many are as they were.
    pub unchanged: u32,
}

/// `data` of the errors "unknown agent or session" and "ambiguous".
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidates {
    /// What the selector could have meant.
    pub candidates: Vec<Candidate>,
}

/// An instance or session that a selector could have meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The agent's name; null where only a session was asked for.
    pub agent: Option<String>,
    /// The operating system's id of the session; null for a worker.
    pub session: Option<String>,
    /// Whose session it is, or whom the worker runs as.
    pub user: User,
}

/// `data` of the error that `service/reload` answers for a wrong configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ConfigurationErrors {
    /// Every mistake with its line, caret and hint, ready to be printed.
    pub rendered: String,
}
