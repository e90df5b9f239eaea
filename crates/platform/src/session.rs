//! What an enumeration of sessions says, on every system.

use std::time::Duration;

use crate::Station;

/// Whether a session is the one in front of its user.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// In front: it has the keyboard and screen, or a connected remote client.
    Active,
    /// Logged on, but switched away from or disconnected.
    Inactive,
    /// On its way out.
    Closing,
}

/// Where the session's user sits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// At the machine's own keyboard and screen.
    Console,
    /// At the other end of a network.
    Remote,
    /// Neither: another seat, or a login without a seat.
    Other,
}

/// Who a session belongs to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct User {
    /// The user's name.
    pub name: String,
    /// The user's id: a uid in decimal, or a SID. Empty until it is known: on Windows, until the session's token is ready.
    pub id: String,
}

/// One session of an enumeration.
#[derive(Clone, Debug)]
pub struct SessionInfo {
    /// The session id of the operating system, as shown to people. It is used again for later logons.
    pub id: String,
    /// The logon identity: never the same for two logons that share an id. Opaque; compare it, do not parse it.
    pub logon: String,
    /// Who it belongs to.
    pub user: User,
    /// Names of the groups the user is in; empty until they are known. On Windows each is here by its SID, its name and its name
    /// with its domain.
    pub groups: Vec<String>,
    /// Whether the user is an administrator, though the user's programs may run without those rights. `None` where a session does
    /// not tell, as on Linux.
    pub administrator: Option<bool>,
    /// Where its user sits.
    pub kind: Kind,
    /// Whether it is in front.
    pub state: State,
    /// Whether its screen is locked.
    pub locked: bool,
    /// Whether its user sits at the other end of a network.
    pub remote: bool,
    /// The session type where the system has one (`x11`, `wayland`, `tty`, …). `None`: served whatever types a spec names.
    pub session_type: Option<String>,
    /// Whether it is the logon screen, of a display manager: nobody has logged on with it. Listed only where asked for
    /// ([`Sessions::list_greeters`](crate::Sessions::list_greeters)).
    pub greeter: bool,
    /// Whether the environment that its programs start with is known. Where it is not, a hint comes when it is. On Windows it
    /// comes with the session's token, which a launch asks for, and this is always true.
    pub environment: bool,
    /// Whether a program that is started in it now finds a display.
    pub display: bool,
    /// What it takes to start a process in it, as its user.
    pub station: Station,
}

/// Which sessions a source follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Every session of the machine. Needs privilege.
    System,
    /// The session that this program itself runs in, and no other.
    Console,
}

/// Something may have changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// Enumerate again.
    Sessions,
    /// The machine is about to sleep.
    Suspend,
    /// The machine woke up.
    Resume,
    /// The machine goes down; whatever is not finished `within` this time is cut off.
    ShutdownAnnounced {
        /// Counted from the announcement.
        within: Duration,
    },
    /// The announced shutdown does not happen.
    ShutdownCalledOff,
}
