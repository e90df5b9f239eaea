//! The task that owns the connection.

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use bilayer_ipc::agent::{ClientKind, Initialize, Initialized, PowerChanged, Program, SessionChanged, Stop};
use bilayer_ipc::handshake::{self, HandshakeError, VERSIONS};
use bilayer_ipc::peer::CallError;
use bilayer_ipc::rpc::code;
use bilayer_ipc::{
    Closed, Connection, Incoming, Limits, Message, Params, Peer, Reply, RpcError, Secret, method,
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::event::{self, Event, Notification, Request};
use crate::{ConnectError, Handle};

/// First and longest pause between two tries to connect again. Each is half as long again as the one before, so that a service
/// which was away for a while is found again in less than half as long.
const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_LAST: Duration = Duration::from_secs(5);

/// How long the service may take to answer `initialize`.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What it takes to connect, and to connect again.
pub(crate) struct Link {
    pub(crate) endpoint: String,
    pub(crate) server: String,
    pub(crate) client: Program,
    pub(crate) limits: Limits,
    pub(crate) beats: bool,
    pub(crate) reconnects: bool,
}

/// What shows the service who this is.
pub(crate) enum Proof {
    /// The launch token: the first time.
    Token(Secret),
    /// The secret of the last reply: every other time.
    Resume(Secret),
}

/// A connection after its handshake.
pub(crate) struct Established {
    run: Pin<Box<dyn Future<Output = Closed> + Send>>,
    peer: Peer,
    incoming: Incoming,
    heartbeat: Option<Duration>,
}

impl Link {
    /// Opens the endpoint, proves the other end and shakes hands.
    pub(crate) async fn establish(
        &mut self,
        proof: Proof,
    ) -> Result<(Established, Initialized), ConnectError> {
        let stream = bilayer_platform::connect(&self.endpoint, &self.server).await?;
        let (connection, peer, incoming) = Connection::new(stream, self.limits.clone());
        let (token, resume) = match proof {
            Proof::Token(secret) => (Some(secret), None),
            Proof::Resume(secret) => (None, Some(secret)),
        };
        let client = self.client.clone();
        let initialize = Initialize { protocol: VERSIONS, kind: ClientKind::Agent, token, resume, client };
        let mut run = Box::pin(connection.run());
        let mut open = Box::pin(handshake::open(&peer, &initialize));
        let opened = tokio::select! {
            opened = &mut open => opened,
            // The answer may have come together with the end, and says why it is the end.
            _ = &mut run => (&mut open).await,
            () = sleep(ANSWER_WITHIN) => Err(HandshakeError::Silent { limit: ANSWER_WITHIN }),
        };
        drop(open);
        let initialized =
            opened.map_err(|source| ConnectError::Handshake { endpoint: self.endpoint.clone(), source })?;
        let heartbeat = initialized.heartbeat_ms.map(|ms| Duration::from_millis((ms / 3).max(1).into()));
        Ok((Established { run, peer, incoming, heartbeat }, initialized))
    }

    /// Makes the connection the one that the agent speaks on; returns what proves the agent the next time.
    pub(crate) fn attach(
        &self,
        established: &Established,
        handle: &Handle,
        initialized: Initialized,
    ) -> Option<Proof> {
        let proof = initialized.resume.clone().map(Proof::Resume);
        handle.attach(&established.peer, initialized);
        proof
    }

    /// Serves this connection and those after it, until there is no way to another or the agent lets go.
    pub(crate) async fn run(
        mut self,
        mut established: Established,
        mut proof: Option<Proof>,
        handle: Handle,
        events: Sender<Event>,
    ) {
        loop {
            self.serve(established, &handle, &events).await;
            handle.detach();
            let Some(next) = proof.take().filter(|_| self.reconnects && !events.is_closed()) else { return };
            if events.send(Event::Disconnected).await.is_err() {
                return;
            }
            let Some((again, initialized)) = self.establish_again(next, &events).await else { return };
            let known = handle.session();
            proof = self.attach(&again, &handle, initialized);
            established = again;
            if events.send(Event::Reconnected).await.is_err() {
                return;
            }
            // What changed while nobody could tell.
            let session = handle.session().filter(|session| Some(session) != known.as_ref());
            if let Some(session) = session
                && events.send(Event::Session(session)).await.is_err()
            {
                return;
            }
        }
    }

    /// Serves one connection until it is over.
    async fn serve(&self, established: Established, handle: &Handle, events: &Sender<Event>) {
        let Established { mut run, peer, mut incoming, heartbeat } = established;
        let over = tokio::select! {
            _ = &mut run => true,
            () = beat(&peer, heartbeat.filter(|_| self.beats)) => false,
            () = pump(&mut incoming, handle, events) => false,
            () = events.closed() => false,
        };
        if !over {
            // The agent let go, or the connection is about to end: whatever waits is still written.
            peer.close("the agent let go of the connection");
            run.await;
        }
        // What came with the last bytes is still heard.
        pump(&mut incoming, handle, events).await;
    }

    /// Tries until it works. `None` once the service said no, or the agent let go.
    async fn establish_again(
        &mut self,
        proof: Proof,
        events: &Sender<Event>,
    ) -> Option<(Established, Initialized)> {
        let Proof::Resume(secret) = proof else { return None };
        let mut pause = RETRY_FIRST;
        let mut closed = pin!(events.closed());
        loop {
            tokio::select! {
                () = &mut closed => return None,
                () = sleep(pause) => {}
            }
            match self.establish(Proof::Resume(secret.clone())).await {
                Ok(established) => return Some(established),
                Err(ConnectError::Handshake {
                    source: HandshakeError::Call(CallError::Answer(answer)),
                    ..
                }) if is_final(&answer) => return None,
                // Nobody there yet, or the wrong one, or one that is about to go: the service may still come back.
                Err(_) => pause = (pause * 3 / 2).min(RETRY_LAST),
            }
        }
    }
}

/// Whether a service that answers so will never answer otherwise: this agent is not its, or they have no language in common.
fn is_final(answer: &RpcError) -> bool {
    [code::REFUSED, code::VERSION].contains(&answer.code)
}

/// Sends heartbeats, or nothing for ever.
async fn beat(peer: &Peer, every: Option<Duration>) {
    let Some(every) = every else { return pending().await };
    let mut beats = interval(every);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if peer.notify(method::AGENT_HEARTBEAT, &()).is_err() {
            // The connection's own end says why.
            return pending().await;
        }
    }
}

