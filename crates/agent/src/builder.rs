//! How an agent connects.

use bilayer_ipc::Limits;
use bilayer_ipc::agent::Program;
use bilayer_ipc::handshake::HandshakeError;
use tokio::sync::mpsc;

use crate::environment::{Environment, EnvironmentError};
use crate::link::{Link, Proof};
use crate::{Agent, Handle};

/// Events that may wait to be taken by the agent. Past that the connection is not read until it takes some.
const EVENTS_MAX: usize = 64;

/// How an agent connects; see [`Agent::builder`].
pub struct Builder {
    client: Program,
    environment: Option<Environment>,
    limits: Limits,
    manual_heartbeat: bool,
    reconnect: bool,
}

/// Why an agent is not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// This process was not started by Bilayer.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The endpoint could not be opened, or somebody else is at its other end.
    #[error(transparent)]
    Endpoint(#[from] bilayer_platform::ConnectError),
    /// The service did not take this process for its agent.
    #[error("the service at {endpoint} did not accept this agent")]
    Handshake {
        /// Where it listens.
        endpoint: String,
        /// What it said.
        #[source]
        source: HandshakeError,
    },
    /// The service did not say which agent this is.
    #[error("the service at {endpoint} did not say which agent this is")]
    Nameless {
        /// Where it listens.
        endpoint: String,
    },
}

impl Builder {
    pub(crate) fn new(name: &str, version: &str) -> Self {
        Self {
            client: Program { name: name.to_owned(), version: version.to_owned() },
            environment: None,
            limits: Limits::default(),
            manual_heartbeat: false,
            reconnect: true,
        }
    }

    /// Connects there, instead of where the environment variables say.
    #[must_use]
    pub fn environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
        self
    }

    /// Bounds on the connection, as this side enforces them.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sends no heartbeats but those of [`Agent::heartbeat`].
    #[must_use]
    pub fn manual_heartbeat(mut self) -> Self {
        self.manual_heartbeat = true;
        self
    }

    /// Takes a lost connection for the end, instead of connecting again.
    #[must_use]
    pub fn without_reconnect(mut self) -> Self {
        self.reconnect = false;
        self
    }

    /// Connects. Must be called within a tokio runtime with I/O and time enabled; a task on it owns the connection.
    ///
    /// # Errors
    /// [`ConnectError`]. Nothing is tried twice: the service is listening before it starts an agent.
    pub async fn connect(self) -> Result<Agent, ConnectError> {
        let environment = match self.environment {
            Some(environment) => environment,
            None => Environment::of_process()?,
        };
        let Environment { endpoint, server, token } = environment;
        let mut link = Link {
            endpoint,
            server,
            client: self.client,
            limits: self.limits,
            beats: !self.manual_heartbeat,
            reconnects: self.reconnect,
        };
        let (established, initialized) = link.establish(Proof::Token(token)).await?;
        let Some(identity) = initialized.agent.clone() else {
            return Err(ConnectError::Nameless { endpoint: link.endpoint });
        };
        let handle = Handle::new(identity, initialized.session.clone());
        let (events, received) = mpsc::channel(EVENTS_MAX);
        // Attached before the task runs, so that what the agent says next finds the connection.
        let proof = link.attach(&established, &handle, initialized);
        let task = tokio::spawn(link.run(established, proof, handle.clone(), events));
        Ok(Agent::new(handle, received, task))
    }
}
