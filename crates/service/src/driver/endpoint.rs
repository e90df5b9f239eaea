//! The door of a session, and the conversation with each client that comes in.
//!
//! Until the handshake is over a client is a stranger: it is judged by what the operating system says of its process before
//! a byte of what it sends is read, and what it then says is believed only where its secret fits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bilayer_core::{InstanceKey, Logon};
use bilayer_ipc::Limits;
use bilayer_ipc::agent::{ClientKind, Goodbye, Log, LogLevel, Program, Status};
use bilayer_ipc::handshake::{self, HandshakeError};
use bilayer_ipc::peer::{Incoming, Message, Peer as WirePeer, Reply};
use bilayer_ipc::rpc::{Params, RpcError};
use bilayer_ipc::{Connection, method};
use bilayer_platform::{Listener, Peer, Station, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use super::news::{AgentNews, Hello, News, Welcome};
use super::pace::{Pace, SAID_PER_SECOND};
use super::translate;
use crate::builder::{Call, Methods};
use crate::output::{LINE_BYTES, Origin, Quota, TARGET};

/// How long accepting rests after the operating system refused a connection, for want of descriptors for example.
const REST: Duration = Duration::from_millis(100);

/// What every client of a session's endpoint meets.
pub(super) struct Door {
    pub(super) logon: Logon,
    pub(super) station: Station,
    pub(super) session: String,
    pub(super) user: String,
    pub(super) limits: Arc<Limits>,
    pub(super) methods: Arc<Methods>,
    pub(super) news: mpsc::Sender<News>,
    pub(super) quotas: Quotas,
}

/// How much the log takes on from one door. Neither is renewed by connecting again: whoever could fill the log could push
/// everybody else's lines out of it.
#[derive(Default)]
pub(super) struct Quotas {
    /// For coming, going and being refused.
    comings: Mutex<Quota>,
    /// For what each agent says.
    agents: Mutex<HashMap<InstanceKey, Quota>>,
}

impl Quotas {
    fn admit_coming(&self) -> bool {
        self.comings.lock().unwrap_or_else(PoisonError::into_inner).admit(Instant::now())
    }

    /// Whether this agent may write one more line, and how many were turned away before it.
    fn admit_line(&self, instance: InstanceKey) -> Option<u64> {
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        let quota = agents.entry(instance).or_default();
        quota.admit(Instant::now()).then(|| quota.take_dropped())
    }
}

/// Lets clients in for as long as the task lives.
pub(super) async fn accept(listener: Listener, door: Door) {
    let door = Arc::new(door);
    let places = Arc::new(Semaphore::new(door.limits.connections_per_session.into()));
    loop {
        let Some(place) = place(&places, &door).await else { return };
        let refused = match listener.accept().await {
            Err(error) => {
                tokio::time::sleep(REST).await;
                format!("cannot accept a connection: {error}")
            }
            Ok((_, peer)) if !peer.may_serve(&door.station) => {
                format!(
                    "refused a connection of pid {} (user {}): not this session's user",
                    peer.pid(),
                    peer.user_id()
                )
            }
            Ok((stream, peer)) => {
                let door = Arc::clone(&door);
                tokio::spawn(async move { serve(stream, Arc::new(peer), place, &door).await });
                continue;
            }
        };
        if door.quotas.admit_coming() {
            tracing::warn!(session = %door.session, "{refused}");
        }
    }
}

/// A place for one more client. While there is none, whoever connects waits in the operating system's queue: a hundred
/// agents that start at once are served one after the other, and none is turned away.
async fn place(places: &Arc<Semaphore>, door: &Door) -> Option<OwnedSemaphorePermit> {
    if let Ok(place) = Arc::clone(places).try_acquire_owned() {
        return Some(place);
    }
    if door.quotas.admit_coming() {
        tracing::warn!(
            session = %door.session,
            "{} clients have not finished their handshake (wire.connections_per_session); others wait",
            door.limits.connections_per_session
        );
    }
    Arc::clone(places).acquire_owned().await.ok()
}

/// One client, from its first byte to its last.
async fn serve(stream: Stream, peer: Arc<Peer>, place: OwnedSemaphorePermit, door: &Door) {
    let (connection, wire, incoming) = Connection::new(stream, (*door.limits).clone());
    let pid = peer.pid();
    // One task for both: the connection moves bytes, the conversation gives them meaning.
    let (closed, outcome) = tokio::join!(connection.run(), converse(peer, place, wire, incoming, door));
    let session = &door.session;
    if !door.quotas.admit_coming() {
        return;
    }
    match outcome {
        Ok(agent) => tracing::info!(%agent, %session, pid, "disconnected: {}", crate::chain(&closed)),
        Err(error) => tracing::warn!(%session, pid, "no handshake: {}", crate::chain(&error)),
    }
}

/// Tells connections apart.
static CONNECTIONS: AtomicU64 = AtomicU64::new(0);

/// The handshake, and then whatever the agent has to say. Returns the agent's name once the connection is over.
async fn converse(
    peer: Arc<Peer>,
    place: OwnedSemaphorePermit,
    wire: WirePeer,
    mut incoming: Incoming,
    door: &Door,
) -> Result<String, HandshakeError> {
    let mut knock =
        handshake::accept(&wire, &mut incoming, ClientKind::Agent, door.limits.handshake()).await?;
    let pid = peer.pid();
    let Some(secret) = knock.initialize.token.take().or_else(|| knock.initialize.resume.take()) else {
        return Err(knock.refuse(&wire, "it shows neither a token nor a resume secret"));
    };
    let (answer, judged) = oneshot::channel();
    let hello = Hello { logon: door.logon, secret, peer, answer };
    let judged = match door.news.send(News::Hello(hello)).await {
        Ok(()) => judged.await.ok(),
        Err(_) => None,
    };
    let Some(welcome) = judged else { return Err(knock.leave(&wire)) };
    let Welcome { instance, generation, mut initialized } = match welcome {
        Ok(welcome) => welcome,
        Err(why) => return Err(knock.refuse(&wire, why)),
    };
    initialized.protocol = knock.protocol;
    let client = shortened(&knock.initialize.client);
    knock.welcome(&initialized)?;
    // An agent has one connection and holds it by right; the places are for those who still have to prove themselves.
    drop(place);
    let agent = initialized.agent.map_or_else(String::new, |agent| agent.name);
    if door.quotas.admit_coming() {
        tracing::info!(%agent, session = %door.session, generation, %client, "connected");
    }

    let connection = CONNECTIONS.fetch_add(1, Ordering::Relaxed);
    let origin = Origin { agent, session: door.session.clone(), user: door.user.clone(), pid };
    let mut talk = Talk { instance, generation, door, origin, pace: Pace::of(SAID_PER_SECOND) };
    talk.tell(AgentNews::Connected { connection, wire }).await;
    let mut heard = false;
    while let Some(message) = incoming.next().await {
        if !std::mem::replace(&mut heard, true) {
            talk.tell(AgentNews::Heard { connection }).await;
        }
        match message {
            Message::Notification { method, params } => talk.notified(&method, &params).await,
            Message::Request { method, params, reply, .. } => talk.requested(&method, params, reply).await,
        }
    }
    talk.tell(AgentNews::Disconnected { connection }).await;
    Ok(talk.origin.agent)
}

/// A conversation with an agent that proved itself. What it says is still only its word about itself.
struct Talk<'a> {
    instance: InstanceKey,
    generation: u32,
    door: &'a Door,
    origin: Origin,
    pace: Pace,
}

