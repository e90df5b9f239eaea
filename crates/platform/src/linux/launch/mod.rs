//! Starting a process: one clone3(2), into its own control group, with a pidfd from birth.
//!
//! Everything that allocates happens before ([`plan`]); the child makes system calls only ([`child`]) and reports what failed
//! over a pipe that its successful execve(2) closes; [`failure`] says what that means.
//!
//! The child shares this program's memory until it executes where that is safe, which saves copying the page tables: when it
//! stays the same user. A child that becomes another user gets a copy, because that user could stop it between the change and
//! the execution, and a parent that lends its memory sleeps until then.

mod child;
mod clone;
mod failure;
mod plan;

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::OFlags;
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};

use self::child::Report;
use self::plan::Plan;
use super::cgroup::Cgroup;
use super::pidfd::Pidfd;
use super::process::Kin;
use super::survivors;
use crate::{Command, LaunchError, LaunchErrorKind, Output, Process, Station, check_program};

/// How long a child may take from its birth to its program. Slow disks are within it; a child that its user has stopped is not.
const EXECUTE_WITHIN: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// A started program.
pub struct Launched {
    /// The process.
    pub process: Process,
    /// What it writes to its standard output.
    pub stdout: Output,
    /// What it writes to its standard error.
    pub stderr: Output,
}

/// Starts a program at a station. Called on the thread of the loop, which must live as long as the program may: the
/// parent-death signal is tied to it. Returns when the program's first instruction is next.
pub fn launch(station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    let facts = station.facts();
    if facts.become_user.is_some() {
        check_program(&command.program, command.trust_writable_program)?;
    }
    if facts
        .become_user
        .as_ref()
        .is_some_and(|user| user.leader.as_ref().is_some_and(|leader| leader.is_dead()))
    {
        return Err(LaunchError::refused(
            "start a program for",
            facts.user.clone(),
            LaunchErrorKind::Gone,
            "their session has ended",
        ));
    }
    if !facts.environment_known {
        return Err(LaunchError::refused(
            "start a program for",
            facts.user.clone(),
            LaunchErrorKind::NotReady,
            "the environment of their session is not known yet",
        ));
    }
    let plan = Plan::draw(station, command)?;
    let cgroup = birthplace(station, command)?;
    let born = bear(&plan, cgroup.as_ref(), command)?;
    let watch = |source| failure::busy("watch", command, source);
    Ok(Launched {
        process: Process::new(born.pid, born.pidfd, cgroup, Kin::of(command)).map_err(watch)?,
        stdout: Output::new(born.stdout).map_err(watch)?,
        stderr: Output::new(born.stderr).map_err(watch)?,
    })
}

/// Starts a program for this crate's own errands at a station, without its own group, and hands out what it writes.
pub(super) fn run(station: &Station, command: &Command) -> Result<(Process, Output), LaunchError> {
    let plan = Plan::draw(station, command)?;
    let born = bear(&plan, None, command)?;
    let watch = |source| failure::busy("watch", command, source);
    let process = Process::new(born.pid, born.pidfd, None, Kin::of(command)).map_err(watch)?;
    Ok((process, Output::new(born.stdout).map_err(watch)?))
}

/// The group that the process is born in. Where there can be none, it is told by process group and descent.
fn birthplace(station: &Station, command: &Command) -> Result<Option<Cgroup>, LaunchError> {
    static WARNED: AtomicBool = AtomicBool::new(false);

    let facts = station.facts();
    let why = match &facts.scope {
        None => "no control group of version 2 is at this program's disposal".to_owned(),
        Some(scope) => match Cgroup::create(scope, &command.name) {
            Ok(group) => return Ok(Some(group)),
            Err(source) if source.kind() == io::ErrorKind::NotFound && facts.become_user.is_some() => {
                let subject = scope.display().to_string();
                let gone =
                    LaunchError::system("enter the control group", subject, LaunchErrorKind::Gone, source);
                return Err(gone.with_advice("the session has ended"));
            }
            Err(error) => format!("cannot make a control group in {}: {error}", scope.display()),
        },
    };
    if !WARNED.swap(true, Ordering::Relaxed) {
        tracing::warn!(%why, "agents are kept together by process group and descent");
    }
    survivors::adopt_orphans();
    Ok(None)
}

struct Born {
    pid: i32,
    pidfd: Pidfd,
    stdout: OwnedFd,
    stderr: OwnedFd,
}

/// Gives birth and waits until the program runs or the child says why it does not.
fn bear(plan: &Plan, cgroup: Option<&Cgroup>, command: &Command) -> Result<Born, LaunchError> {
    let pipe = || {
        pipe_with(PipeFlags::CLOEXEC).map_err(|errno| failure::busy("make pipes for", command, errno.into()))
    };
    let (stdout, stderr, report) = (pipe()?, pipe()?, pipe()?);
    for ours in [&stdout.0, &stderr.0] {
        // A property of this end: the program's own end blocks, as programs expect.
        rustix::fs::fcntl_setfl(ours, OFlags::NONBLOCK)
            .map_err(|errno| failure::busy("make pipes for", command, errno.into()))?;
    }
    let orders = plan.orders([stdout.1.as_raw_fd(), stderr.1.as_raw_fd(), report.1.as_raw_fd()]);
    let group = cgroup.map(|group| group.as_fd());
    let (pid, pidfd) = clone::clone(&orders, group, !plan.becomes_other())
        .map_err(|source| failure::clone(command, source))?;
    let pidfd = Pidfd::new(pidfd);
    // The child's copy must be the last one, or the pipe would not end when the program runs.
    drop(report.1);
    if let Some(report) = listen(report.0, &pidfd) {
        // It has ended or is ending; waited for, so that it is no zombie.
        let _ = waitid(WaitId::PidFd(pidfd.as_fd()), WaitIdOptions::EXITED);
        return Err(failure::explain(report, plan, command));
    }
    Ok(Born { pid, pidfd, stdout: stdout.0, stderr: stderr.0 })
}

/// What the child has to say; `None`: nothing, its program runs.
fn listen(report: OwnedFd, child: &Pidfd) -> Option<Report> {
    let mut fds = [PollFd::new(&report, PollFlags::IN)];
    if let Ok(0) = poll(&mut fds, Some(&EXECUTE_WITHIN)) {
        let _ = child.signal(Signal::KILL);
        return Some(Report::late());
    }
    let mut bytes = [0; Report::LENGTH];
    // A pipe hands out a write this small in one piece or not at all: pipe(7).
    let count = rustix::io::retry_on_intr(|| rustix::io::read(&report, &mut bytes)).unwrap_or(0);
    (count == Report::LENGTH).then(|| Report::decode(bytes))
}
