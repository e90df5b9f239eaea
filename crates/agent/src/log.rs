//! The agent's log, forwarded to the service.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bilayer_ipc::agent::{Log, LogLevel};
use bilayer_ipc::method;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::Handle;

/// Log lines wait behind at most so many unwritten bytes. Well below the point where a slow reader is cut off, so that a
/// log can never end the connection.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// Longest text of one line or one field, in bytes, and most fields.
const TEXT_BYTES_MAX: usize = 8 * 1024;
const FIELDS_MAX: usize = 32;

/// A layer for `tracing-subscriber` that forwards events to the service as `log/write`.
///
/// It never blocks and holds nothing back: a line that finds no connection, or too much waiting before it, is dropped, and
/// the next line that gets through says how many were.
///
/// ```no_run
/// use tracing_subscriber::prelude::*;
///
/// # fn install(agent: &bilayer_agent::Agent) {
/// tracing_subscriber::registry().with(agent.log_layer()).init();
/// tracing::info!(files = 3, "in sync");
/// # }
/// ```
#[derive(Clone)]
pub struct LogLayer {
    handle: Handle,
    level_max: LevelFilter,
    dropped: Arc<AtomicU64>,
}

impl LogLayer {
    pub(crate) fn new(handle: Handle) -> Self {
        Self { handle, level_max: LevelFilter::INFO, dropped: Arc::default() }
    }

    /// Forwards events up to this level; `INFO` unless told otherwise.
    #[must_use]
    pub fn with_max_level(mut self, level: LevelFilter) -> Self {
        self.level_max = level;
        self
    }

    /// Lines dropped and not yet reported.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    fn forward(&self, event: &Event<'_>) -> bool {
        let Some(peer) = self.handle.peer() else { return false };
        if peer.queued_bytes() > WAITING_BYTES_MAX {
            return false;
        }
        let mut line = Line { message: String::new(), fields: Map::new() };
        event.record(&mut line);
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        let log = Log {
            level: level(*event.metadata().level()),
            target: event.metadata().target().to_owned(),
            message: line.message,
            fields: line.fields,
            dropped,
        };
        let sent = peer.notify(method::LOG_WRITE, &log).is_ok();
        if !sent {
            self.dropped.fetch_add(dropped, Ordering::Relaxed);
        }
        sent
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        if *event.metadata().level() <= self.level_max && !self.forward(event) {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

fn level(level: Level) -> LogLevel {
    match level {
        Level::TRACE => LogLevel::Trace,
        Level::DEBUG => LogLevel::Debug,
        Level::INFO => LogLevel::Info,
        Level::WARN => LogLevel::Warn,
        Level::ERROR => LogLevel::Error,
    }
}

struct Line {
    message: String,
    fields: Map<String, Value>,
}

impl Line {
    fn put(&mut self, field: &Field, value: Value) {
        if self.fields.len() < FIELDS_MAX {
            self.fields.insert(field.name().to_owned(), value);
        }
    }

    fn put_text(&mut self, field: &Field, text: String) {
        if field.name() == "message" {
            self.message = text;
        } else {
            self.put(field, Value::String(text));
        }
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put_text(field, bounded(format_args!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put_text(field, bounded(format_args!("{value}")));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put_text(field, bounded(format_args!("{value}")));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}

/// Formats at most [`TEXT_BYTES_MAX`] bytes, and stops formatting there.
fn bounded(text: fmt::Arguments<'_>) -> String {
    struct Bounded(String);

    impl fmt::Write for Bounded {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let room = TEXT_BYTES_MAX - self.0.len();
            if text.len() <= room {
                self.0.push_str(text);
                return Ok(());
            }
            let cut = (0..=room).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            self.0.push_str(&text[..cut]);
            Err(fmt::Error)
        }
    }

    let mut bounded = Bounded(String::new());
    if fmt::write(&mut bounded, text).is_err() {
        bounded.0.push('…');
    }
    bounded.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let long = "ä".repeat(TEXT_BYTES_MAX);
        let text = bounded(format_args!("x{long}"));
        assert!(text.len() <= TEXT_BYTES_MAX + '…'.len_utf8() && text.ends_with("ä…"));
        assert_eq!(bounded(format_args!("{}", 7)), "7");
    }
}
