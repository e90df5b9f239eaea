//! What `/proc` says about processes: proc(5). A pid may name another process a moment later, so whatever is read here is
//! compared with a start time or held against a pidfd before anything is done with it.

use std::io::Read as _;
use std::{fs, io};

/// A few fields of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) state: u8,
    pub(crate) parent: i32,
    pub(crate) group: i32,
    pub(crate) session: i32,
    pub(crate) nice: i32,
    /// In clock ticks since the boot; with the pid it names a process for good.
    pub(crate) start: u64,
}

impl Stat {
    pub(crate) fn is_zombie(&self) -> bool {
        matches!(self.state, b'Z' | b'X')
    }
}

/// The state of a process.
pub(crate) fn stat(pid: i32) -> io::Result<Stat> {
    let text = fs::read(format!("/proc/{pid}/stat"))?;
    parse(&text).ok_or_else(|| {
        io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat is not as expected"))
    })
}

/// Every process that this one can see.
pub(crate) fn pids() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The children of a process, of all its threads: `/proc/PID/task/TID/children`, which is there only if the kernel was built
/// with it. One that changes while it is read can leave a child out.
pub(crate) fn children(pid: i32) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = fs::read_to_string(thread?.path().join("children"))?;
        found.extend(text.split_ascii_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
    }
    Ok(found)
}

/// This process's children that its first thread has, and with them every orphan: the kernel gives those to the first thread
/// that lives (`find_new_reaper` in its exit.c), and a program's first lives as long as the program. Every restart waits for
/// this, so nothing is asked about the other threads, nor for the length of a file that has none.
pub(crate) fn own_children() -> io::Result<Vec<i32>> {
    let own = rustix::process::getpid().as_raw_nonzero();
    let mut text = String::new();
    fs::File::open(format!("/proc/{own}/task/{own}/children"))?.take(u64::MAX).read_to_string(&mut text)?;
    Ok(text.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect())
}

/// The environment that a process was started with: `NAME=value`, each with a NUL behind it. Empty where it cannot be read.
pub(crate) fn environment(pid: i32) -> Vec<u8> {
    fs::read(format!("/proc/{pid}/environ")).unwrap_or_default()
}

/// The path of a process's control group in the unified hierarchy, as `/user.slice/…`.
pub(crate) fn control_group(pid: i32) -> io::Result<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let unified = text.lines().find_map(|line| line.strip_prefix("0::"));
    unified.map(str::to_owned).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// The groups that a process is in, of which systemd made at least one: that of version 2, and that of the hierarchy of its own
/// which it has where control groups are of version 1.
pub(crate) fn manager_groups(pid: i32) -> io::Result<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let groups = ["0::", ":name=systemd:"]
        .map(|mark| text.lines().find_map(|line| line.split_once(mark).map(|(_, group)| group.to_owned())));
    Ok(groups.into_iter().flatten().collect())
}

/// The name in parentheses may hold anything, parentheses among it, so fields are counted from the last one.
fn parse(text: &[u8]) -> Option<Stat> {
    let after_name = text.iter().rposition(|byte| *byte == b')')? + 1;
    let fields: Vec<&str> = std::str::from_utf8(&text[after_name..]).ok()?.split_ascii_whitespace().collect();
    Some(Stat {
        state: *fields.first()?.as_bytes().first()?,
        parent: fields.get(1)?.parse().ok()?,
        group: fields.get(2)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        nice: fields.get(16)?.parse().ok()?,
        start: fields.get(19)?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_forge_fields() {
        let line = b"42 (a) R 1 (b)) S 7 42 41 0 -1 4194304 1 2 3 4 5 6 7 8 20 -5 1 0 12345 1 1\n";
        let stat = parse(line).unwrap();
        assert_eq!(stat, Stat { state: b'S', parent: 7, group: 42, session: 41, nice: -5, start: 12345 });
    }

    #[test]
    fn this_process_is_seen() {
        let own = rustix::process::getpid().as_raw_nonzero().get();
        assert!(pids().any(|pid| pid == own));
        let parent = rustix::process::getppid().map_or(0, |pid| pid.as_raw_nonzero().get());
        assert_eq!(stat(own).unwrap().parent, parent);
    }
}
