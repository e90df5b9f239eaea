//! A service just large enough to try agents against: it listens, checks the token and shakes hands.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::path::PathBuf;
use std::time::Duration;

use bilayer_ipc::agent::{
    AgentIdentity, ClientKind, Initialize, Initialized, PeerLimits, Program, Session, SessionKind,
    SessionState, User,
};
use bilayer_ipc::{Closed, Connection, Incoming, Limits, Message, Params, Peer, Secret, handshake};
use bilayer_platform::{Dirs, Listener, Station};
use tokio::task::JoinHandle;

/// Longest that anything here may take. Far longer than it does take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Service {
    listener: Option<Listener>,
    address: String,
    dirs: Dirs,
    folder: PathBuf,
    pub(crate) token: Secret,
    pub(crate) heartbeat_ms: Option<u32>,
    pub(crate) locked: bool,
}

/// An agent that was let in.
pub(crate) struct Served {
    pub(crate) initialize: Initialize,
    pub(crate) peer: Peer,
    pub(crate) incoming: Incoming,
    pub(crate) over: JoinHandle<Closed>,
}

impl Service {
    /// Must be called in a runtime. `name` is the test's own.
    pub(crate) fn start(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bilayer-{name}-{}", std::process::id()));
        let dirs = Dirs { runtime: folder.join("run"), state: folder.join("state"), log: folder.join("log") };
        dirs.ensure().unwrap();
        let listener = Listener::for_agents(&dirs, &Station::own(), "test").unwrap();
        let address = listener.address().to_owned();
        let listener = Some(listener);
        Self { listener, address, dirs, folder, token: secret(), heartbeat_ms: None, locked: false }
    }

    /// Listens again where it did before, as soon as what was there is gone.
    pub(crate) async fn listen(&mut self) {
        self.listener = within(async {
            loop {
                if let Ok(listener) = Listener::for_agents_at(&self.dirs, &Station::own(), &self.address) {
                    return Some(listener);
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        })
        .await;
    }

    /// Stops listening, as a service that ends does.
    pub(crate) fn deafen(&mut self) {
        self.listener = None;
    }

    fn listener(&self) -> &Listener {
        self.listener.as_ref().unwrap()
    }

    /// The variables that an agent finds.
    pub(crate) fn variables(&self) -> [(&'static str, String); 3] {
        [
            ("BILAYER_ENDPOINT", self.listener().address().to_owned()),
            ("BILAYER_SERVER", bilayer_platform::server_identity()),
            ("BILAYER_TOKEN", self.token.expose().to_owned()),
        ]
    }

    /// Takes the next connection and lets it in, with this secret for the next time.
    pub(crate) async fn serve(&self, resume: Option<Secret>) -> Served {
        within(async {
            let (stream, _) = self.listener().accept().await.unwrap();
            let (connection, peer, mut incoming) = Connection::new(stream, Limits::default());
            let over = tokio::spawn(connection.run());
            let knock = handshake::accept(&peer, &mut incoming, ClientKind::Agent, PATIENCE).await.unwrap();
            let initialize = knock.initialize.clone();
            knock.welcome(&self.welcome(resume)).unwrap();
            Served { initialize, peer, incoming, over }
        })
        .await
    }

    /// Takes the next connection and refuses it.
    pub(crate) async fn refuse(&self) {
        within(async {
            let (stream, _) = self.listener().accept().await.unwrap();
            let (connection, peer, mut incoming) = Connection::new(stream, Limits::default());
            let over = tokio::spawn(connection.run());
            let knock = handshake::accept(&peer, &mut incoming, ClientKind::Agent, PATIENCE).await.unwrap();
            knock.refuse(&peer, "the test says so");
            over.await.unwrap();
        })
        .await;
    }

    /// Takes the next connection and ends before it was judged.
    pub(crate) async fn leave(&self) {
        within(async {
            let (stream, _) = self.listener().accept().await.unwrap();
            let (connection, peer, mut incoming) = Connection::new(stream, Limits::default());
            let over = tokio::spawn(connection.run());
            let knock = handshake::accept(&peer, &mut incoming, ClientKind::Agent, PATIENCE).await.unwrap();
            knock.leave(&peer);
            over.await.unwrap();
        })
        .await;
    }

    fn welcome(&self, resume: Option<Secret>) -> Initialized {
        Initialized {
            protocol: 1,
            service: Program { name: "test".into(), version: "0".into() },
            resume,
            agent: Some(AgentIdentity { name: "desk".into(), generation: 4 }),
            session: Some(session(self.locked)),
            heartbeat_ms: self.heartbeat_ms,
            limits: PeerLimits { frame_bytes: 1 << 20, requests_in_flight: 64 },
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.listener = None;
        // Left behind, it would only take a little room in the temporary folder.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Served {
    /// The next notification with this method, ignoring others; and panics at a request.
    pub(crate) async fn heard(&mut self, wanted: &str) -> Params {
        within(async {
            loop {
                match self.incoming.next().await {
                    Some(Message::Notification { method, params }) if method == wanted => return params,
                    Some(Message::Notification { .. }) => {}
                    other => panic!("waiting for {wanted}, there came {other:?}"),
                }
            }
        })
        .await
    }
}

pub(crate) fn secret() -> Secret {
    Secret::from_random(bilayer_platform::random_bytes())
}

pub(crate) fn session(locked: bool) -> Session {
    Session {
        id: "2".into(),
        user: User { name: "alice".into(), id: "1001".into() },
        kind: SessionKind::Console,
        state: SessionState::Active,
        locked,
        remote: false,
    }
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("this takes moments")
}