impl Talk<'_> {
    /// Waits while the loop is busy, and so does the agent.
    async fn tell(&self, said: AgentNews) {
        // A service that ends has no use for it.
        let _ = self.door.news.send(News::Agent(self.instance, self.generation, said)).await;
    }

    async fn notified(&mut self, method: &str, params: &Params) {
        let said = match method {
            method::AGENT_READY => Ok(AgentNews::Ready),
            method::AGENT_HEARTBEAT => Ok(AgentNews::Heartbeat),
            method::AGENT_STATUS => params.parse().map(|status: Status| AgentNews::Status(status.text)),
            method::AGENT_GOODBYE => goodbye(params),
            method::LOG_WRITE => match params.parse() {
                Ok(line) => return self.log(line),
                Err(error) => Err(error),
            },
            // As JSON-RPC wants it: nobody waits for an answer, so nobody gets one.
            _ => return,
        };
        match said {
            Ok(said) => {
                self.pace.keep().await;
                self.tell(said).await;
            }
            Err(error) if self.door.quotas.admit_line(self.instance).is_some() => {
                let Origin { agent, session, pid, .. } = &self.origin;
                tracing::warn!(%agent, %session, pid, "ignored a {method} of the agent: {}", error.message);
            }
            Err(_) => {}
        }
    }

    async fn requested(&mut self, method: &str, params: Params, reply: Reply) {
        // An answer that cannot be sent is an agent that is gone; the connection says so by itself.
        if method == method::AGENT_GOODBYE {
            let _ = match goodbye(&params) {
                Ok(said) => {
                    self.pace.keep().await;
                    self.tell(said).await;
                    reply.answer(&())
                }
                Err(error) => reply.fail(error),
            };
            return;
        }
        let Some(handler) = self.door.methods.find(method) else {
            let _ = reply.fail(RpcError::method_not_found(method));
            return;
        };
        let call = Call {
            agent: self.origin.agent.clone(),
            session: self.origin.session.clone(),
            user: self.origin.user.clone(),
            params,
        };
        let answered = handler(call);
        // Bounded by the connection's limit on requests in flight.
        tokio::spawn(async move {
            let result = tokio::select! {
                result = answered => result,
                () = reply.cancelled() => Err(RpcError::cancelled()),
            };
            let _ = match result {
                Ok(value) => reply.answer(&value),
                Err(error) => reply.fail(error),
            };
        });
    }

    /// One line of the agent's own log, at the same rate as what it prints.
    fn log(&self, line: Log) {
        let Some(turned_away) = self.door.quotas.admit_line(self.instance) else { return };
        let Origin { agent, session, user, pid } = &self.origin;
        let dropped = turned_away.saturating_add(line.dropped);
        if dropped > 0 {
            tracing::warn!(target: TARGET, %agent, %session, %user, pid, "dropped {dropped} lines of the agent's log");
        }
        let mut fields = String::new();
        if !line.fields.is_empty() {
            fields = format!(" {}", serde_json::Value::Object(line.fields));
            cut(&mut fields, LINE_BYTES);
        }
        let Log { target: mut from, mut message, level, .. } = line;
        cut(&mut from, TARGET_BYTES);
        cut(&mut message, LINE_BYTES);
        macro_rules! write {
            ($level:ident) => {
                tracing::event!(
                    target: TARGET, tracing::Level::$level, %agent, %session, %user, pid, %from, "{message}{fields}"
                )
            };
        }
        match level {
            LogLevel::Error => write!(ERROR),
            LogLevel::Warn => write!(WARN),
            LogLevel::Info => write!(INFO),
            LogLevel::Debug => write!(DEBUG),
            LogLevel::Trace => write!(TRACE),
        }
    }
}

