//! One continuous log for both layers.
//!
//! A `tracing` subscriber that knows one thing: how to write an event as one line, to standard error and to a file that is
//! rotated and bounded. What an administrator should see also goes to the system's own event log, where it has one. Spans are not recorded. A product that has a subscriber of its own keeps it and does not call
//! [`install`].

mod file;
pub(crate) mod id;
mod line;
mod panic;
mod system;

use std::cell::RefCell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError, TryLockError};

use bilayer_platform::Dirs;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::config::{self, Config};
use file::RollingFile;
pub use file::Rotation;
use line::{ID, Parts};
use system::{Entry, SystemLog};

/// Where and how much to log.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The least important level that is written. Libraries below Bilayer are never written below `WARN`.
    pub level: LevelFilter,
    /// Whether lines also go to standard error.
    pub stderr: bool,
    /// The file, if any.
    pub file: Option<PathBuf>,
    /// When the file is rotated and how much is kept.
    pub rotation: Rotation,
    /// The name under which warnings, errors and what happens to the service are entered in the system's event log, where there
    /// is one: that of the installed service. See docs/event-log.md.
    pub event_log: Option<String>,
}

impl Settings {
    /// What a configuration asks for, with the service's own log directory as the default, and without the event log.
    pub fn of(config: &Config, dirs: &Dirs, stderr: bool) -> Self {
        Self::new(&config.log, &config.service.name, dirs, stderr)
    }

    /// The same, for a service that has a name and a log before it has a configuration.
    pub(crate) fn new(log: &config::Log, name: &str, dirs: &Dirs, stderr: bool) -> Self {
        Self {
            level: LevelFilter::from_level(log.level),
            stderr,
            file: Some(file_in(log.directory.as_deref().unwrap_or(&dirs.log), name)),
            rotation: Rotation { max_size: log.max_size, max_total: log.max_total, max_age: log.max_age },
            event_log: None,
        }
    }
}

/// Starts the log for this process. From then on a panic is an entry of it, too.
///
/// # Errors
///
/// The file cannot be opened, or it is a link or no regular file, or this process has a `tracing` subscriber already.
pub fn install(settings: Settings) -> Result<(), LogError> {
    let file = match settings.file {
        None => None,
        Some(path) => Some(Mutex::new(
            RollingFile::open(&path, settings.rotation).map_err(|source| LogError::Open { path, source })?,
        )),
    };
    let opened = settings.event_log.as_deref().map_or(Ok(None), SystemLog::open);
    let (system, closed) = match opened {
        Ok(system) => (system, None),
        Err(error) => (None, Some(error)),
    };
    let numbered = system.is_some();
    let places = PLACES.set(Places { stderr: settings.stderr, file, system });
    places.map_err(|_| LogError::Taken)?;
    let sink = Sink { level: settings.level, numbered };
    tracing::subscriber::set_global_default(sink).map_err(|_| LogError::Taken)?;
    panic::report();
    if let Some(error) = closed {
        tracing::warn!(%error, "the system's event log cannot be opened; this log has everything");
    }
    Ok(())
}

/// Waits until the system's event log has what it was told, 2 s at most. For the end of a program.
pub fn flush() {
    if let Some(system) = PLACES.get().and_then(|places| places.system.as_ref()) {
        system.flush();
    }
}

/// The log cannot be started.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be opened.
    #[error("cannot open the log file {path}; check that its folder exists and that this user may write there", path = .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What the operating system answered.
        source: std::io::Error,
    },
    /// There is a subscriber.
    #[error(
        "this process logs through another `tracing` subscriber already; do not start Bilayer's log as well"
    )]
    Taken,
}

/// The log file of a service in its log directory.
pub fn file_in(directory: &Path, service: &str) -> PathBuf {
    directory.join(format!("{service}.log"))
}

