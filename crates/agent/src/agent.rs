//! The agent's own end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bilayer_ipc::agent::{AgentIdentity, Goodbye, Initialized, Intent, Session, Status};
use bilayer_ipc::peer::{CallError, SendError};
use bilayer_ipc::{Peer, method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::{Builder, Event, LogLayer};

/// A running agent, connected to its service. Not `Clone`; use [`Agent::handle`] to send from elsewhere.
///
/// Dropping it closes the connection. [`Agent::close`] does so too and waits until everything is written.
pub struct Agent {
    handle: Handle,
    events: mpsc::Receiver<Event>,
    link: JoinHandle<()>,
}

/// The sending half of an [`Agent`]. Clones send on the same connection.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

/// There is no connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not connected to the service")]
pub struct Disconnected;

/// Why a goodbye was not heard.
#[derive(Debug, thiserror::Error)]
pub enum GoodbyeError {
    /// There is no connection now.
    #[error(transparent)]
    Disconnected(#[from] Disconnected),
    /// It was not answered.
    #[error("the service did not answer the goodbye")]
    Call(#[source] CallError),
}

pub(crate) struct Shared {
    facts: Mutex<Facts>,
}

/// What is known and what was said, so that a new connection can say it again.
struct Facts {
    peer: Option<Peer>,
    identity: AgentIdentity,
    session: Option<Session>,
    ready: bool,
    status: Option<String>,
}

impl Agent {
    /// Begins with the name and version of this program, as they appear in logs and in `bilayer status`.
    pub fn builder(name: &str, version: &str) -> Builder {
        Builder::new(name, version)
    }

    pub(crate) fn new(handle: Handle, events: mpsc::Receiver<Event>, link: JoinHandle<()>) -> Self {
        Self { handle, events, link }
    }

    /// The next event; `None` once the connection is over for good. Cancel safe.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// A sender for use elsewhere in the program.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Closes the connection, after everything that was sent is written.
    pub async fn close(self) {
        let Self { handle, events, link } = self;
        drop(events);
        let peer = handle.0.lock().peer.take();
        if let Some(peer) = peer {
            peer.close("the agent closed the connection");
        }
        // The task ends by itself; had it panicked, there would be nothing left to close.
        let _ = link.await;
    }

    /// See [`Handle::ready`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn ready(&self) -> Result<(), SendError> {
        self.handle.ready()
    }

    /// See [`Handle::status`].
    ///
    /// # Errors
    /// [`SendError`].
    pub fn status(&self, text: impl Into<String>) -> Result<(), SendError> {
        self.handle.status(text)
    }

    /// See [`Handle::heartbeat`].
    pub fn heartbeat(&self) {
        self.handle.heartbeat();
    }

    /// See [`Handle::goodbye`].
    ///
    /// # Errors
    /// [`GoodbyeError`].
    pub async fn goodbye(&self, intent: Intent) -> Result<(), GoodbyeError> {
        self.handle.goodbye(intent).await
    }

    /// See [`Handle::session`].
    pub fn session(&self) -> Option<Session> {
        self.handle.session()
    }

    /// See [`Handle::identity`].
    pub fn identity(&self) -> AgentIdentity {
        self.handle.identity()
    }

    /// See [`Handle::log_layer`].
    pub fn log_layer(&self) -> LogLayer {
        self.handle.log_layer()
    }
}

impl Handle {
    /// Says that the agent does its work now. Said again by itself after a lost connection.
    ///
    /// # Errors
    /// [`SendError`], though none is known: being disconnected is no error, because it is said again.
    pub fn ready(&self) -> Result<(), SendError> {
        let mut facts = self.0.lock();
        facts.ready = true;
        let peer = facts.peer.clone();
        drop(facts);
        peer.map_or(Ok(()), |peer| tell(&peer, method::AGENT_READY, &()))
    }

    /// Says what the agent is doing, in a few words for people. Said again by itself after a lost connection.
    ///
    /// # Errors
    /// [`SendError::Encode`] if the text is longer than a message may be. Being disconnected is no error.
    pub fn status(&self, text: impl Into<String>) -> Result<(), SendError> {
        let text = text.into();
        let mut facts = self.0.lock();
        facts.status = Some(text.clone());
        let peer = facts.peer.clone();
        drop(facts);
        peer.map_or(Ok(()), |peer| tell(&peer, method::AGENT_STATUS, &Status { text }))
    }

    /// Says that the agent is alive. Needed only after [`Builder::manual_heartbeat`]; send it at a third of the
    /// configured limit.
    pub fn heartbeat(&self) {
        if let Some(peer) = self.0.peer() {
            // A lost connection is noticed by the task that owns it.
            let _ = peer.notify(method::AGENT_HEARTBEAT, &());
        }
    }

    /// Announces that the agent is about to leave and what it wants to happen then. Returns once the service has heard it,
    /// so that the exit can follow at once.
    ///
    /// # Errors
    /// [`GoodbyeError`].
    pub async fn goodbye(&self, intent: Intent) -> Result<(), GoodbyeError> {
        let peer = self.0.peer().ok_or(Disconnected)?;
        peer.call::<()>(method::AGENT_GOODBYE, &Goodbye { intent }).await.map_err(GoodbyeError::Call)
    }

    /// Asks the service one of the product's own questions.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn request<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &impl Serialize,
    ) -> Result<T, CallError> {
        self.connected().map_err(CallError::Closed)?.call(method, params).await
    }

    /// Tells the service something of the product's own. Never waits.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn notify(&self, method: &str, params: &impl Serialize) -> Result<(), SendError> {
        self.connected().map_err(SendError::Closed)?.notify(method, params)
    }

    /// The session that this agent serves, with its facts as last heard. `None`: this is a worker, which belongs to the machine and to
    /// no session.
    pub fn session(&self) -> Option<Session> {
        self.0.lock().session.clone()
    }

    /// Which agent the service takes this process for.
    pub fn identity(&self) -> AgentIdentity {
        self.0.lock().identity.clone()
    }

    /// Whether there is a connection now.
    pub fn is_connected(&self) -> bool {
        self.0.peer().is_some()
    }

    /// A layer for `tracing-subscriber` that forwards this program's log to the service.
    pub fn log_layer(&self) -> LogLayer {
        LogLayer::new(self.clone())
    }

    pub(crate) fn new(identity: AgentIdentity, session: Option<Session>) -> Self {
        let facts = Facts { peer: None, identity, session, ready: false, status: None };
        Self(Arc::new(Shared { facts: Mutex::new(facts) }))
    }

    pub(crate) fn peer(&self) -> Option<Peer> {
        self.0.peer()
    }

    /// There is a connection again: says on it what was said before.
    pub(crate) fn attach(&self, peer: &Peer, initialized: Initialized) {
        let mut facts = self.0.lock();
        facts.peer = Some(peer.clone());
        facts.identity = initialized.agent.unwrap_or_else(|| facts.identity.clone());
        facts.session = initialized.session;
        let (ready, status) = (facts.ready, facts.status.clone());
        drop(facts);
        if let Some(text) = status {
            let _ = tell(peer, method::AGENT_STATUS, &Status { text });
        }
        if ready {
            let _ = tell(peer, method::AGENT_READY, &());
        }
    }

    pub(crate) fn detach(&self) {
        self.0.lock().peer = None;
    }

    pub(crate) fn session_changed(&self, session: &Session) {
        self.0.lock().session = Some(session.clone());
    }

    fn connected(&self) -> Result<Peer, bilayer_ipc::Closed> {
        self.0.peer().ok_or_else(|| bilayer_ipc::Closed::Local("not connected to the service".into()))
    }
}

/// Says something that is said again on the next connection, so that a lost one is no error.
fn tell(peer: &Peer, method: &str, params: &impl Serialize) -> Result<(), SendError> {
    match peer.notify(method, params) {
        Err(SendError::Closed(_)) => Ok(()),
        told => told,
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Facts> {
        // Nothing that can panic runs under the lock.
        self.facts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn peer(&self) -> Option<Peer> {
        self.lock().peer.clone()
    }
}
