//! The messages between the service and an agent, and the handshake that both endpoints share.
//!
//! Fields that a reader does not know are ignored, so that either side may be newer.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Secret;

/// Parameters of `initialize`. Has no `Debug`, because it carries secrets.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Initialize {
    /// Versions of this protocol that the client speaks.
    pub protocol: Versions,
    /// What the client is.
    pub kind: ClientKind,
    /// Agents: the launch token, from `BILAYER_TOKEN`, for the first `initialize`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// Agents that come back after a lost connection: the secret of the last reply, in place of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Secret>,
    /// The client's program, for logs and status.
    pub client: Program,
}

/// A range of protocol versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Versions {
    /// Lowest.
    pub min: u32,
    /// Highest.
    pub max: u32,
}

/// What a client of an endpoint is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// An agent that the service launched.
    Agent,
    /// An administrator's program, on the control endpoint.
    Control,
}

/// A program's name and version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Program {
    /// Name.
    pub name: String,
    /// Version, in the program's own form.
    pub version: String,
}

/// Result of `initialize`. Has no `Debug`, because it carries a secret.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
pub struct Initialized {
    /// The version of this protocol that is spoken from now on.
    pub protocol: u32,
    /// The service.
    pub service: Program,
    /// Agents: proves this agent again after the service was restarted. New in each reply; what it replaces is good until
    /// the agent said something after the reply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resume: Option<Secret>,
    /// Agents: which agent the service takes it for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentIdentity>,
    /// Agents: the session it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<Session>,
    /// Agents: the longest silence, in milliseconds, before the agent counts as hung; send `agent/heartbeat` at a third of
    /// it. Absent: no heartbeat is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heartbeat_ms: Option<u32>,
    /// What the service accepts on this connection.
    pub limits: PeerLimits,
}

/// An agent as the service knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AgentIdentity {
    /// Its name in the configuration.
    pub name: String,
    /// Counts its launches in this session, from 1.
    pub generation: u32,
}

/// The limits that a client should keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PeerLimits {
    /// Longest body of a frame, in bytes.
    pub frame_bytes: u32,
    /// Requests that may wait for an answer at a time.
    pub requests_in_flight: u16,
}

/// A session and its facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// The operating system's session id, as shown to people.
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
}

/// A user account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    /// Account name.
    pub name: String,
    /// A uid in decimal, or a SID.
    pub id: String,
}

/// Where a session's user sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionKind {
    /// At the machine's own keyboard and screen.
    Console,
    /// At the other end of a network.
    Remote,
    /// Neither: another seat, or a login without one.
    Other,
}

/// Whether a session is the one in front of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SessionState {
    /// In front.
    Active,
    /// Logged on, but switched away from or disconnected.
    Inactive,
    /// On its way out.
    Closing,
}

/// Parameters of `agent/status`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// What the agent is doing, in a few words for people. An empty text takes the last one back.
    pub text: String,
}

/// Parameters of `agent/goodbye`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Goodbye {
    /// What the agent wants to happen after its exit. Wins over the meaning of its exit code.
    pub intent: Intent,
}

/// What an agent that leaves wants to happen next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Intent {
    /// Start me again; this is no failure.
    Restart,
    /// Leave me down until a person or a new logon says otherwise.
    Hold,
    /// I am not needed any more in this logon.
    Release,
    /// The session is ending.
    LoggingOff,
}

/// Parameters of `log/write`: one line of the agent's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Log {
    /// How grave it is.
    pub level: LogLevel,
    /// The part of the agent that speaks, such as a module path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub target: String,
    /// The text.
    pub message: String,
    /// Structured details.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// How many lines before this one were dropped because the connection could not keep up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// How grave a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Finest detail.
    Trace,
    /// For its developers.
    Debug,
    /// Worth knowing.
    Info,
    /// Wrong, but it goes on.
    Warn,
    /// Failed.
    Error,
}

/// Parameters of `agent/stop`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// How long the agent has, in milliseconds, until it is killed.
    pub deadline_ms: u32,
}

/// Why an agent is asked to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
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
    /// A reason that a newer service knows and this program does not.
    #[serde(other)]
    Other,
}

/// Parameters of `session/changed`: the facts as they are now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SessionChanged {
    /// The session that the agent serves.
    pub session: Session,
}

/// Parameters of `power/changed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PowerChanged {
    /// What happens.
    pub event: PowerEvent,
}

/// What happens to the machine's power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PowerEvent {
    /// It is about to sleep.
    Suspend,
    /// It woke up.
    Resume,
    /// Something that a newer service knows and this program does not.
    #[serde(other)]
    Other,
}

/// Parameters of `message/show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShowMessage {
    /// Replaces an earlier message with the same id, where that is still on the screen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// A few words.
    pub title: String,
    /// The message: plain text, no markup.
    pub text: String,
    /// How grave it is.
    #[serde(default)]
    pub level: MessageLevel,
}

/// How grave a message to a person is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MessageLevel {
    /// Worth knowing.
    #[default]
    Info,
    /// Needs attention.
    Warning,
    /// Something failed.
    Error,
}
