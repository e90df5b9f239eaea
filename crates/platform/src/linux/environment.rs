//! The environment of a program that is started in somebody's session.
//!
//! Later wins: the user database, the user's service manager, the session's own `XDG_*` variables.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;

use super::account::Account;
use super::cgroup;
use super::logind::Facts;

/// More than this is no environment that a program can be started with: execve(2) allows a quarter of the stack limit.
pub(super) const ENVIRONMENT_LENGTH_MAX: usize = 256 * 1024;

/// `MAX_ARG_STRLEN` of execve(2), with the NUL: no program can have been started with more than this in one variable, and none can.
const VARIABLE_LENGTH_MAX: usize = 128 * 1024;

/// How many processes of a scope are asked for a display. A desktop's first processes have the lowest pids, or nearly.
const SCOPE_PROCESSES_MAX: usize = 256;

/// How much of the environment of such a process is read, in bytes; a desktop's own has about four thousand.
const PROCESS_ENVIRONMENT_LENGTH_MAX: u64 = 64 * 1024;

/// What the names of agents' control groups begin with, of any service's.
const OF_AGENTS: &str = "bilayer-";

/// login.defs(5): `ENV_PATH`.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games";

/// The same for services, with the folders of old systems, where they are not links.
const WORKER_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What says where a display is and how to be let in.
const DISPLAY: [&str; 3] = ["DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY"];

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

/// What a process in the session's scope knows of a display; empty if there is none. Agents are not asked: they know what they
/// were started with, which may be long gone. It is asked on the thread of the loop, and
/// a user can have as many processes as they like: so only the first ones are looked at, and the beginning of each.
pub(super) fn of_scope(scope: &Path) -> Variables {
    let mut pids = cgroup::pids_of_others(scope, OF_AGENTS).unwrap_or_default();
    pids.sort_unstable();
    let displays = pids.into_iter().take(SCOPE_PROCESSES_MAX).filter_map(|pid| {
        let mut bytes = Vec::new();
        let file = File::open(format!("/proc/{pid}/environ")).ok()?;
        file.take(PROCESS_ENVIRONMENT_LENGTH_MAX).read_to_end(&mut bytes).ok()?;
        Some(display_in(&bytes))
    });
    displays.into_iter().find(has_display).unwrap_or_default()
}

/// Of a block of variables those that say where a display is. A last one that has no NUL behind it was cut off.
fn display_in(bytes: &[u8]) -> Variables {
    let whole = bytes.iter().rposition(|byte| *byte == 0).map_or(&[][..], |end| &bytes[..end]);
    let of_display = |entry: &&[u8]| DISPLAY.iter().any(|name| is_of(entry, name.as_bytes()));
    let entries = whole.split(|byte| *byte == 0).filter(of_display);
    entries.flat_map(parse).collect()
}

/// Whether an entry is of the variable `name`.
fn is_of(entry: &[u8], name: &[u8]) -> bool {
    entry.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='))
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

    /// A scope that lists `others` processes before one that was started with these variables.
    fn display_among(others: usize, variables: &[(&str, &str)]) -> Variables {
        let name = format!("bilayer-scope-{}-{others}-{}", std::process::id(), variables.len());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = std::process::Command::new("/bin/sleep");
        let mut child = command.arg("1000").env_clear().envs(variables.iter().copied()).spawn().unwrap();
        // Its parent goes on a moment before it has its variables.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while std::fs::read(format!("/proc/{}/environ", child.id())).unwrap().is_empty() {
            assert!(std::time::Instant::now() < deadline, "its variables did not show up within 10 s");
            std::thread::yield_now();
        }
        // The first process of all has no display.
        std::fs::write(folder.join("cgroup.procs"), format!("{}{}\n", "1\n".repeat(others), child.id()))
            .unwrap();
        let found = of_scope(&folder);
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        found
    }

    #[test]
    fn an_agents_display_is_not_its_sessions() {
        let name = format!("bilayer-scope-{}-of-agents", std::process::id());
        let scope = std::env::temp_dir().join(name);
        for (group, pids) in [("", "1\n2\n"), ("other", "3\n"), ("bilayer-acme.desk", "4\n")] {
            std::fs::create_dir_all(scope.join(group)).unwrap();
            std::fs::write(scope.join(group).join("cgroup.procs"), pids).unwrap();
        }
        let mut found = cgroup::pids_of_others(&scope, OF_AGENTS).unwrap();
        std::fs::remove_dir_all(&scope).unwrap();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn a_scope_is_read_within_bounds() {
        let display = [("DISPLAY", ":1"), ("PATH", "/evil")];
        let found = display_among(SCOPE_PROCESSES_MAX - 1, &display);
        assert_eq!((value(&found, "DISPLAY"), value(&found, "PATH")), (Some(":1"), None));
        assert_eq!(display_among(SCOPE_PROCESSES_MAX, &display), Variables::new());
        // Variables are handed over in the order of their names.
        let long = "x".repeat(100_000);
        assert_eq!(display_among(0, &[("A", &long), ("DISPLAY", ":1"), ("PATH", "/evil")]), Variables::new());
    }

    #[test]
    fn half_a_variable_is_none() {
        assert_eq!(value(&display_in(b"A=b\0DISPLAY=:1\0XAUTHORITY=/run/us"), "XAUTHORITY"), None);
        assert_eq!(value(&display_in(b"DISPLAY=:1\0"), "DISPLAY"), Some(":1"));
        assert_eq!(display_in(b"DISPLAYS=:1\0"), Variables::new());
    }
}
