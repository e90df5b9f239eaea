//! A service of one's own around the engine.

use std::collections::HashMap;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use bilayer_ipc::method;
use bilayer_ipc::rpc::{Params, RpcError};
use bilayer_platform::{Dirs, ServiceHost};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use crate::config::{self, Config, Loading, Style};
use crate::observe::{Observation, Observer};
use crate::source::SessionSource;

/// Layer 0: keeps the agents of a configuration running on every desktop that they are for.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use bilayer::config::{self, Loading, Machine};
///
/// let how = Loading { privileged: bilayer::is_privileged(), checks: &Machine };
/// let loaded = config::load("acme-desk.toml".as_ref(), &how)?;
/// bilayer::Service::builder(loaded.config)
///     .method("acme/licence", |call: bilayer::Call| async move {
///         Ok(serde_json::json!({ "agent": call.agent, "valid": true }))
///     })
///     .run()
///     .await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Service;

impl Service {
    /// Begins a service with this configuration.
    pub fn builder(config: Config) -> Builder {
        let loader =
            Loader::File { path: config.source.clone(), privileged: bilayer_platform::is_privileged() };
        let source = if bilayer_platform::is_privileged() && bilayer_platform::has_session_tracking() {
            SessionSource::System
        } else {
            SessionSource::Console
        };
        Builder {
            config,
            loader,
            source,
            methods: Methods::default(),
            observer: None,
            signals: true,
            dirs: None,
            host: None,
            console_windows: false,
        }
    }
}

/// A service that does not run yet.
pub struct Builder {
    pub(crate) config: Config,
    pub(crate) loader: Loader,
    pub(crate) source: SessionSource,
    pub(crate) methods: Methods,
    pub(crate) observer: Option<Observer>,
    pub(crate) signals: bool,
    pub(crate) dirs: Option<Dirs>,
    pub(crate) host: Option<ServiceHost>,
    pub(crate) console_windows: bool,
}

impl Builder {
    /// Where sessions come from. By default from the operating system if this program is privileged and the system tracks
    /// sessions, else the session it was started in.
    #[must_use]
    pub fn sessions(mut self, source: SessionSource) -> Self {
        self.source = source;
        self
    }

    /// Answers requests of agents for a method of the product's own.
    ///
    /// # Panics
    ///
    /// If the name belongs to Bilayer (`agent/…`, `service/…` and the like).
    #[must_use]
    pub fn method<F, Fut, T>(mut self, name: &str, handler: F) -> Self
    where
        F: Fn(Call) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<T, RpcError>> + Send + 'static,
        T: Serialize,
    {
        assert!(
            !method::is_reserved(name),
            "{name:?} belongs to Bilayer; choose a name such as \"acme/licence\""
        );
        let handler = move |call: Call| -> Answered {
            let answered = handler(call);
            Box::pin(async move {
                let value = answered.await?;
                to_raw_value(&value)
                    .map_err(|error| RpcError::new(bilayer_ipc::rpc::code::INTERNAL, error.to_string()))
            })
        };
        self.methods.0.insert(name.to_owned(), Box::new(handler));
        self
    }

