//! A child between its birth and its program, as its parent sees it.

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd, RawFd};
use std::sync::Arc;
use std::sync::atomic::AtomicI32;
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use super::child::Report;
use super::clone::Memory;
use super::plan::Plan;
use super::{clone, failure, input};
use crate::system::cgroup::Cgroup;
use crate::system::pidfd::Pidfd;
use crate::{Command, LaunchError, Output, OutputEnd, Station};

/// How long a child may take from its birth to its program. Slow disks are within it; a child that its user has stopped is not.
pub(super) const EXECUTE_WITHIN: Duration = Duration::from_secs(5);

/// A child that has still to become its program.
pub(super) struct Newborn {
    pub(super) born: Born,
    report: OwnedFd,
    /// Where its program must run; empty: anywhere.
    folder: String,
}

pub(super) struct Born {
    pub(super) pid: i32,
    pub(super) pidfd: Pidfd,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
    pub(super) ends: [OutputEnd; 2],
}

/// Where a child is born.
pub(super) enum Place {
    /// In the control group of its instance.
    In(Arc<Cgroup>),
    /// In one that is nobody's own.
    Above(OwnedFd),
    /// In ours; it enters its own through this.
    Enters(OwnedFd),
    /// In ours, and stays there.
    Anywhere,
}

impl Place {
    fn group(&self) -> Option<BorrowedFd<'_>> {
        match self {
            Place::In(group) => Some(group.as_fd()),
            Place::Above(group) => Some(group.as_fd()),
            Place::Enters(_) | Place::Anywhere => None,
        }
    }

    fn entrance(&self) -> Option<RawFd> {
        match self {
            Place::Enters(entrance) => Some(entrance.as_raw_fd()),
            Place::In(_) | Place::Above(_) | Place::Anywhere => None,
        }
    }
}

/// Our end of an output, and its own.
pub(super) type Outlet = (Output, OwnedFd);

/// Gives birth to a child. Its pidfd is in `pidfd` from its birth on, and it belongs to whoever is answered.
pub(super) fn bear(
    station: &Station,
    place: &Place,
    command: &Command,
    [stdout, stderr]: [Outlet; 2],
    memory: Memory,
    pidfd: &AtomicI32,
) -> Result<Newborn, LaunchError> {
    let busy = |source: io::Error| failure::busy("make pipes for", command, source);
    let plan = Plan::draw(station, command)?;
    let stdin = input::nothing().map_err(|source| failure::busy("open /dev/null for", command, source))?;
    let report = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| busy(errno.into()))?;
    let ends = [stdin, stdout.1.as_raw_fd(), stderr.1.as_raw_fd(), report.1.as_raw_fd()];
    let orders = plan.orders(ends, place.entrance());
    let (pid, pidfd) = clone::clone(&orders, place.group(), memory, pidfd)
        .map_err(|source| failure::clone(command, source))?;
    // The child's copy of the report's end is the last one from here on, or the pipe would not end when the program runs.
    let ends = [stdout.0.end_with(stdout.1), stderr.0.end_with(stderr.1)];
    let born = Born { pid, pidfd: Pidfd::new(pidfd), stdout: stdout.0, stderr: stderr.0, ends };
    Ok(Newborn { born, report: report.0, folder: plan.folder() })
}

/// Our ends of its standard output and error, and its own.
pub(super) fn outputs(command: &Command) -> Result<[Outlet; 2], LaunchError> {
    pipes_or_files(command).map_err(|source| failure::busy("make pipes for", command, source))
}

fn pipes_or_files(command: &Command) -> io::Result<[Outlet; 2]> {
    if let Some(keep) = &command.keep {
        match keep.outputs.create(&keep.label) {
            Ok(files) => return Ok(files),
            // What an agent prints is worth less than the agent: it runs also when the disk is full.
            Err(error) => tracing::warn!(
                agent = command.name, %error,
                "cannot make the files that a kept agent prints to; nothing of what it prints will be seen"
            ),
        }
        let nowhere = || -> io::Result<(Output, OwnedFd)> {
            let (output, _) = Output::pipe()?;
            Ok((output, OpenOptions::new().write(true).open("/dev/null")?.into()))
        };
        return Ok([nowhere()?, nowhere()?]);
    }
    Ok([Output::pipe()?, Output::pipe()?])
}

impl Newborn {
    /// Waits until its program runs, or it says why that does not.
    pub(super) async fn grown(self, command: &Command) -> Result<Born, LaunchError> {
        let Newborn { born, report, folder } = self;
        let report = match tokio::time::timeout(EXECUTE_WITHIN, listen(report)).await {
            Ok(None) => return Ok(born),
            Ok(Some(report)) => report,
            Err(_) => Report::late(),
        };
        bury(born.pidfd);
        Err(failure::explain(report, &folder, command))
    }
}

/// What the child has to say; `None`: nothing, its program runs.
async fn listen(report: OwnedFd) -> Option<Report> {
    let mut bytes = [0; Report::LENGTH];
    // A pipe hands out a write this small in one piece or not at all: pipe(7). Asked at once, because a child that shares our
    // memory has said it by now.
    let count = match rustix::io::read(&report, &mut bytes) {
        Ok(count) => count,
        Err(_) => Receiver::from_owned_fd_unchecked(report).ok()?.read(&mut bytes).await.unwrap_or(0),
    };
    (count == Report::LENGTH).then(|| Report::decode(bytes))
}

/// Ends a child that has no program, and waits for it aside, so that it is no zombie. That may take long: what a child does in
/// a file system of its user's own making is interrupted when that user likes.
pub(super) fn bury(child: Pidfd) {
    let _ = child.signal(Signal::KILL);
    let wait =
        |child: &Pidfd| waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    if let Ok(None) = wait(&child)
        && let Ok(child) = child.watched()
    {
        tokio::spawn(async move {
            // An error means that the runtime goes down, and this program with it.
            let _ = child.readable().await;
            let _ = wait(child.get_ref());
        });
    }
}
