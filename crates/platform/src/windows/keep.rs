//! What lets a process outlive this program: named jobs.
//!
//! The name is that of one launch, with a random part, so that nobody can make a job of that name beforehand, and nobody but the
//! service's own user may open it. The pid and the time of its creation mean one process for all time.

use std::io::{self, ErrorKind};

use super::is_privileged;
use super::job::Job;
use super::kin;
use super::process::KILLED;
use super::root::Root;
use crate::{Command, Process, ProcessRecord, Station};

/// The boot that a record belongs to: not needed here, because the creation time of a process is an absolute time.
pub(crate) fn boot() -> String {
    String::new()
}

/// The name of the job that a process will be born in.
pub(crate) fn group(_station: &Station, command: &Command) -> Option<String> {
    // Names belong to a session, but for those of this folder, which all of them see: what a service makes is not lost with
    // the session that it happens to be in.
    let folder = if is_privileged() { r"Global\" } else { "" };
    command.keep.as_ref().map(|keep| format!("{folder}bilayer-{}", keep.label))
}

/// A record of a process that was just born. `group`: the name of the job that it is in.
pub(super) fn of_newborn(root: &Root, group: Option<String>, mark: &str) -> io::Result<ProcessRecord> {
    let start = root.created()?;
    let root = Some(crate::Root { pid: root.pid(), start });
    Ok(ProcessRecord { root, boot: boot(), group, mark: mark.to_owned() })
}

pub(crate) fn adopt(record: &ProcessRecord) -> io::Result<Option<Process>> {
    let Some(root) = root_of(record)?.filter(|root| !root.has_ended()) else { return Ok(None) };
    let job = match &record.group {
        None => None,
        Some(name) => match Job::open(name)? {
            Some(job) if job.contains(root.handle())? => Some(job),
            // It lives, but not in its job: nothing would hold what it starts.
            _ => return Ok(None),
        },
    };
    Process::new(root, job, Some(record.clone())).map(Some)
}

pub(crate) fn sweep(record: &ProcessRecord) -> io::Result<usize> {
    let root = root_of(record)?;
    let job = record.group.as_deref().map_or(Ok(None), Job::open)?;
    // While the root is there, it still shows what it started where no job holds that: with the name of the job, which
    // the root keeps, the job itself is out of reach.
    let strays = match (&root, &job) {
        (Some(root), None) => kin::descendants(root)?,
        _ => Vec::new(),
    };
    let mut killed = 0;
    if let Some(job) = job {
        killed += job.count()?;
        job.terminate(KILLED)?;
    }
    for process in strays.into_iter().chain(root).filter(|process| !process.has_ended()) {
        process.terminate(KILLED)?;
        killed += 1;
    }
    Ok(killed)
}

/// What is left needs nothing more: a job that has a name ends nothing by its own end.
pub(crate) fn release(_record: &ProcessRecord) -> io::Result<()> {
    Ok(())
}

/// The root process of a record, alive or held open by somebody, if its id still means it.
fn root_of(record: &ProcessRecord) -> io::Result<Option<Root>> {
    let Some(known) = record.root else { return Ok(None) };
    let root = match Root::open(known.pid) {
        Ok(root) => root,
        // This user may open what it started; so this is another's by now.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
        Err(error) => return Err(error),
    };
    match root {
        Some(root) if root.created()? == known.start => Ok(Some(root)),
        _ => Ok(None),
    }
}
