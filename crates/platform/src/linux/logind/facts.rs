//! What logind says about a session, as values.

use std::collections::HashMap;
use std::hash::BuildHasher;

use zbus::Variant;

/// The properties of a session that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Facts {
    /// Its object: the session id, escaped.
    pub(crate) path: String,
    pub(crate) id: String,
    pub(crate) uid: u32,
    pub(crate) user: String,
    /// The process that opened it.
    pub(crate) leader: i32,
    pub(crate) state: LogindState,
    pub(crate) locked: bool,
    pub(crate) remote: bool,
    /// Empty: none.
    pub(crate) seat: String,
    /// Zero: none.
    pub(crate) vt: u32,
    /// `x11`, `wayland`, `mir`, `tty`, `web`, `unspecified`.
    pub(crate) session_type: String,
    /// `user`, `greeter`, `lock-screen`, `background`, `manager`, …: sd_session_get_class(3).
    pub(crate) class: String,
    pub(crate) desktop: String,
    /// The unit that its processes are in: `session-ID.scope`.
    pub(crate) scope: String,
}

/// Whether it is in front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogindState {
    Active,
    Online,
    Closing,
}

impl Facts {
    /// `None`: a property that every version since 205 has is missing.
    pub(super) fn read<S: BuildHasher>(
        path: &str,
        properties: &HashMap<&str, Variant<'_>, S>,
    ) -> Option<Facts> {
        let text = |name: &str| match properties.get(name) {
            Some(Variant::Str(text)) => Some(text.as_str().to_owned()),
            _ => None,
        };
        let number = |name: &str| match properties.get(name) {
            Some(Variant::U32(number)) => Some(*number),
            _ => None,
        };
        let truth = |name: &str| matches!(properties.get(name), Some(Variant::Bool(true)));
        let uid = match properties.get("User") {
            Some(Variant::Structure(user)) => match user.fields().first() {
                Some(Variant::U32(uid)) => *uid,
                _ => return None,
            },
            _ => return None,
        };
        let seat = match properties.get("Seat") {
            Some(Variant::Structure(seat)) => match seat.fields().first() {
                Some(Variant::Str(name)) => name.as_str().to_owned(),
                _ => String::new(),
            },
            _ => String::new(),
        };
        Some(Facts {
            path: path.to_owned(),
            id: text("Id")?,
            uid,
            user: text("Name")?,
            leader: i32::try_from(number("Leader")?).ok()?,
            state: match text("State")?.as_str() {
                "closing" => LogindState::Closing,
                // `State` can still say "opening", and nobody is told when that is over; `Active` is right from the start.
                _ if truth("Active") => LogindState::Active,
                _ => LogindState::Online,
            },
            locked: truth("LockedHint"),
            remote: truth("Remote"),
            seat,
            vt: number("VTNr").unwrap_or(0),
            session_type: text("Type")?,
            class: text("Class")?,
            desktop: text("Desktop").unwrap_or_default(),
            scope: text("Scope").unwrap_or_default(),
        })
    }

    /// Whether the two differ in more than what a person does all day: lock, unlock, switch to another session and back.
    pub(crate) fn differs_beyond_state(&self, other: &Facts) -> bool {
        Facts { state: other.state, locked: other.locked, ..self.clone() } != *other
    }

    /// Whether a person has logged on with it: not a logon screen or a locked one, not a user's service manager, not a service's
    /// background session. The classes with a dash came with systemd 256, pam_systemd(8): such logins differ in when they may
    /// begin and in whether the user gets a service manager for them.
    pub(crate) fn is_a_persons(&self) -> bool {
        matches!(self.class.as_str(), "user" | "user-early" | "user-light" | "user-early-light")
    }

    /// Whether it is the logon screen of a display manager.
    pub(crate) fn is_greeter(&self) -> bool {
        self.class == "greeter"
    }

    pub(crate) fn is_graphical(&self) -> bool {
        matches!(self.session_type.as_str(), "x11" | "wayland" | "mir")
    }
}

#[cfg(test)]
pub(crate) fn sample() -> Facts {
    Facts {
        path: "/org/freedesktop/login1/session/_32".into(),
        id: "2".into(),
        uid: 1001,
        user: "alice".into(),
        leader: 42,
        state: LogindState::Active,
        locked: false,
        remote: false,
        seat: "seat0".into(),
        vt: 7,
        session_type: "wayland".into(),
        class: "user".into(),
        desktop: "GNOME".into(),
        scope: "session-2.scope".into(),
    }
}

#[cfg(test)]
mod tests {
    use zbus::Structure;

    use super::*;

    fn properties() -> HashMap<&'static str, Variant<'static>> {
        let object = |name: &str| zbus::ObjectPath::try_from(name.to_owned()).unwrap();
        let user = Structure::from((1001_u32, object("/org/freedesktop/login1/user/_1001")));
        let seat = Structure::from(("seat0", object("/org/freedesktop/login1/seat/seat0")));
        HashMap::from([
            ("Id", Variant::from("2")),
            ("User", Variant::from(user)),
            ("Name", Variant::from("alice")),
            ("Leader", Variant::from(42_u32)),
            ("State", Variant::from("opening")),
            ("Active", Variant::from(true)),
            ("LockedHint", Variant::from(false)),
            ("Remote", Variant::from(false)),
            ("Seat", Variant::from(seat)),
            ("VTNr", Variant::from(7_u32)),
            ("Type", Variant::from("wayland")),
            ("Class", Variant::from("user")),
            ("Desktop", Variant::from("GNOME")),
            ("Scope", Variant::from("session-2.scope")),
        ])
    }

    #[test]
    fn a_session_is_read() {
        assert_eq!(Facts::read("/org/freedesktop/login1/session/_32", &properties()), Some(sample()));
    }

    #[test]
    fn a_lock_and_a_switch_change_the_state_only() {
        let switched = Facts { state: LogindState::Online, locked: true, ..sample() };
        assert!(!sample().differs_beyond_state(&switched));
        let typed = Facts { session_type: "x11".into(), ..switched };
        assert!(sample().differs_beyond_state(&typed));
    }

    #[test]
    fn what_cannot_be_done_without_is_asked_for() {
        for needed in ["Id", "User", "Name", "Leader", "State", "Type", "Class"] {
            let mut properties = properties();
            properties.remove(needed);
            assert_eq!(Facts::read("/x", &properties), None, "{needed}");
        }
        for spare in ["Seat", "VTNr", "Desktop", "Scope", "LockedHint", "Remote"] {
            let mut properties = properties();
            properties.remove(spare);
            assert!(Facts::read("/x", &properties).is_some(), "{spare}");
        }
    }
}
