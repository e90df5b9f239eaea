//! The environment of a program that is started in somebody's session.
//!
//! Later wins: the user database, the user's service manager, the session's own `XDG_*` variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStringExt as _;

use super::account::Account;
use super::logind::Facts;

/// More than this is no environment that a program can be started with: execve(2) allows a quarter of the stack limit.
pub(super) const ENVIRONMENT_LENGTH_MAX: usize = 256 * 1024;

/// `MAX_ARG_STRLEN` of execve(2), with the NUL: no program can have been started with more than this in one variable, and none can.
const VARIABLE_LENGTH_MAX: usize = 128 * 1024;

/// login.defs(5): `ENV_PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";

/// The same for services, with the folders of old systems, where they are not links.
const WORKER_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What says where a display is and how to be let in.
pub(super) const DISPLAY: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];

/// What systemd tells each service about itself: systemd.exec(5). The manager has them from the one that started it; in a program
/// that it did not start they are wrong.
const OF_ONE_SERVICE: [&str; 12] = [
    "FDSTORE",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "LISTEN_FDNAMES",
    "LISTEN_FDS",
    "LISTEN_PID",
    "MAINPID",
    "MANAGERPID",
    "NOTIFY_SOCKET",
    "SYSTEMD_EXEC_PID",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
];

pub(super) type Variables = BTreeMap<OsString, OsString>;

