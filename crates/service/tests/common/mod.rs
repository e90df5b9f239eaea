//! A service with scripted sessions and real processes, inside the test's own process.
//!
//! The agents are this test program again: started with [`ROLE`] in its environment, it plays the part that is named there
//! instead of running tests.

#![allow(dead_code, reason = "each test program uses its own part of this")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bilayer::config::{self, Config, Loading, Unchecked};
use bilayer::{Director, RunError, Script, Service, SessionSource};
use bilayer_ipc::agent::{ClientKind, Initialize, Program};
use bilayer_ipc::control::{AgentStatus, Reloaded, StatusReport};
use bilayer_ipc::peer::{CallError, Peer};
use bilayer_ipc::{Connection, Limits, handshake, method};
use bilayer_platform::{Dirs, Kind, SessionInfo, State, Station, User};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Names the part that this program plays as an agent.
pub(crate) const ROLE: &str = "TEST_ROLE";

/// How long anything may take. Far more than it needs, so that a busy machine fails no test.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A running service.
pub(crate) struct World {
    pub(crate) director: Director,
    pub(crate) folder: PathBuf,
    pub(crate) log: Log,
    dirs: Dirs,
    running: Option<JoinHandle<Result<(), RunError>>>,
    _log_guard: tracing::subscriber::DefaultGuard,
}

impl World {
    /// Starts a service with this configuration below `[service]`. `{role:NAME}` in it becomes a command that plays the role.
    pub(crate) async fn start(name: &str, agents: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("bilayer-test-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        let dirs = Dirs { runtime: folder.join("run"), state: folder.join("state"), log: folder.join("log") };
        std::fs::create_dir_all(&folder).unwrap();
        let log = Log::default();
        let guard = tracing::subscriber::set_default(log.clone());
        let (director, script) = Script::new();
        let file = folder.join("test.toml");
        write_config(&file, agents);
        let config = load(&file).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        let service = Service::builder(config)
            .reload_with(move || load(&file))
            .sessions(SessionSource::Scripted(script))
            .signals(false)
            .dirs(dirs.clone())
            .method("test/echo", |call: bilayer::Call| async move { Ok(call.params.into_raw()) });
        let running = Some(tokio::spawn(service.run()));
        let world = Self { director, folder, log, dirs, running, _log_guard: guard };
        until("the control endpoint", || async {
            bilayer_platform::connect_control(&world.dirs).await.is_ok().then_some(())
        })
        .await;
        world
    }

    /// Changes the configuration file and reloads it.
    pub(crate) async fn reload(&self, agents: &str) -> Result<Reloaded, CallError> {
        write_config(&self.folder.join("test.toml"), agents);
        self.control().await.call(method::SERVICE_RELOAD, &()).await
    }

    /// A connection to the control endpoint.
    pub(crate) async fn control(&self) -> Peer {
        let stream = bilayer_platform::connect_control(&self.dirs).await.unwrap();
        let (connection, peer, incoming) = Connection::new(stream, Limits::default());
        tokio::spawn(async move {
            let _incoming = incoming;
            connection.run().await
        });
        let initialize = Initialize {
            protocol: handshake::VERSIONS,
            kind: ClientKind::Control,
            token: None,
            resume: None,
            client: Program { name: "test".into(), version: "0".into() },
        };
        assert!(handshake::open(&peer, &initialize).await.is_ok());
        peer
    }

    pub(crate) async fn status(&self) -> StatusReport {
        self.control().await.call(method::SERVICE_STATUS, &()).await.unwrap()
    }

    /// Waits until one agent of this name is as it should be.
    pub(crate) async fn agent(
        &self,
        name: &str,
        what: &str,
        is: impl Fn(&AgentStatus) -> bool,
    ) -> AgentStatus {
        let control = self.control().await;
        let deadline = Instant::now() + DEADLINE;
        loop {
            let status: StatusReport = control.call(method::SERVICE_STATUS, &()).await.unwrap();
            if let Some(agent) = status.agents.iter().find(|agent| agent.agent == name && is(agent)) {
                return agent.clone();
            }
            assert!(
                Instant::now() < deadline,
                "the agent {name} never was {what}: {:#?}\n{}",
                status.agents,
                self.log.text()
            );
            tokio::task::yield_now().await;
        }
    }

    /// Waits until the log holds this text.
    pub(crate) async fn logged(&self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.log.text().contains(text) {
            assert!(Instant::now() < deadline, "never logged: {text}\n{}", self.log.text());
            tokio::task::yield_now().await;
        }
    }

    /// Stops the service and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        let _: Value = self.control().await.call(method::SERVICE_STOP, &()).await.unwrap();
        let running = self.running.take().unwrap();
        tokio::time::timeout(DEADLINE, running).await.expect("the service ends").unwrap().unwrap();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn write_config(file: &Path, agents: &str) {
    std::fs::write(file, format!("[service]\nname = \"test\"\n{}", play_roles(agents))).unwrap();
}

fn load(file: &Path) -> Result<Config, String> {
    let how = Loading { privileged: false, checks: &Unchecked };
    config::load(file, &how).map(|loaded| loaded.config).map_err(|report| report.render(config::Style::PLAIN))
}

fn play_roles(text: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let mut text = text.to_owned();
    while let Some(start) = text.find("{role:") {
        let end = start + text[start..].find('}').unwrap();
        let role = text[start + 6..end].to_owned();
        let command = format!(
            "command = ['{}', 'plays_its_role', '--exact', '--nocapture']\nenv.{ROLE} = '{role}'",
            program.display()
        );
        text.replace_range(start..=end, &command);
    }
    text
}

/// Tries until it works.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut attempt: impl FnMut() -> F) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(done) = attempt().await {
            return done;
        }
        assert!(Instant::now() < deadline, "never came true: {what}");
        tokio::task::yield_now().await;
    }
}

