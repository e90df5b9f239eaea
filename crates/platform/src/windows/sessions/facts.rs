//! What terminal services tell about sessions, and what it means.
//!
//! This file decides only, and is tested on every system.

use crate::{Kind, State};

/// What terminal services tell about one session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// Its number, which later sessions get again.
    pub(crate) id: u32,
    /// Whether and how somebody is connected to it.
    pub(crate) connection: Connection,
    /// What it is connected to: `Console`, `RDP-Tcp#3`; empty for a session that nobody is connected to.
    pub(crate) station: String,
    /// Who is logged on; empty at a logon screen.
    pub(crate) user: String,
    /// The domain of that user, or the machine.
    pub(crate) domain: String,
    /// `WTSClientProtocolType`: 0 for the machine's own console, 2 for RDP.
    pub(crate) protocol: Option<u16>,
    /// `WTSIsRemoteSession`.
    pub(crate) is_remote: Option<bool>,
    /// Whether it is locked, where Windows knows.
    pub(crate) locked: Option<bool>,
    /// When its user logged on, in units of 100 ns since 1601.
    pub(crate) logon_time: Option<u64>,
}

/// `WTS_CONNECTSTATE_CLASS`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Connection {
    /// A user is logged on and in front of it.
    Active,
    /// Something is connected to it, and nobody logged on yet.
    Connected,
    /// Being connected.
    ConnectQuery,
    /// Its user looks at another session.
    Shadow,
    /// A user is logged on and not in front of it: switched away, or a remote client that left.
    Disconnected,
    /// Waits for a client.
    Idle,
    /// No session, but what makes sessions of incoming connections.
    Listen,
    /// Being reset.
    Reset,
    /// Broken down.
    Down,
    /// Being set up.
    Init,
    /// None that is documented.
    #[default]
    Unknown,
}

impl Connection {
    /// <https://learn.microsoft.com/windows/win32/api/wtsapi32/ne-wtsapi32-wts_connectstate_class>
    pub(crate) fn from_number(number: i32) -> Connection {
        match number {
            0 => Connection::Active,
            1 => Connection::Connected,
            2 => Connection::ConnectQuery,
            3 => Connection::Shadow,
            4 => Connection::Disconnected,
            5 => Connection::Idle,
            6 => Connection::Listen,
            7 => Connection::Reset,
            8 => Connection::Down,
            9 => Connection::Init,
            _ => Connection::Unknown,
        }
    }

    /// Whether a keyboard and a screen, or a client, are connected to it.
    fn is_connected(self) -> bool {
        matches!(self, Connection::Active | Connection::Connected | Connection::Shadow)
    }
}

impl Told {
    /// Whether a user is logged on in it. Session 0 has the services, and a listener is no session.
    pub(crate) fn is_a_persons(&self) -> bool {
        self.id != 0 && self.connection != Connection::Listen && !self.user.is_empty()
    }

    pub(crate) fn state(&self) -> State {
        match self.connection {
            Connection::Active | Connection::Shadow => State::Active,
            Connection::Reset | Connection::Down => State::Closing,
            Connection::Connected
            | Connection::ConnectQuery
            | Connection::Disconnected
            | Connection::Idle
            | Connection::Listen
            | Connection::Init
            | Connection::Unknown => State::Inactive,
        }
    }

    /// Whether its client is at the other end of a network. Says nothing of a session that nobody is connected to.
    fn is_remote(&self) -> bool {
        self.is_remote == Some(true) || self.protocol.is_some_and(|protocol| protocol != 0)
    }

    fn is_at_the_console(&self) -> bool {
        self.connection.is_connected() && !self.is_remote() && self.station.eq_ignore_ascii_case("console")
    }
}

