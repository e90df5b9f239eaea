//! Processes of an earlier life of this program.
//!
//! A pid and a start time name one process in one boot of the machine. Where it was born in a control group, that group holds
//! whatever it started; where there was none, the mark in its environment tells what is its.

use std::collections::{BTreeSet, HashSet};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::OnceLock;
use std::{fs, iter};

use rustix::process::Signal;

use super::cgroup::Cgroup;
use super::pidfd::Pidfd;
use super::{proc, survivors};
use crate::{Command, LAUNCH_VARIABLE, Process, ProcessRecord, Root, Station};

/// How often all processes are gone through before those that are looked for are said to fork too fast.
const ROUNDS_MAX: usize = 32;

/// The boot that this is: random(4).
pub(crate) fn boot() -> String {
    static BOOT: OnceLock<String> = OnceLock::new();
    let read = || fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    BOOT.get_or_init(|| read().trim().to_owned()).clone()
}

/// The control group that a process will be born in.
pub(crate) fn group(station: &Station, command: &Command) -> Option<String> {
    station.facts().scope.as_ref().map(|scope| scope.join(&command.name).display().to_string())
}

/// A record of whatever lives in this group.
pub(super) fn of_group(folder: &Path) -> ProcessRecord {
    let group = Some(folder.display().to_string());
    ProcessRecord { root: None, boot: boot(), group, mark: String::new() }
}

/// Records of what was started by launches whose marks begin like this, each with the rest of its mark.
pub(super) fn marked_with(prefix: &str) -> Vec<(String, ProcessRecord)> {
    let wanted = format!("{LAUNCH_VARIABLE}={prefix}");
    let mut marks = BTreeSet::new();
    for pid in others() {
        let environment = proc::environment(pid);
        let rests =
            environment.split(|byte| *byte == 0).filter_map(|one| one.strip_prefix(wanted.as_bytes()));
        marks.extend(rests.map(|rest| String::from_utf8_lossy(rest).into_owned()));
    }
    let record = |rest: &String| ProcessRecord {
        root: None,
        boot: boot(),
        group: None,
        mark: format!("{prefix}{rest}"),
    };
    marks.into_iter().map(|rest| (rest.clone(), record(&rest))).collect()
}

/// A record of a process that was just born.
pub(super) fn of_newborn(pid: i32, group: Option<&Cgroup>, mark: &str) -> io::Result<ProcessRecord> {
    let root = Some(Root { pid: pid.unsigned_abs(), start: proc::stat(pid)?.start });
    let group = group.map(|group| group.path().display().to_string());
    Ok(ProcessRecord { root, boot: boot(), group, mark: mark.to_owned() })
}

pub(crate) fn adopt(record: &ProcessRecord) -> io::Result<Option<Process>> {
    let Some((pid, pidfd)) = root_of(record)? else { return Ok(None) };
    if pidfd.has_ended() {
        return Ok(None);
    }
    let group = match &record.group {
        None => None,
        Some(folder) => match Cgroup::open(Path::new(folder)) {
            Ok(group) if group.holds(pid) => Some(group),
            // It lives, but elsewhere: whoever moved it can have started it anew, and nothing would hold what it starts.
            Ok(_) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        },
    };
    Process::adopted(pid, pidfd, group, record.clone()).map(Some)
}

pub(crate) fn sweep(record: &ProcessRecord) -> io::Result<usize> {
    let mut killed = 0;
    if let Some((_, root)) = root_of(record)?.filter(|(_, root)| !root.has_ended()) {
        root.signal(Signal::KILL)?;
        killed += usize::from(record.group.is_none());
    }
    if record.boot != boot() {
        return Ok(0);
    }
    let Some(folder) = &record.group else { return kill_marked(&record.mark).map(|more| killed + more) };
    match Cgroup::open(Path::new(folder)) {
        Ok(group) => group.clear(),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(killed),
        Err(error) => Err(error),
    }
}

pub(crate) fn release(record: &ProcessRecord) -> io::Result<()> {
    if let Some((_, root)) = root_of(record)? {
        root.signal(Signal::KILL)?;
    }
    match record.group.as_deref().map(|folder| Cgroup::open(Path::new(folder))) {
        Some(Ok(group)) if record.boot == boot() => group.release(),
        Some(Err(error)) if error.kind() != ErrorKind::NotFound => Err(error),
        Some(_) | None => Ok(()),
    }
}

/// The root process, if it is there, alive or not.
fn root_of(record: &ProcessRecord) -> io::Result<Option<(i32, Pidfd)>> {
    let Some(Root { pid, start }) = record.root.filter(|_| record.boot == boot()) else { return Ok(None) };
    let pid = pid.cast_signed();
    match Pidfd::open_verified(pid, start) {
        Ok(pidfd) => Ok(Some((pid, pidfd))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Every process but this one, which somebody can have started from within an agent.
fn others() -> impl Iterator<Item = i32> {
    let own = std::process::id().cast_signed();
    proc::pids().filter(move |pid| *pid != own)
}

/// Kills every process whose environment has the mark, again until a look finds no more of them.
fn kill_marked(mark: &str) -> io::Result<usize> {
    let mut killed = HashSet::new();
    let variable = format!("{LAUNCH_VARIABLE}={mark}");
    if mark.is_empty() {
        return Ok(0);
    }
    for _ in 0..ROUNDS_MAX {
        let before = killed.len();
        for pid in others() {
            let Ok(stat) = proc::stat(pid) else { continue };
            if stat.is_zombie() || !survivors::is_marked(pid, iter::once(variable.as_bytes())) {
                continue;
            }
            let Ok(process) = Pidfd::open_verified(pid, stat.start) else { continue };
            process.signal(Signal::KILL)?;
            killed.insert((pid, stat.start));
        }
        if killed.len() == before {
            return Ok(killed.len());
        }
    }
    Err(io::Error::other(format!("processes with {variable} fork faster than they can be killed")))
}