/// Turns messages into events, until there are no more or nobody takes them.
async fn pump(incoming: &mut Incoming, handle: &Handle, events: &Sender<Event>) {
    while let Some(message) = incoming.next().await {
        let event = match message {
            Message::Request { method, params, reply, .. } => request(method, params, reply),
            Message::Notification { method, params } => notification(method, params, handle),
        };
        if let Some(event) = event
            && events.send(event).await.is_err()
        {
            return;
        }
    }
}

fn request(method: String, params: Params, reply: Reply) -> Option<Event> {
    match method.as_str() {
        method::AGENT_STOP => {
            let (Stop { reason, deadline_ms }, reply) = read(&params, reply)?;
            // An answer that cannot be sent has nobody left to hear it.
            let _ = reply.answer(&());
            Some(Event::Stop(event::Stop { reason, within: Duration::from_millis(deadline_ms.into()) }))
        }
        method::MESSAGE_SHOW => {
            let (message, reply) = read(&params, reply)?;
            Some(Event::Message(event::ShowMessage::new(message, reply)))
        }
        _ if method::is_reserved(&method) => {
            // Newer than this program.
            let _ = reply.fail(RpcError::method_not_found(&method));
            None
        }
        _ => Some(Event::Request(Request::new(method, params, reply))),
    }
}

/// Reads parameters. Where they are wrong, that is the answer.
fn read<T: DeserializeOwned>(params: &Params, reply: Reply) -> Option<(T, Reply)> {
    match params.parse() {
        Ok(read) => Some((read, reply)),
        Err(error) => {
            let _ = reply.fail(error);
            None
        }
    }
}

fn notification(method: String, params: Params, handle: &Handle) -> Option<Event> {
    match method.as_str() {
        method::SESSION_CHANGED => {
            let SessionChanged { session } = params.parse().ok()?;
            handle.session_changed(&session);
            Some(Event::Session(session))
        }
        method::POWER_CHANGED => params.parse().ok().map(|PowerChanged { event }| Event::Power(event)),
        _ if method::is_reserved(&method) => None,
        _ => Some(Event::Notification(Notification { method, params })),
    }
}