/// What a user has without any session.
pub(super) fn of_account(account: &Account) -> Variables {
    let runtime = runtime_folder(account.uid);
    let mut variables: Variables = [
        ("HOME", account.home.as_os_str()),
        ("USER", OsStr::new(&account.name)),
        ("LOGNAME", OsStr::new(&account.name)),
        ("SHELL", account.shell.as_os_str()),
        ("PATH", OsStr::new(PATH)),
        ("XDG_RUNTIME_DIR", OsStr::new(&runtime)),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    variables.insert("DBUS_SESSION_BUS_ADDRESS".into(), format!("unix:path={runtime}/bus").into());
    variables
}

/// What something of the machine's has, in whose environment no session takes part: the folders are those in which the system's
/// own services look for programs, systemd.exec(5).
pub(super) fn of_worker(account: &Account) -> Variables {
    let named = [
        ("HOME", account.home.as_os_str()),
        ("USER", OsStr::new(&account.name)),
        ("LOGNAME", OsStr::new(&account.name)),
        ("SHELL", account.shell.as_os_str()),
        ("PATH", OsStr::new(WORKER_PATH)),
    ];
    named.map(|(name, value)| (name.into(), value.into())).into()
}

/// Whether a process of the session's own must be asked where its display is, since the manager does not know, or not of which session.
pub(super) fn lacks_display(manager: &Variables, own_display: bool) -> bool {
    own_display || !has_display(manager)
}

/// All of it. `own_display`: the user has several graphical sessions, whose displays their one service manager cannot tell
/// apart, so only a process of this session's own scope can say which it is.
pub(super) fn compose(
    account: &Account,
    manager: &Variables,
    session: &Facts,
    scope: &Variables,
    own_display: bool,
) -> Variables {
    let mut variables = of_account(account);
    variables.extend(manager.iter().map(|(name, value)| (name.clone(), value.clone())));
    for name in OF_ONE_SERVICE {
        variables.remove(OsStr::new(name));
    }
    if own_display {
        for name in DISPLAY {
            variables.remove(OsStr::new(name));
        }
    }
    if !has_display(&variables) {
        let display = scope.iter().filter(|(name, _)| DISPLAY.iter().any(|known| name.as_os_str() == *known));
        variables.extend(display.map(|(name, value)| (name.clone(), value.clone())));
    }
    let vt = if session.vt == 0 { String::new() } else { session.vt.to_string() };
    let own = [
        ("XDG_SESSION_ID", &session.id),
        ("XDG_SESSION_TYPE", &session.session_type),
        ("XDG_SESSION_CLASS", &session.class),
        ("XDG_SESSION_DESKTOP", &session.desktop),
        ("XDG_SEAT", &session.seat),
        ("XDG_VTNR", &vt),
        ("XDG_RUNTIME_DIR", &runtime_folder(session.uid)),
    ];
    for (name, value) in own {
        // What this session has not, the manager can have from another of the user's sessions.
        if value.is_empty() {
            variables.remove(OsStr::new(name));
        } else {
            variables.insert(name.into(), value.into());
        }
    }
    variables
}

/// Whether a program finds a display with it.
pub(super) fn has_display(variables: &Variables) -> bool {
    let set = |name: &str| variables.get(OsStr::new(name)).is_some_and(|value| !value.is_empty());
    set("DISPLAY") || set("WAYLAND_DISPLAY")
}

/// Entries with a NUL after each. What is no variable, or one that no program can have, is left out: a person can put it there.
pub(super) fn parse(bytes: &[u8]) -> Variables {
    let possible = |entry: &&[u8]| entry.len() < VARIABLE_LENGTH_MAX;
    let entries = bytes.split(|byte| *byte == 0).filter(possible).filter_map(|entry| {
        let equals = entry.iter().position(|byte| *byte == b'=')?;
        let (name, value) = (&entry[..equals], &entry[equals + 1..]);
        is_name(name).then(|| (OsString::from_vec(name.to_vec()), OsString::from_vec(value.to_vec())))
    });
    entries.collect()
}

/// Where systemd-logind makes it: pam_systemd(8).
pub(super) fn runtime_folder(uid: u32) -> String {
    format!("/run/user/{uid}")
}

fn is_name(name: &[u8]) -> bool {
    let letter = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    name.first().is_some_and(letter) && name.iter().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// In the order of their names.
pub(super) fn listed(variables: &Variables) -> Vec<(OsString, OsString)> {
    variables.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::super::logind::sample;
    use super::*;

    fn alice() -> Account {
        Account {
            name: "alice".into(),
            uid: 1001,
            gid: 1001,
            home: "/home/alice".into(),
            shell: "/bin/bash".into(),
            gids: vec![1001],
            groups: vec!["alice".into()],
        }
    }

    fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
        variables.get(OsStr::new(name))?.to_str()
    }

    #[test]
    fn later_wins() {
        let manager = parse(b"PATH=/opt/bin\0SYSTEMD_EXEC_PID=42\0LANG=de_DE.UTF-8\0DISPLAY=:0\0XDG_SESSION_ID=9\0XDG_VTNR=3\0");
        let all = compose(&alice(), &manager, &sample(), &Variables::new(), false);
        assert_eq!(value(&all, "HOME"), Some("/home/alice"));
        assert_eq!(value(&all, "PATH"), Some("/opt/bin"));
        assert_eq!(value(&all, "LANG"), Some("de_DE.UTF-8"));
        assert_eq!(value(&all, "XDG_SESSION_ID"), Some("2"));
        assert_eq!(value(&all, "XDG_VTNR"), Some("7"));
        assert_eq!(value(&all, "SYSTEMD_EXEC_PID"), None);
        assert!(has_display(&all));
    }

    #[test]
    fn two_graphical_sessions_do_not_share_a_display() {
        let manager = parse(b"DISPLAY=:0\0XAUTHORITY=/a\0");
        let none = compose(&alice(), &manager, &sample(), &Variables::new(), true);
        assert!(!has_display(&none) && value(&none, "XAUTHORITY").is_none());
        let scope = parse(b"DISPLAY=:1\0XAUTHORITY=/b\0PATH=/evil\0");
        let own = compose(&alice(), &manager, &sample(), &scope, true);
        assert_eq!((value(&own, "DISPLAY"), value(&own, "XAUTHORITY")), (Some(":1"), Some("/b")));
        assert_eq!(value(&own, "PATH"), Some(PATH));
    }

    #[test]
    fn a_session_without_a_seat_inherits_none() {
        let session = Facts { seat: String::new(), vt: 0, ..sample() };
        let all =
            compose(&alice(), &parse(b"XDG_SEAT=seat0\0XDG_VTNR=2\0"), &session, &Variables::new(), false);
        assert_eq!((value(&all, "XDG_SEAT"), value(&all, "XDG_VTNR")), (None, None));
    }

    #[test]
    fn only_variables_are_taken() {
        let read =
            parse(b"GOOD=1\0=x\0NOVALUE\0BAD NAME=1\0BASH_FUNC_x%%=() { :; }\0_9=two\nlines\0EMPTY=\0A=b=c");
        let names: Vec<_> = read.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["A", "EMPTY", "GOOD", "_9"]);
        assert_eq!(value(&read, "_9"), Some("two\nlines"));
        assert_eq!(value(&read, "A"), Some("b=c"));
        for (length, count) in [(VARIABLE_LENGTH_MAX - 3, 1), (VARIABLE_LENGTH_MAX - 2, 0)] {
            assert_eq!(
                parse(format!("B={}\0", "x".repeat(length)).as_bytes()).len(),
                count,
                "{length} bytes"
            );
        }
    }
}
