//! The control endpoint: what administrators ask, in console mode the user who started the service.

use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{Command, Event, InstanceKey, StopReason};
use bilayer_ipc::Limits;
use bilayer_ipc::agent::{ClientKind, Initialized, PeerLimits, Program};
use bilayer_ipc::control::{AgentStatus, Selector};
use bilayer_ipc::handshake::{self, HandshakeError};
use bilayer_ipc::peer::{Closed, Incoming, Message, Peer as WirePeer, Reply};
use bilayer_ipc::rpc::{Params, RpcError, code};
use bilayer_ipc::{Connection, control, method};
use bilayer_platform::{Listener, Peer, Stream};
use serde::Serialize;
use tokio::sync::{Semaphore, mpsc};

use super::news::News;
use super::{Driver, STOP_WITHIN};

/// Control clients at a time; they are people and scripts.
const CLIENTS_MAX: usize = 16;

/// How long accepting rests after the operating system refused a connection.
const REST: Duration = Duration::from_millis(100);

/// How long an agent may take to answer a call, unless the caller says otherwise.
const CALL_WITHIN: Duration = Duration::from_secs(30);

/// What a control client asks.
pub(super) struct Request {
    method: String,
    params: Params,
    answer: Answer,
}

/// The way back to the client.
pub(super) struct Answer(Reply);

impl Answer {
    pub(super) fn send(self, result: Result<impl Serialize, RpcError>) {
        // A client that is gone is told nothing.
        let _ = match result {
            Ok(value) => self.0.answer(&value),
            Err(error) => self.0.fail(error),
        };
    }

    /// Resolves once nobody waits for the answer any more. Cancel safe.
    pub(super) async fn abandoned(&self) {
        self.0.cancelled().await;
    }
}

/// Who may use the control endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admits {
    /// Administrators.
    Administrators,
    /// The user who started the service.
    SameUser,
}

/// Lets control clients in for as long as the task lives.
pub(super) async fn accept(
    listener: Listener,
    admits: Admits,
    service: Program,
    limits: Arc<Limits>,
    news: mpsc::Sender<News>,
) {
    let places = Arc::new(Semaphore::new(CLIENTS_MAX));
    loop {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!("cannot accept a connection on the control endpoint: {error}");
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(pid = peer.pid(), "refused a control client: {CLIENTS_MAX} are connected already");
            continue;
        };
        let (service, limits, news) = (service.clone(), Arc::clone(&limits), news.clone());
        tokio::spawn(async move {
            serve(stream, &peer, admits, service, &limits, &news).await;
            drop(place);
        });
    }
}

async fn serve(
    stream: Stream,
    peer: &Peer,
    admits: Admits,
    service: Program,
    limits: &Limits,
    news: &mpsc::Sender<News>,
) {
    let (connection, wire, incoming) = Connection::new(stream, limits.clone());
    let (_, outcome) =
        tokio::join!(connection.run(), converse(peer, admits, service, limits, wire, incoming, news));
    // Whoever looks whether a service answers connects and says nothing.
    if let Err(error) = outcome
        && !matches!(error, HandshakeError::Closed(Closed::Eof))
    {
        let (pid, user) = (peer.pid(), peer.user_id());
        tracing::warn!(pid, user, "no handshake on the control endpoint: {}", crate::chain(&error));
    }
}

async fn converse(
    peer: &Peer,
    admits: Admits,
    service: Program,
    limits: &Limits,
    wire: WirePeer,
    mut incoming: Incoming,
    news: &mpsc::Sender<News>,
) -> Result<(), HandshakeError> {
    let knock = handshake::accept(&wire, &mut incoming, ClientKind::Control, limits.handshake()).await?;
    let admitted = match admits {
        Admits::Administrators => peer.is_administrator(),
        Admits::SameUser => peer.is_same_user() || peer.is_administrator(),
    };
    if !admitted {
        return Err(knock.refuse(&wire, format!("{admits:?} only")));
    }
    let initialized = Initialized {
        protocol: knock.protocol,
        service,
        resume: None,
        agent: None,
        session: None,
        heartbeat_ms: None,
        limits: PeerLimits { frame_bytes: limits.frame_bytes, requests_in_flight: limits.requests_in_flight },
    };
    knock.welcome(&initialized)?;
    while let Some(message) = incoming.next().await {
        if let Message::Request { method, params, reply, .. } = message {
            let request = Request { method, params, answer: Answer(reply) };
            if news.send(News::Control(request)).await.is_err() {
                break;
            }
        }
    }
    Ok(())
}

