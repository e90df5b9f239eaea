//! The configuration: one TOML file becomes types that cannot hold a wrong value.
//!
//! # Theory of operation
//!
//! [`load`] reads the file and walks the parsed document key by key, in the order of this module's files: `read` knows
//! tables and values and where in the file they stand, `value` knows what a time, a size or a name looks like, and
//! `sections`, `agent` and `program` know which keys there are. A wrong value is noted and replaced by its default, and
//! the walk goes on: a file with ten mistakes is a [`Report`] of ten findings, not ten attempts.
//!
//! Nothing here asks the operating system directly. What only it can say (is this program executable, may somebody else
//! write to that file) comes in through [`Checks`], so that every mistake can be tested without a machine that has it.
//!
//! **Architecture invariant:** a [`Config`] exists only if its file had no mistake. No other code checks a range again.

mod agent;
mod checks;
mod fingerprint;
mod print;
mod program;
mod read;
mod report;
mod sample;
mod schema;
mod sections;
mod service;
mod source;
mod supervised;
mod syntax;
mod value;
mod worker;

use std::path::{Path, PathBuf};
use std::time::Duration;

use bilayer_core::{OnServiceStop, Spec};
use bilayer_ipc::Limits;
use bilayer_platform::{Elevation, TokenSource};

pub use bilayer_platform::{Account, StartType};
pub use checks::{Checks, Machine, MachineAndAccounts, Refusal, Unchecked};
pub use print::print;
pub use report::{Finding, Report, Severity, Style};
pub use sample::sample;
pub use schema::json_schema;

/// A configuration without a mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// `[service]`.
    pub service: Service,
    /// Every `[agent.NAME]`, sorted by name; names are unique.
    pub agents: Vec<Agent>,
    /// Every `[worker.NAME]`, sorted by name; no worker has the name of an agent.
    pub workers: Vec<Worker>,
    /// `[log]`.
    pub log: Log,
    /// `[wire]`.
    pub wire: Limits,
    /// The file it came from, absolute.
    pub source: PathBuf,
}

/// `[service]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Names the service, its directories and its endpoints: `[a-z][a-z0-9-]{0,31}`.
    pub name: String,
    /// The name for people; the `name` where the file gives none.
    pub display_name: String,
    /// A sentence on what it is for.
    pub description: String,
    /// Who it runs as under a service manager. One that has agents runs as LocalSystem.
    pub account: Account,
    /// When a service manager starts it.
    pub start: StartType,
    /// Services that must run before it.
    pub dependencies: Vec<String>,
    /// What the file says of the time that the system waits at a shutdown; see [`Config::preshutdown_timeout`].
    pub preshutdown_timeout: Option<Duration>,
    /// What becomes of agents when the service stops, and when it is killed.
    pub on_service_stop: OnServiceStop,
}

/// One `[agent.NAME]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agent {
    /// `NAME`: `[a-z][a-z0-9-]{0,31}`.
    pub name: String,
    /// What is started.
    pub command: Command,
    /// When it is started, stopped and restarted; `spec.fingerprint` covers the command too, and whether the
    /// agent outlives the service.
    pub spec: Spec,
}

/// One `[worker.NAME]`: a program that belongs to no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    /// `NAME`: `[a-z][a-z0-9-]{0,31}`.
    pub name: String,
    /// Who it runs as. `None`: whoever runs a console; a service was told.
    pub account: Option<String>,
    /// What is started.
    pub command: Command,
    /// When it is stopped and restarted; `spec.fingerprint` covers the account and the command too, and whether the worker outlives
    /// the service.
    pub spec: Spec,
}

/// What is started, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
    /// Its working directory, absolute; `None` is the home of its user.
    pub cwd: Option<PathBuf>,
    /// Variables added last to the session's environment, sorted by name. None begins with `BILAYER_`.
    pub env: Vec<(String, String)>,
    /// Start it although someone else could write to it.
    pub trust_writable_program: bool,
    /// With which of its user's rights it runs; the default where users have one set.
    pub elevation: Elevation,
    /// Where its rights come from; the default where there is one source.
    pub token: TokenSource,
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The least severe level that is written.
    pub level: tracing::Level,
    /// Where the files are, absolute; `None` is the service's own log directory.
    pub directory: Option<PathBuf>,
    /// A file that reaches this many bytes is rotated.
    pub max_size: u64,
    /// The oldest files go once all together are larger than this many bytes; at least `max_size`.
    pub max_total: u64,
    /// A file older than this goes.
    pub max_age: Duration,
}

impl Config {
    /// Whatever the service keeps running, by name: agents, then workers.
    pub fn supervised(&self) -> impl Iterator<Item = (&str, &Spec)> {
        let agents = self.agents.iter().map(|agent| (&*agent.name, &agent.spec));
        agents.chain(self.workers.iter().map(|worker| (&*worker.name, &worker.spec)))
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: tracing::Level::INFO,
            directory: None,
            max_size: 10 << 20,
            max_total: 100 << 20,
            max_age: Duration::from_secs(30 * 24 * 60 * 60),
        }
    }
}

/// How a file is to be read.
pub struct Loading<'a> {
    /// For a service that starts programs as other users. It refuses relative programs, and files and programs that
    /// someone other than root or the administrators could write to. Otherwise (console mode) a relative program with a
    /// path separator is taken from the folder of the configuration file, and one without is looked up in `PATH`.
    pub privileged: bool,
    /// Answers what only the operating system knows.
    pub checks: &'a dyn Checks,
}

/// A configuration, and what is worth knowing about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings; may be empty.
    pub warnings: Report,
}

/// Reads a configuration file.
///
/// # Errors
///
/// Every mistake in the file at once; warnings too, after the mistakes.
pub fn load(path: &Path, how: &Loading<'_>) -> Result<Loaded, Report> {
    let source = source::read(path, how)?;
    parse(source, how)
}

/// Reads a configuration from `text`, as if `path` held it.
///
/// # Errors
///
/// As [`load`].
pub fn load_text(path: &Path, text: &str, how: &Loading<'_>) -> Result<Loaded, Report> {
    parse(source::Source::new(path, text), how)
}

fn parse(source: source::Source, how: &Loading<'_>) -> Result<Loaded, Report> {
    let mut findings = read::Findings::default();
    let config = sections::file(&source, how, &mut findings);
    let report = Report::new(source, findings);
    match config {
        Some(config) if !report.has_errors() => Ok(Loaded { config, warnings: report }),
        _ => Err(report),
    }
}
