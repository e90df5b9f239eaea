//! What the stand-in plays.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The folder of the bed, on drive C of the prefix.
pub const FOLDER: &str = r"C:\bilayer-bed";
/// The [`Script`], as JSON.
pub const SCRIPT: &str = "sessions.json";
/// Every [`Message`] that was shown, as JSON, one a line.
pub const MESSAGES: &str = "messages.jsonl";

/// What is true now, and what windows are told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    /// Every session, in the order of their enumeration.
    pub sessions: Vec<Session>,
    /// Every notification so far. Windows are told of those that were appended after they registered.
    pub events: Vec<Event>,
}

/// A session as terminal services know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Its number.
    pub id: u32,
    /// Whether somebody sits in front of it.
    pub state: State,
    /// `Console`, `RDP-Tcp#N`, or empty while nobody is connected.
    pub station: String,
    /// Who is logged on; empty at a logon screen.
    pub user: String,
    /// The user's domain or machine.
    pub domain: String,
    /// Whether it is locked; `None` where Windows does not know.
    pub locked: Option<bool>,
    /// Whether it is served over the network.
    pub remote: bool,
    /// When the user logged on, in units of 100 ns since 1601.
    pub logon_time: i64,
    /// With which error the user's token is refused, if it is.
    pub token_error: Option<u32>,
    /// What is pressed when a message is shown; `None` for a person who presses nothing.
    pub answer: Option<i32>,
}

/// How a session is connected, as in `WTS_CONNECTSTATE_CLASS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// A user is logged on and in front of it.
    Active,
    /// A client is connected, and nobody logged on.
    Connected,
    /// Being connected.
    ConnectQuery,
    /// Being looked at from another.
    Shadow,
    /// A user is logged on, and nobody in front of it.
    Disconnected,
    /// Waits for a client.
    Idle,
    /// Waits for connections.
    Listen,
    /// Being reset.
    Reset,
    /// Down by a mistake.
    Down,
    /// Being set up.
    Init,
}

impl State {
    /// Its number in `WTS_CONNECTSTATE_CLASS`.
    pub fn number(self) -> i32 {
        self as i32
    }
}

/// A notification to windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// One of the `WTS_*` reasons of `WM_WTSSESSION_CHANGE`: 1 (console connect) to 11 (terminate).
    pub reason: u32,
    /// The session that it is about.
    pub session: u32,
}

/// A message that was shown to somebody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// In which session.
    pub session: u32,
    /// Its heading.
    pub title: String,
    /// Its text.
    pub text: String,
    /// The buttons and the icon (`MB_*`).
    pub style: u32,
    /// After how many seconds it disappears; 0 for never.
    pub timeout: u32,
    /// Whether the caller waits for the answer.
    pub waits: bool,
}

impl Script {
    /// Reads the script in this folder. A file that is no script is an error that says where it is wrong.
    pub fn read(folder: &Path) -> io::Result<Script> {
        // Without asking how long it is: that question goes to the volume, and under Wine to one more process at every call.
        let mut text = Vec::new();
        File::open(folder.join(SCRIPT))?.take(u64::MAX).read_to_end(&mut text)?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Replaces the script in this folder in one step: whoever reads sees the old one or the new one.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        let next = folder.join("next.json");
        fs::write(&next, serde_json::to_vec_pretty(self)?)?;
        fs::rename(next, folder.join(SCRIPT))
    }

    /// The session of this number.
    pub fn session(&self, id: u32) -> Option<&Session> {
        self.sessions.iter().find(|session| session.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else_is() {
        let folder = std::env::temp_dir().join(format!("bilayer-script-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let session = Session {
            id: 2,
            state: State::Disconnected,
            station: String::new(),
            user: "aliсe".into(),
            domain: "ACME".into(),
            locked: None,
            remote: true,
            logon_time: 1,
            token_error: Some(1008),
            answer: Some(6),
        };
        let script = Script { sessions: vec![session], events: vec![Event { reason: 7, session: 2 }] };
        script.write(&folder).unwrap();
        assert_eq!(Script::read(&folder).unwrap(), script);
        assert!(script.session(1).is_none());
        fs::write(folder.join(SCRIPT), r#"{"sessions": [], "events": [], "more": 1}"#).unwrap();
        assert!(Script::read(&folder).unwrap_err().to_string().contains("more"));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn states_have_the_numbers_of_windows() {
        assert_eq!([State::Active, State::Disconnected, State::Init].map(State::number), [0, 4, 9]);
    }
}
