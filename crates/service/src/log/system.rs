//! The system's own event log, for whoever looks there first: what happens to the service, warnings and errors.

use std::io;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use bilayer_platform::{EventLog, Severity};
use tracing::Level;

use super::id;

/// Entries that may wait for the log. Past them, entries are left out and counted: nobody waits for a log that hangs.
const WAITING_MAX: usize = 64;

/// Entries that may follow each other at once.
const BURST: u32 = 50;

/// How often one more may. The log is one for all programs of the machine, and old entries make way for new ones.
const ONE_EVERY: Duration = Duration::from_secs(10);

/// How long the end of the program waits for its last entries.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);

/// An entry.
pub(super) struct Entry {
    pub(super) severity: Severity,
    pub(super) id: u16,
    /// A sentence.
    pub(super) text: String,
    /// What it is about, as `name=value`.
    pub(super) details: String,
}

impl Entry {
    /// An entry for a line of the log, if it is worth one. What agents print and log is not, however grave they call it: it
    /// would be their users who fill the machine's log.
    pub(super) fn worth(target: &str, level: Level, id: Option<u16>) -> Option<(Severity, u16)> {
        let severity = match level {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            _ => Severity::Information,
        };
        match (id, severity) {
            _ if target == crate::output::TARGET => None,
            (Some(id), _) => Some((severity, id)),
            (None, Severity::Error) => Some((severity, id::ERROR)),
            (None, Severity::Warning) => Some((severity, id::WARNING)),
            (None, Severity::Information) => None,
        }
    }
}

enum Errand {
    Write(Entry),
    /// Say when everything before this is written.
    Flush(SyncSender<()>),
}

/// The way to the thread that writes: the call blocks while the log does.
pub(super) struct SystemLog {
    errands: SyncSender<Errand>,
    rate: Mutex<Rate>,
}

impl SystemLog {
    /// Opens the log for entries under this name; `None` where the system has no such log.
    pub(super) fn open(source: &str) -> io::Result<Option<SystemLog>> {
        let Some(log) = EventLog::open(source)? else { return Ok(None) };
        let (errands, inbox) = mpsc::sync_channel(WAITING_MAX);
        let thread = thread::Builder::new().name("event log".into()).stack_size(128 * 1024);
        thread.spawn(move || run(&log, &inbox))?;
        Ok(Some(SystemLog { errands, rate: Mutex::new(Rate::new(Instant::now())) }))
    }

    /// Writes an entry soon, or leaves it out and counts it.
    pub(super) fn write(&self, entry: Entry) {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(left_out) = rate.admit(Instant::now()) else { return };
        if left_out > 0 {
            let text = format!("{left_out} entries were left out here; the service's log file has them");
            let details = String::new();
            let note = Entry { severity: Severity::Warning, id: id::LEFT_OUT, text, details };
            if self.errands.try_send(Errand::Write(note)).is_err() {
                rate.left_out += left_out + 1;
                return;
            }
        }
        if self.errands.try_send(Errand::Write(entry)).is_err() {
            rate.left_out += 1;
        }
    }

    /// Waits until everything is written, 2 s at most.
    pub(super) fn flush(&self) {
        let (tell, told) = mpsc::sync_channel(1);
        let deadline = Instant::now() + FLUSH_WITHIN;
        if self.errands.try_send(Errand::Flush(tell)).is_ok() {
            // Too late is too late: the program ends.
            let _: Result<(), RecvTimeoutError> = told.recv_timeout(deadline - Instant::now());
        }
    }
}

fn run(log: &EventLog, inbox: &Receiver<Errand>) {
    while let Ok(errand) = inbox.recv() {
        match errand {
            // The log is not there or is full. The file has the line, and there is no third place to say so.
            Errand::Write(entry) => drop(log.report(entry.severity, entry.id, &entry.text, &entry.details)),
            Errand::Flush(tell) => drop(tell.send(())),
        }
    }
}

/// A bucket of tokens.
struct Rate {
    tokens: u32,
    /// When the next token comes, while there is room for it.
    next: Instant,
    left_out: u64,
}

impl Rate {
    fn new(now: Instant) -> Rate {
        Rate { tokens: BURST, next: now + ONE_EVERY, left_out: 0 }
    }

    /// Whether one more entry may be written, and how many were left out before it.
    fn admit(&mut self, now: Instant) -> Option<u64> {
        while self.tokens < BURST && self.next <= now {
            self.tokens += 1;
            self.next += ONE_EVERY;
        }
        match self.tokens.checked_sub(1) {
            None => {
                self.left_out += 1;
                None
            }
            Some(rest) => {
                if self.tokens == BURST {
                    self.next = now + ONE_EVERY;
                }
                self.tokens = rest;
                Some(std::mem::take(&mut self.left_out))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_counted_and_forgiven() {
        let begin = Instant::now();
        let mut rate = Rate::new(begin);
        let admitted = (0..1000).filter(|_| rate.admit(begin).is_some()).count();
        assert_eq!(admitted, 50);
        assert_eq!(rate.admit(begin + ONE_EVERY - Duration::from_millis(1)), None);
        assert_eq!(rate.admit(begin + ONE_EVERY), Some(951));
        assert_eq!(rate.admit(begin + ONE_EVERY), None);
        let later = begin + ONE_EVERY * 1000;
        let admitted = (0..1000).filter(|_| rate.admit(later).is_some()).count();
        assert_eq!(admitted, 50, "rest does not make a larger burst");
    }

    #[test]
    fn agents_write_nothing_into_the_machines_log() {
        assert!(Entry::worth(crate::output::TARGET, Level::ERROR, None).is_none());
        assert!(Entry::worth("bilayer::driver", Level::INFO, None).is_none());
        let told = Entry::worth("bilayer::driver", Level::INFO, Some(id::STARTED));
        assert_eq!(told, Some((Severity::Information, 1)));
        assert_eq!(
            Entry::worth("bilayer::driver", Level::WARN, None),
            Some((Severity::Warning, id::WARNING))
        );
    }
}