/// Where the users of sessions sit, for each of `all` in its order. At most one of those in front of their users is at the console.
///
/// `console` is the number that `WTSGetActiveConsoleSessionId` gives, if it gives one. It decides only where the list itself leaves a
/// doubt, as it does for a moment during a switch. `before` is what was said of a session the last time: one that nobody is connected to
/// stays where it was.
pub(crate) fn kinds(all: &[Told], console: Option<u32>, before: impl Fn(&Told) -> Option<Kind>) -> Vec<Kind> {
    let named: Vec<&Told> = all.iter().filter(|told| told.is_at_the_console()).collect();
    let at_console = match named.as_slice() {
        [] => console,
        [only] => Some(only.id),
        several => {
            let mut active = several.iter().filter(|told| told.state() == State::Active);
            let only_active = active.next().filter(|_| active.next().is_none()).map(|told| told.id);
            console.filter(|id| several.iter().any(|told| told.id == *id)).or(only_active)
        }
    };
    let kind = |told: &Told| match (told.connection.is_connected(), told.is_remote()) {
        (true, true) => Kind::Remote,
        (true, false) if at_console == Some(told.id) => Kind::Console,
        (true, false) => Kind::Other,
        (false, remote) => before(told).unwrap_or(if remote { Kind::Remote } else { Kind::Console }),
    };
    all.iter().map(kind).collect()
}

/// What tells a logon from others that have the same session number.
///
/// Its text is made of what is known from the first moment on: when the logon was and whose it is. The number of the logon is
/// known only once its token is; it must not change the text then, and it must be the same text after a restart of the service. Where
/// it contradicts what it was before, the logon is another one.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    user: String,
    time: Option<u64>,
    number: Option<u64>,
    text: String,
}

impl Identity {
    /// That of a logon which is seen for the first time. `before`: the last one in a session of this number.
    pub(crate) fn new(told: &Told, number: Option<u64>, before: Option<&Identity>) -> Identity {
        let (user, time) = (user_of(told), told.logon_time);
        let mut text = format!("{:x}-{:016x}", time.unwrap_or(0), digest(&user));
        if before.is_some_and(|before| before.text.starts_with(&text)) {
            text = format!("{text}-{:x}", number.unwrap_or(0));
        }
        Identity { user, time, number, text }
    }

    /// Whether a session of the same number is still that of this logon. What was not known before is taken over.
    pub(crate) fn is_still(&mut self, told: &Told, number: Option<u64>) -> bool {
        let agrees = |one: Option<u64>, other: Option<u64>| one.is_none() || other.is_none() || one == other;
        let same =
            self.user == user_of(told) && agrees(self.time, told.logon_time) && agrees(self.number, number);
        if same {
            self.time = self.time.or(told.logon_time);
            self.number = self.number.or(number);
        }
        same
    }

    /// The number of the logon, once a token has said it.
    pub(crate) fn number(&self) -> Option<u64> {
        self.number
    }