fn goodbye(params: &Params) -> Result<AgentNews, RpcError> {
    params.parse().map(|goodbye: Goodbye| AgentNews::Goodbye(translate::goodbye(goodbye.intent)))
}

/// Longest part of a program that the log names, in bytes.
const TARGET_BYTES: usize = 128;

/// What a program calls itself, no longer than a name is.
fn shortened(program: &Program) -> String {
    let Program { mut name, mut version } = program.clone();
    cut(&mut name, TARGET_BYTES);
    cut(&mut version, TARGET_BYTES);
    format!("{name} {version}")
}

/// Cuts a text to so many bytes, between two characters.
fn cut(text: &mut String, bytes_max: usize) {
    if text.len() > bytes_max {
        let end = (0..=bytes_max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use bilayer_core::SpecId;

    use super::*;

    #[test]
    fn neither_strangers_nor_one_agent_can_fill_the_log_and_another_agent_still_speaks() {
        let quotas = Quotas::default();
        let key = |spec| InstanceKey { logon: Logon(1), spec: SpecId(spec) };
        let comings = (0..50_000).filter(|_| quotas.admit_coming()).count();
        let lines = (0..50_000).filter(|_| quotas.admit_line(key(1)).is_some()).count();
        assert!(comings < 25_000 && lines < 25_000, "{comings} and {lines}");
        assert_eq!(quotas.admit_line(key(2)), Some(0));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        let mut text = "aäb".to_owned();
        cut(&mut text, 2);
        assert_eq!(text, "a");
        cut(&mut text, 2);
        assert_eq!(text, "a");
    }
}
