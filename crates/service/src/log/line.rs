//! One event as one line: `TIME LEVEL key=value … | message`.
//!
//! The fields come first and the message last, after the first ` | `, so that nothing an agent prints can pass for a
//! field. Control characters never reach the file or a terminal, and no line is longer than a bound, whatever somebody put
//! into an error that is quoted here.

use std::fmt::{self, Write};

use jiff::Timestamp;
use tracing::field::{Field, Visit};
use tracing::{Event, Level};

/// What a message may hold: more than the mistakes of a configuration, less than a frame.
const MESSAGE_BYTES_MAX: usize = 16 * 1024;

/// What the value of a field may hold.
const FIELD_BYTES_MAX: usize = 1024;

/// Names the field with the number of the event in the system's event log. It is in no line.
pub(super) const ID: &str = "event";

/// What an event says.
#[derive(Default)]
pub(super) struct Parts {
    fields: String,
    message: String,
    /// Its number in the system's event log, if it has one of its own.
    pub(super) id: Option<u16>,
}

impl Parts {
    pub(super) fn of(event: &Event<'_>) -> Parts {
        let mut parts = Parts::default();
        event.record(&mut parts);
        parts
    }

    /// The line, with its newline.
    pub(super) fn line(&self, at: Timestamp, level: Level) -> String {
        let Parts { fields, message, .. } = self;
        format!("{at:.3} {level:<5}{fields} | {message}\n", level = level.as_str())
    }

    /// The same for a log that knows time and level by itself: the message, and the fields.
    pub(super) fn entry(&self) -> (String, String) {
        (self.message.clone(), self.fields.trim_start().to_owned())
    }

    fn field(&mut self, name: &str, value: fmt::Arguments<'_>) {
        // Writing to a string fails only where it is cut.
        if name == "message" {
            let _ = Escaped { out: &mut self.message, quoted: false, bytes_max: MESSAGE_BYTES_MAX }
                .write_fmt(value);
            return;
        }
        let mut plain = String::new();
        let _ = Escaped { out: &mut plain, quoted: true, bytes_max: FIELD_BYTES_MAX }.write_fmt(value);
        // A worker's session, for example: what is not there is no field.
        if plain.is_empty() {
            return;
        }
        let quote = if plain.contains([' ', '|', '=']) { "\"" } else { "" };
        let _ = write!(self.fields, " {name}={quote}{plain}{quote}");
    }
}

impl Visit for Parts {
    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == ID {
            self.id = u16::try_from(value).ok();
        } else {
            self.field(field.name(), format_args!("{value}"));
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.field(field.name(), format_args!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.field(field.name(), format_args!("{value}"));
    }
}

/// Passes text on with its control characters escaped, and cuts it where it is too long.
struct Escaped<'a> {
    out: &'a mut String,
    quoted: bool,
    bytes_max: usize,
}

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            if self.out.len() >= self.bytes_max {
                self.out.push('…');
                return Err(fmt::Error);
            }
            match character {
                '"' | '\\' if self.quoted => write!(self.out, "\\{character}")?,
                '\t' if !self.quoted => self.out.push('\t'),
                // Also the C1 controls, line separators and the marks that turn the direction of writing.
                c if c.is_control()
                    || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
                {
                    write!(self.out, "{}", c.escape_unicode())?;
                }
                c => self.out.push(c),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing::span::{Attributes, Id, Record};
    use tracing::{Metadata, Subscriber};

    use super::*;

    struct Last(Arc<Mutex<String>>);

    impl Subscriber for Last {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn event(&self, event: &Event<'_>) {
            let parts = Parts::of(event);
            *self.0.lock().unwrap() = parts.line(Timestamp::UNIX_EPOCH, *event.metadata().level());
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    fn line(log: impl FnOnce()) -> String {
        let last = Arc::new(Mutex::new(String::new()));
        tracing::subscriber::with_default(Last(Arc::clone(&last)), log);
        Arc::into_inner(last).unwrap().into_inner().unwrap()
    }

    #[test]
    fn fields_come_before_the_message() {
        let agent = "desk";
        assert_eq!(
            line(|| tracing::info!(%agent, pid = 7, "started")),
            "1970-01-01T00:00:00.000Z INFO  agent=desk pid=7 | started\n"
        );
    }

    #[test]
    fn the_number_of_an_event_is_in_no_line() {
        assert_eq!(
            line(|| tracing::info!(event = crate::log::id::STARTED, pid = 7_u32, "started")),
            "1970-01-01T00:00:00.000Z INFO  pid=7 | started\n"
        );
    }

    #[test]
    fn an_entry_begins_with_what_happened() {
        let mut parts = Parts { message: "held".into(), ..Parts::default() };
        parts.fields = " agent=desk".into();
        assert_eq!(parts.entry(), ("held".to_owned(), "agent=desk".to_owned()));
    }

    #[test]
    fn a_line_has_a_bound_whatever_it_quotes() {
        let long = "\u{1b}x".repeat(1 << 20);
        let line = line(|| tracing::warn!(%long, "because of {long}"));
        assert!(line.len() < MESSAGE_BYTES_MAX + FIELD_BYTES_MAX + 100, "{} bytes", line.len());
        assert!(line.ends_with("…\n"), "it shows that it was cut");
    }

    #[test]
    fn nothing_that_an_agent_prints_starts_a_line_moves_a_cursor_or_passes_for_a_field() {
        let hostile = "x\n2026 INFO agent=root | \u{1b}[2J\u{202e}";
        assert_eq!(
            line(|| tracing::warn!(agent = hostile, "{hostile}")),
            "1970-01-01T00:00:00.000Z WARN  agent=\"x\\u{a}2026 INFO agent=root | \\u{1b}[2J\\u{202e}\" | \
             x\\u{a}2026 INFO agent=root | \\u{1b}[2J\\u{202e}\n"
        );
    }
}
