//! The journal, as the log of the system: entries with fields, sent in its native protocol.
//! <https://systemd.io/JOURNAL_NATIVE_PROTOCOL>

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::{Error, Severity};

/// Where journald listens.
const SOCKET: &str = "/run/systemd/journal/socket";

/// How long an entry may wait until journald has room for it.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// A longer entry is cut: what does not fit into a datagram would need a file.
const BYTES_MAX: usize = 32 * 1024;

/// A name under which this program writes entries into the journal: `journalctl -t NAME`, or `-u NAME` for a service.
pub struct EventLog {
    name: String,
    socket: UnixDatagram,
    journal: PathBuf,
}

impl EventLog {
    /// Makes a name known to the system. Nothing to do: the journal takes any.
    pub fn register_source(_name: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Forgets a name. Nothing to do.
    pub fn unregister_source(_name: &str) -> Result<(), Error> {
        Ok(())
    }

    /// Opens the log for entries under this name; `None` where the system has no such log.
    pub fn open(name: &str) -> io::Result<Option<EventLog>> {
        EventLog::at(Path::new(SOCKET), name)
    }

    fn at(journal: &Path, name: &str) -> io::Result<Option<EventLog>> {
        match std::fs::symlink_metadata(journal) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            there => there?,
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(WAIT_MAX))?;
        Ok(Some(EventLog { name: name.to_owned(), socket, journal: journal.to_owned() }))
    }

    /// Writes an entry: a sentence, and what it is about as `name=value` or nothing. Blocks while the journal does.
    pub fn report(&self, severity: Severity, id: u16, text: &str, details: &str) -> io::Result<()> {
        let entry = entry(&self.name, severity, id, text, details);
        // By its path each time: a journald that was started again listens at the same one.
        self.socket.send_to(&entry, &self.journal).map(drop)
    }
}

/// The fields of an entry: systemd.journal-fields(7).
fn entry(name: &str, severity: Severity, id: u16, text: &str, details: &str) -> Vec<u8> {
    // syslog(3)
    let priority = match severity {
        Severity::Error => 3,
        Severity::Warning => 4,
        Severity::Information => 6,
    };
    let mut message = if details.is_empty() { text.to_owned() } else { format!("{text} ({details})") };
    message.truncate(message.floor_char_boundary(BYTES_MAX));
    let mut bytes =
        format!("PRIORITY={priority}\nSYSLOG_IDENTIFIER={name}\nBILAYER_EVENT={id}\nMESSAGE\n").into_bytes();
    // With its length, so that it may have lines, and none of them is taken for a field.
    bytes.extend((message.len() as u64).to_le_bytes());
    bytes.extend(message.into_bytes());
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_arrives_whole_and_its_lines_are_no_fields() {
        let path = std::env::temp_dir().join(format!("bilayer-journal-{}", std::process::id()));
        assert!(EventLog::at(&path, "acme").unwrap().is_none());
        let journal = UnixDatagram::bind(&path).unwrap();
        let log = EventLog::at(&path, "acme").unwrap().unwrap();
        log.report(Severity::Warning, 100, "held\nPRIORITY=0", "agent=desk").unwrap();
        let mut buffer = [0; 256];
        let length = journal.recv(&mut buffer).unwrap();
        let expected = b"PRIORITY=4\nSYSLOG_IDENTIFIER=acme\nBILAYER_EVENT=100\nMESSAGE\n\x1c\0\0\0\0\0\0\0held\nPRIORITY=0 (agent=desk)\n";
        assert_eq!(buffer[..length], expected[..]);
        std::fs::remove_file(&path).unwrap();
        assert!(log.report(Severity::Error, 1, "nobody listens", "").is_err());
        assert!(entry("acme", Severity::Error, 1, &"é".repeat(BYTES_MAX), "").len() < BYTES_MAX + 100);
    }
}
