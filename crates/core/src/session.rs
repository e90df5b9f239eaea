//! What an enumeration of the operating system's sessions says.

use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// One logon, as a small number that is never used again for another.
///
/// The caller gives out the numbers, keyed by (session id of the OS, logon identity, user). The OS uses session ids again;
/// it does not use all three again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Logon(pub u32);

impl Logon {
    /// The machine itself, which nobody logs on to: what workers belong to. It is there for as long as the service is, stands in no
    /// enumeration and is never given out for a session.
    pub const MACHINE: Self = Self(u32::MAX);

    /// Whether it is the machine rather than a session.
    pub const fn is_machine(self) -> bool {
        self.0 == Self::MACHINE.0
    }
}

/// Whether a session is the one in front of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionState {
    /// In front: it has the keyboard and screen, or a connected remote client.
    Active,
    /// Logged on, but switched away from or disconnected.
    Inactive,
    /// On its way out: its leader is dead, its scope abandoned, or the OS says so.
    Closing,
}

/// Where the session's user sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SessionKind {
    /// At the machine's own keyboard and screen (seat0, or the physical console).
    Console,
    /// At the other end of a network.
    Remote,
    /// Neither: another seat, or a seatless login.
    Other,
}

/// The facts about a session that never change while it lives, though some may come to be known late.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The OS's session id, as shown to people.
    pub session: String,
    /// The user's name.
    pub user: String,
    /// The same with its domain, as `users` may have it; empty where the OS has none.
    pub account: String,
    /// The user's id: a uid in decimal, or a SID; empty until it is known.
    pub user_id: String,
    /// Names of the groups the user is in; empty until they are known.
    pub groups: Vec<String>,
    /// The session type where the OS has one (`x11`, `wayland`, `mir`, `tty`, …). `None` is served by every spec.
    pub session_type: Option<String>,
    /// Whether it is the logon screen: nobody has logged on with it, and its user is an account of the system's.
    pub greeter: bool,
}

/// One session in an enumeration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Which logon this is.
    pub logon: Logon,
    /// Whether it is in front.
    pub state: SessionState,
    /// Where its user sits.
    pub kind: SessionKind,
    /// Whether its screen is locked.
    pub locked: bool,
    /// Whether its user sits at the other end of a network.
    pub remote: bool,
    /// Whether the environment that a program of it starts with is known. Always true where a session comes with it.
    pub environment: bool,
    /// Whether a program that is started in it now finds a display. Always true where a session implies one.
    pub display: bool,
    /// Who it belongs to.
    pub who: Arc<Who>,
}