/// An active session at the console, with a display.
pub(crate) fn session(id: &str, user: &str) -> SessionInfo {
    SessionInfo {
        id: id.into(),
        logon: format!("logon of {user} as {id}"),
        user: User { name: user.into(), id: format!("id of {user}") },
        administrator: None,
        groups: Vec::new(),
        kind: Kind::Console,
        state: State::Active,
        locked: false,
        remote: false,
        session_type: None,
        greeter: false,
        environment: true,
        display: true,
        station: Station::own(),
    }
}

/// The endpoint and the token of an agent, as somebody of the same user could read them.
pub(crate) fn environment_of(pid: u32) -> (String, String) {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let value = |name: &str| {
        let prefix = format!("{name}=");
        let found = environ.split(|&byte| byte == 0).find_map(|var| var.strip_prefix(prefix.as_bytes()));
        String::from_utf8(found.unwrap_or_default().to_vec()).unwrap()
    };
    (value("BILAYER_ENDPOINT"), value("BILAYER_TOKEN"))
}

/// A client that speaks the wire by hand, well or badly.
pub(crate) struct Raw(pub(crate) bilayer_platform::Stream);

impl Raw {
    pub(crate) async fn connect(address: &str) -> Self {
        Self(bilayer_platform::connect(address, &bilayer_platform::server_identity()).await.unwrap())
    }

    pub(crate) async fn send(&mut self, message: &Value) {
        let body = message.to_string();
        self.bytes(format!("Content-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
    }

    /// Sends bytes; the other side may have closed already.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        let _ = self.0.write_all(bytes).await;
    }

    pub(crate) async fn initialize(&mut self, token: &str) {
        self.initialize_with(json!({"min": 1, "max": 1}), token).await;
    }

    pub(crate) async fn initialize_with(&mut self, protocol: Value, token: &str) {
        let params = json!({"protocol": protocol, "kind": "agent", "token": token, "client": {"name": "raw", "version": "0"}});
        self.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params})).await;
    }

    /// All that comes until the other side closes.
    pub(crate) async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(DEADLINE, self.0.read_to_end(&mut bytes)).await;
        let _ = read.expect("the other side closes");
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

/// What was logged on this thread.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<String>>);

impl Log {
    pub(crate) fn text(&self) -> String {
        self.0.lock().unwrap().clone()
    }
}

impl Subscriber for Log {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_event() && metadata.target().starts_with("bilayer")
    }
    fn event(&self, event: &Event<'_>) {
        struct Fields<'a>(&'a mut String);
        impl tracing::field::Visit for Fields<'_> {
            fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
                use std::fmt::Write;
                let _ = write!(self.0, "{}={value:?} ", field.name());
            }
        }
        let mut text = self.0.lock().unwrap();
        event.record(&mut Fields(&mut text));
        text.push('\n');
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