    /// For those who compare it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// Names are compared without case.
fn user_of(told: &Told) -> String {
    format!(r"{}\{}", told.domain, told.user).to_lowercase()
}

/// FNV-1a: shortens a name, and protects nothing.
fn digest(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(id: u32, connection: Connection, station: &str, protocol: u16) -> Told {
        Told {
            id,
            connection,
            station: station.into(),
            user: format!("user{id}"),
            domain: "ACME".into(),
            protocol: Some(protocol),
            logon_time: Some(1000 + u64::from(id)),
            ..Told::default()
        }
    }

    #[test]
    fn the_console_is_found_whatever_the_moment() {
        use Connection::{Active, Connected, Disconnected};
        use Kind::{Console, Other, Remote};
        let one = |connection, station: &'static str, protocol| (connection, station, protocol);
        // Sessions 2, 3, …; the number that the system gives; where they are.
        let table: &[(&[_], Option<u32>, &[Kind])] = &[
            (&[one(Active, "Console", 0)], Some(2), &[Console]),
            // The list says it; the number is not asked.
            (&[one(Active, "Console", 0)], Some(1), &[Console]),
            (&[one(Active, "console", 0)], None, &[Console]),
            (&[one(Active, "RDP-Tcp#0", 2)], Some(2), &[Remote]),
            (&[one(Active, "Console", 0), one(Active, "RDP-Tcp#4", 2)], Some(2), &[Console, Remote]),
            // Switched: the old one is disconnected, the new one has the console.
            (&[one(Disconnected, "", 0), one(Active, "Console", 0)], Some(3), &[Console, Console]),
            // In the middle of a switch both seem to have it.
            (&[one(Active, "Console", 0), one(Active, "Console", 0)], Some(3), &[Other, Console]),
            (&[one(Active, "Console", 0), one(Connected, "Console", 0)], Some(3), &[Other, Console]),
            (&[one(Active, "Console", 0), one(Connected, "Console", 0)], None, &[Console, Other]),
            (&[one(Active, "Console", 0), one(Active, "Console", 0)], None, &[Other, Other]),
            (&[one(Active, "Console", 0), one(Active, "Console", 0)], Some(9), &[Other, Other]),
            // A session that does not say what it is connected to.
            (&[one(Active, "", 0), one(Active, "Wall#1", 0)], Some(2), &[Console, Other]),
            (&[one(Active, "Wall#1", 0)], None, &[Other]),
        ];
        for (sessions, console, expected) in table {
            let all: Vec<Told> = sessions
                .iter()
                .enumerate()
                .map(|(at, (connection, station, protocol))| {
                    told(at as u32 + 2, *connection, station, *protocol)
                })
                .collect();
            assert_eq!(kinds(&all, *console, |_| None), *expected, "{all:?}");
        }
    }

    #[test]
    fn a_session_that_nobody_is_connected_to_stays_where_it_was() {
        let left = [told(2, Connection::Disconnected, "", 0)];
        assert_eq!(kinds(&left, None, |_| Some(Kind::Remote)), [Kind::Remote]);
        assert_eq!(kinds(&left, None, |_| None), [Kind::Console]);
        let mut back = [told(2, Connection::Active, "RDP-Tcp#1", 0)];
        back[0].is_remote = Some(true);
        assert_eq!(kinds(&back, None, |_| Some(Kind::Console)), [Kind::Remote]);
    }

    #[test]
    fn only_sessions_with_a_user_are_a_persons() {
        let with = |change: fn(&mut Told)| {
            let mut told = told(2, Connection::Active, "Console", 0);
            change(&mut told);
            told.is_a_persons()
        };
        assert!(with(|_| {}));
        assert!(!with(|told| told.id = 0));
        assert!(!with(|told| told.user.clear()));
        assert!(!with(|told| told.connection = Connection::Listen));
    }

    #[test]
    fn every_connection_is_a_state() {
        for (number, state) in [
            (0, State::Active),
            (1, State::Inactive),
            (2, State::Inactive),
            (3, State::Active),
            (4, State::Inactive),
            (5, State::Inactive),
            (7, State::Closing),
            (8, State::Closing),
            (9, State::Inactive),
            (77, State::Inactive),
        ] {
            let told = Told { connection: Connection::from_number(number), ..Told::default() };
            assert_eq!(told.state(), state, "{number}");
        }
    }

    #[test]
    fn a_token_that_becomes_ready_changes_nothing() {
        let session = told(2, Connection::Active, "Console", 0);
        let mut early = Identity::new(&session, None, None);
        let text = early.text().to_owned();
        assert!(early.is_still(&session, Some(0x3e7)) && early.is_still(&session, None));
        assert_eq!((early.text(), early.number()), (&*text, Some(0x3e7)));
        // A service that was started later says the same.
        assert_eq!(Identity::new(&session, Some(0x3e7), None).text(), text);
    }

    #[test]
    fn a_number_that_is_used_again_is_another_logon() {
        let session = told(2, Connection::Active, "Console", 0);
        let other = |change: fn(&mut Told)| {
            let mut told = session.clone();
            change(&mut told);
            told
        };
        for (told, number) in [
            (other(|told| told.user = "bob".into()), Some(1)),
            (other(|told| told.domain = "OTHER".into()), Some(1)),
            (other(|told| told.logon_time = Some(7)), Some(1)),
            (session.clone(), Some(2)),
        ] {
            let mut before = Identity::new(&session, Some(1), None);
            assert!(!before.is_still(&told, number), "{told:?}");
            let after = Identity::new(&told, number, Some(&before));
            assert_ne!(after.text(), before.text(), "{told:?}");
            assert_ne!(Identity::new(&session, Some(3), Some(&after)).text(), after.text());
        }
        let mut before = Identity::new(&session, Some(1), None);
        assert!(before.is_still(&other(|told| told.user = "USER2".into()), Some(1)), "case is no difference");
    }

    #[test]
    fn what_was_not_told_is_no_contradiction() {
        let session = told(2, Connection::Active, "Console", 0);
        let mut early = Identity::new(&Told { logon_time: None, ..session.clone() }, None, None);
        assert!(early.is_still(&session, Some(5)));
        assert!(!early.is_still(&Told { logon_time: Some(7), ..session }, Some(5)));
    }
}