impl Driver {
    /// Does what a control client asks. There is no method that takes a path or a command line.
    pub(super) fn hear_control(&mut self, request: Request) {
        let Request { method, params, answer } = request;
        match method.as_str() {
            method::SERVICE_STATUS => answer.send(Ok(self.status())),
            method::SERVICE_RELOAD => self.read_config(Some(answer)),
            method::SERVICE_STOP => {
                answer.send(Ok(()));
                self.stop(StopReason::ServiceStop, STOP_WITHIN);
            }
            method::AGENTS_START => answer.send(self.command(&params, Command::Start)),
            method::AGENTS_STOP => answer.send(self.command(&params, Command::Stop)),
            method::AGENTS_RESTART => answer.send(self.command(&params, Command::Restart)),
            method::AGENTS_CALL => self.call_agent(&params, answer),
            method::MESSAGE_SEND => self.send_message(&params, answer),
            unknown => answer.send(Err::<(), _>(RpcError::method_not_found(unknown))),
        }
    }

    /// Starts, stops or restarts; answers with what became of each at once, which is rarely its last word.
    fn command(&mut self, params: &Params, command: Command) -> Result<Vec<AgentStatus>, RpcError> {
        let selector: Selector = params.parse()?;
        if self.stopping {
            return Err(RpcError::new(code::NOT_NOW, "the service is stopping"));
        }
        let keys = self.select(&selector)?;
        for &key in &keys {
            let (agent, session) = (self.name_of(key), self.session_of(key));
            tracing::info!(%agent, %session, "a person asks to {} it", word(command));
            self.pending.push_back(Event::Operator(key, command));
        }
        self.settle();
        Ok(keys.into_iter().filter_map(|key| self.agent_status(key)).collect())
    }

    /// Passes a call on to one agent.
    fn call_agent(&self, params: &Params, answer: Answer) {
        let call: control::Call = match params.parse() {
            Ok(call) => call,
            Err(error) => return answer.send(Err::<(), _>(error)),
        };
        let wire = match self.callee(&call) {
            Ok(wire) => wire,
            Err(error) => return answer.send(Err::<(), _>(error)),
        };
        let within = call.timeout_ms.map_or(CALL_WITHIN, |ms| Duration::from_millis(ms.into()));
        tokio::spawn(async move {
            let called = wire.request(&call.method, &call.params);
            let result = tokio::select! {
                result = tokio::time::timeout(within, called) => result,
                // The client does not wait any more; dropping the call tells the agent.
                () = answer.abandoned() => return,
            };
            answer.send(match result {
                Ok(Ok(value)) => Ok(value),
                Ok(Err(error)) => Err(passed_on(error)),
                Err(_) => {
                    let text = format!("the agent did not answer within {} ms", within.as_millis());
                    Err(RpcError::new(code::NOT_NOW, text))
                }
            });
        });
    }

    fn callee(&self, call: &control::Call) -> Result<WirePeer, RpcError> {
        if method::is_reserved(&call.method) {
            let text = format!("{:?} belongs to Bilayer; call a method of the agent's own", call.method);
            return Err(RpcError::new(code::INVALID_PARAMS, text));
        }
        let one = Selector { all: false, ..call.selector.clone() };
        let key: InstanceKey = self.select(&one)?.into_iter().next().ok_or_else(RpcError::cancelled)?;
        let wire = self.runs.current(key).and_then(|run| run.wire.as_ref());
        wire.map(|wire| wire.peer.clone()).ok_or_else(|| {
            RpcError::new(code::NOT_NOW, format!(
                "the agent {:?} is not connected, so it cannot be asked; `bilayer agents list` says what it does",
                self.name_of(key)
            ))
        })
    }
}

/// The agent's own error goes to the caller as it is.
fn passed_on(error: bilayer_ipc::peer::CallError) -> RpcError {
    match error {
        bilayer_ipc::peer::CallError::Answer(error) => error,
        other => RpcError::new(code::NOT_NOW, format!("the call failed: {other}")),
    }
}

fn word(command: Command) -> &'static str {
    match command {
        Command::Start => "start",
        Command::Stop => "stop",
        Command::Restart => "restart",
    }
}