    /// Watches the engine at work. Called on the service's thread for everything that happens, so it must be quick.
    #[must_use]
    pub fn observe(mut self, observer: impl FnMut(&Observation) + Send + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Reads the configuration in another way when it is to be reloaded. The error is what a person gets to read. By default
    /// the file that the configuration came from is read again.
    #[must_use]
    pub fn reload_with(mut self, read: impl Fn() -> Result<Config, String> + Send + Sync + 'static) -> Self {
        self.loader = Loader::Own(Arc::new(read));
        self
    }

    /// Whether the signals of the process (SIGTERM, SIGINT, SIGHUP; Ctrl-C) stop and reload the service. On by default.
    #[must_use]
    pub fn signals(mut self, listen: bool) -> Self {
        self.signals = listen;
        self
    }

    /// Folders other than those that the mode and the name of the service give.
    #[must_use]
    pub fn dirs(mut self, dirs: Dirs) -> Self {
        self.dirs = Some(dirs);
        self
    }

    /// The service manager that started this program: it is told how the service is, and may stop and reload it. Every session
    /// of the machine is followed, unless [`Builder::sessions`] says otherwise later, and the signals of the process are left
    /// alone.
    #[must_use]
    pub fn host(mut self, host: ServiceHost) -> Self {
        self.host = Some(host);
        self.source = SessionSource::System;
        self.signals = false;
        self
    }

    /// Gives agents that are console programs a window each, in which they print instead of in the log: for development, where
    /// [`CONSOLE_WINDOWS`](bilayer_platform::CONSOLE_WINDOWS) says that there are such windows.
    #[must_use]
    pub fn console_windows(mut self, show: bool) -> Self {
        self.console_windows = show;
        self
    }

    /// Supervises until something asks it to stop, and then until every agent has ended.
    ///
    /// Runs on a current-thread runtime of tokio, on the thread that lives as long as the process: on Linux, agents are
    /// killed when the thread that started them ends. Agents ignore no signal because the process is asked which it ignores when
    /// it launches the first: a product that ignores one does so before.
    ///
    /// # Errors
    ///
    /// What kept it from starting. Once it runs, it ends only because it was asked to.
    pub async fn run(self) -> Result<(), RunError> {
        crate::driver::start(self).await
    }
}

/// Why a service did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// It would follow every session of the machine.
    #[error(
        "following every session of the machine needs privilege; run it as root or as a service, or in console mode"
    )]
    NotPrivileged,
    /// Its folders.
    #[error("cannot prepare the folders of the service")]
    Folders(#[source] bilayer_platform::Error),
    /// Its control endpoint.
    #[error("cannot open the control endpoint")]
    Control(#[source] bilayer_platform::Error),
    /// Its sessions.
    #[error("cannot follow the sessions of this machine")]
    Sessions(#[source] bilayer_platform::Error),
    /// Its timers.
    #[error("cannot make a timer")]
    Timer(#[source] std::io::Error),
    /// Its signals.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

impl RunError {
    /// Whether another service with the same name runs already.
    pub fn is_taken(&self) -> bool {
        matches!(self, Self::Control(bilayer_platform::Error::Taken { .. }))
    }
}

/// A request of an agent for one of the product's own methods.
#[derive(Debug)]
#[non_exhaustive]
pub struct Call {
    /// Which agent asks.
    pub agent: String,
    /// The operating system's id of its session.
    pub session: String,
    /// Its user's name.
    pub user: String,
    /// What it asks with. Hostile until proven otherwise.
    pub params: Params,
}

type Answered = Pin<Box<dyn Future<Output = Result<Box<RawValue>, RpcError>> + Send>>;
type Handler = Box<dyn Fn(Call) -> Answered + Send + Sync>;

/// The product's own methods.
#[derive(Default)]
pub(crate) struct Methods(HashMap<String, Handler>);

impl Methods {
    pub(crate) fn find(&self, method: &str) -> Option<&Handler> {
        self.0.get(method)
    }
}

/// How the configuration is read again.
#[derive(Clone)]
pub(crate) enum Loader {
    /// From the file that it came from, under the rules of the service's mode.
    File { path: PathBuf, privileged: bool },
    /// In the product's own way.
    Own(Arc<dyn Fn() -> Result<Config, String> + Send + Sync>),
}

impl Loader {
    /// The same, by the rules of a privileged service or without them.
    pub(crate) fn privileged(self, privileged: bool) -> Self {
        match self {
            Self::File { path, .. } => Self::File { path, privileged },
            Self::Own(read) => Self::Own(read),
        }
    }

    /// The configuration, or what is wrong with it.
    pub(crate) fn load(&self) -> Result<Config, Unusable> {
        match self {
            Self::File { path, privileged } => {
                let how = Loading { privileged: *privileged, checks: &config::Machine };
                config::load(path, &how).map(|loaded| loaded.config).map_err(|report| Unusable {
                    lines: report.to_string(),
                    rendered: report.render(Style::PLAIN),
                })
            }
            Self::Own(read) => read().map_err(Unusable::from),
        }
    }
}

/// What is wrong with a configuration that was read again.
pub(crate) struct Unusable {
    /// As a person reads it in a terminal.
    pub(crate) rendered: String,
    /// As a log has it, where a line is a record: one mistake a line.
    pub(crate) lines: String,
}

impl<S: Into<String>> From<S> for Unusable {
    fn from(said: S) -> Self {
        let said = said.into();
        Self { rendered: said.clone(), lines: said }
    }
}