/// Holds back the lines of this thread until it is dropped, and writes them all at once then.
///
/// The loop holds one while it answers a piece of news: what it does comes first, and what it says about it after that.
#[must_use]
pub(crate) struct Held(());

impl Held {
    pub(crate) fn new() -> Self {
        HELD.set(Some(String::new()));
        Self(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let_go();
    }
}

/// Writes what is held back on this thread.
fn let_go() {
    let lines = HELD.take();
    if let Some(lines) = lines.filter(|lines| !lines.is_empty()) {
        write(&lines);
    }
}

thread_local! {
    static HELD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Where lines go, from [`install`] to the end of the process.
struct Places {
    stderr: bool,
    file: Option<Mutex<RollingFile>>,
    system: Option<SystemLog>,
}

static PLACES: OnceLock<Places> = OnceLock::new();

fn write(lines: &str) {
    let Some(places) = PLACES.get() else { return };
    if places.stderr {
        // A closed standard error is no reason to stop supervising.
        let _ = std::io::stderr().write_all(lines.as_bytes());
    }
    if let Some(file) = &places.file {
        let mut file = match file.try_lock() {
            Ok(file) => file,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Perhaps by this very thread, which panicked while it wrote.
            Err(TryLockError::WouldBlock) if std::thread::panicking() => return,
            Err(TryLockError::WouldBlock) => file.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let failed = file.append(lines);
        drop(file);
        if let Some(error) = failed {
            say_unwritten(places, &error);
        }
    }
}

/// To whoever hears it without the file, and once for all lines that are lost until one is written again.
fn say_unwritten(places: &Places, error: &std::io::Error) {
    let text = format!(
        "cannot write the log file: {error}; what is lost is counted, and the file says how much once it can be written again"
    );
    if places.stderr {
        let _ = writeln!(std::io::stderr(), "{text}");
    }
    if let Some(system) = &places.system {
        let (severity, details) = (bilayer_platform::Severity::Warning, String::new());
        system.write(Entry { severity, id: id::WARNING, text, details });
    }
}

struct Sink {
    /// Of lines.
    level: LevelFilter,
    /// Events with a number of their own are entered in the system's event log at any level: what happens to the service is
    /// looked for there also by whoever wants to read little.
    numbered: bool,
}

impl Sink {
    fn is_line(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= self.level
    }
}

impl Subscriber for Sink {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let ours = metadata.target().starts_with("bilayer");
        metadata.is_event()
            && (self.is_line(metadata) || self.numbered && metadata.fields().field(ID).is_some())
            && (ours || *metadata.level() <= LevelFilter::WARN)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(if self.numbered { self.level.max(LevelFilter::INFO) } else { self.level })
    }

    fn event(&self, event: &Event<'_>) {
        let (parts, metadata) = (Parts::of(event), event.metadata());
        if self.is_line(metadata) {
            let line = parts.line(jiff::Timestamp::now(), *metadata.level());
            let held = HELD.with_borrow_mut(|held| held.as_mut().map(|lines| lines.push_str(&line)));
            if held.is_none() {
                write(&line);
            }
        }
        if let Some(system) = PLACES.get().and_then(|places| places.system.as_ref())
            && let Some((severity, id)) = Entry::worth(metadata.target(), *metadata.level(), parts.id)
        {
            let (text, details) = parts.entry();
            system.write(Entry { severity, id, text, details });
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[cfg(test)]
mod tests {
    use tracing::subscriber::with_default;
    use tracing::{Level, event_enabled};

    use super::*;

    #[test]
    fn what_happens_to_the_service_is_entered_at_any_level() {
        let level = LevelFilter::WARN;
        with_default(Sink { level, numbered: true }, || {
            assert!(event_enabled!(Level::INFO, event));
            assert!(!event_enabled!(Level::INFO));
            assert!(event_enabled!(Level::WARN));
        });
        with_default(Sink { level, numbered: false }, || assert!(!event_enabled!(Level::INFO, event)));
    }
}
