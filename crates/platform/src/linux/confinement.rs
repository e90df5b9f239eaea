//! What this service was confined to when it was started, and its agents are with it: the kernel lets nobody out again. A
//! session's own programs are not, so people wonder why an agent cannot do what a shell beside it can.

use std::fs;
use std::path::PathBuf;

/// Says once what sessions do not have and agents will.
pub(crate) fn warn() {
    let found = compare(&Confinement::of("self"), &Confinement::of("1"));
    if !found.is_empty() {
        tracing::warn!(
            "agents inherit from this service what no session has, and the kernel lets them out of none of it: {}; take what \
             sets it out of the service's unit",
            found.join(", ")
        );
    }
}

/// As far as `/proc` tells.
#[derive(Default)]
struct Confinement {
    status: String,
    /// Of the namespaces in [`NAMESPACES`].
    namespaces: Vec<Option<PathBuf>>,
    root: Option<PathBuf>,
}

/// namespaces(7), and what in a unit makes one.
const NAMESPACES: [(&str, &str); 5] = [
    ("mnt", "a file system namespace (ProtectSystem=, ProtectHome=, PrivateTmp= and the like)"),
    ("net", "a network of its own (PrivateNetwork=)"),
    ("ipc", "an IPC namespace (PrivateIPC=)"),
    ("user", "a user namespace (PrivateUsers=)"),
    ("uts", "a host name of its own (ProtectHostname=)"),
];

/// Lines of `/proc/PID/status` that are the same in every process that nobody has confined, and what in a unit changes them.
const STATUS: [(&str, &str); 3] = [
    (
        "NoNewPrivs",
        "no new privileges, so no sudo and no setuid program (NoNewPrivileges=, or what implies it)",
    ),
    ("Seccomp_filters", "a filter of system calls (SystemCallFilter=, Restrict…=, Lock…=, Protect…=)"),
    ("CapBnd", "fewer capabilities to get back by a setuid program (CapabilityBoundingSet=)"),
];

impl Confinement {
    fn of(pid: &str) -> Confinement {
        let folder = PathBuf::from("/proc").join(pid);
        Confinement {
            status: fs::read_to_string(folder.join("status")).unwrap_or_default(),
            namespaces: NAMESPACES
                .iter()
                .map(|(name, _)| fs::read_link(folder.join("ns").join(name)).ok())
                .collect(),
            root: fs::read_link(folder.join("root")).ok(),
        }
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }
}

/// What one has and the other has not. What cannot be read is not compared.
fn compare(own: &Confinement, first: &Confinement) -> Vec<&'static str> {
    let differ = |own: Option<&str>, first: Option<&str>| own.is_some() && first.is_some() && own != first;
    let mut found: Vec<&'static str> = STATUS
        .iter()
        .filter(|(name, _)| differ(own.field(name), first.field(name)))
        .map(|(_, words)| *words)
        .collect();
    let namespaces = own.namespaces.iter().zip(&first.namespaces).zip(NAMESPACES);
    found.extend(
        namespaces
            .filter(|((own, first), _)| own.is_some() && first.is_some() && own != first)
            .map(|(_, (_, words))| words),
    );
    if own.root.is_some() && first.root.is_some() && own.root != first.root {
        found.push("a root folder of its own (RootDirectory=, RootImage=)");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(status: &str, mount: &str) -> Confinement {
        Confinement {
            status: status.into(),
            namespaces: vec![Some(mount.into()), None, None, None, None],
            root: Some("/".into()),
        }
    }

    #[test]
    fn only_what_differs_is_said() {
        let first = process("NoNewPrivs:\t0\nSeccomp_filters:\t3\nCapBnd:\t1ff\n", "mnt:[1]");
        assert_eq!(compare(&first, &first), Vec::<&str>::new());
        assert_eq!(compare(&Confinement::default(), &first), Vec::<&str>::new());
        let confined = process("NoNewPrivs:\t1\nSeccomp_filters:\t5\nCapBnd:\t1fe\n", "mnt:[2]");
        assert_eq!(compare(&confined, &first).len(), 4);
        assert!(compare(&confined, &first)[0].contains("NoNewPrivileges="));
    }
}
