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
mod dispositions;
mod failure;
mod heritage;
mod input;
mod plan;
mod strings;

use std::fs::OpenOptions;
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe::Receiver;

use self::child::Report;
use self::plan::Plan;
use super::cgroup::{self, Cgroup};
use super::pidfd::Pidfd;
use super::process::Kin;
use super::survivors;
use super::vacated::Vacated;
use crate::{Command, LaunchError, LaunchErrorKind, Output, OutputEnd, Process, Station, check_program};

/// How long a child may take from its birth to its program. Slow disks are within it; a child that its user has stopped is not.
const EXECUTE_WITHIN: Duration = Duration::from_secs(5);

/// A started program.
pub struct Launched {
    /// The process.
    pub process: Process,
    /// What it writes to its standard output.
    pub stdout: Output,
    /// What it writes to its standard error.
    pub stderr: Output,
    /// For saying that it has ended, to either.
    pub ends: [OutputEnd; 2],
}

/// Starts a program at a station. Called on the thread of the loop, which must live as long as the program may: the
/// parent-death signal is tied to it. Resolves when the program's first instruction is next.
///
/// The program ignores no signal: those that this one ignores are asked for at the first launch, so none may be added later.
///
/// The child is born at the first poll. Waiting for it takes no thread, because between its birth and its program it may hang
/// for as long as its user likes: stopped by a signal, or in a home folder on a file system of the user's own making.
pub async fn launch(station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    begin(station, command, None).await
}

/// Starts a program as [`launch`] does, in the place of one that has ended, if it is to run where that ran.
pub async fn relaunch(
    station: &Station,
    command: &Command,
    vacated: Vacated,
) -> Result<Launched, LaunchError> {
    begin(station, command, Some(vacated)).await
}

async fn begin(
    station: &Station,
    command: &Command,
    vacated: Option<Vacated>,
) -> Result<Launched, LaunchError> {
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
    station.ready()?;
    let cgroup = birthplace(station, command, vacated)?;
    let enter = |source| failure::busy("enter the control group of", command, source);
    let entrance = cgroup.as_deref().map(Cgroup::entrance).transpose().map_err(enter)?.flatten();
    let place = match (&cgroup, &entrance) {
        (Some(_), Some(entrance)) => Place::Enters(entrance.as_fd()),
        (Some(group), None) => Place::In(group.as_fd()),
        (None, _) => Place::Anywhere,
    };
    let born = bear(station, place, command)?.grown(command).await?;
    station.note_launch();
    let watch = |source| failure::busy("watch", command, source);
    Ok(Launched {
        process: Process::new(born.pid, born.pidfd, cgroup, Kin::of(command)).map_err(watch)?,
        stdout: born.stdout,
        stderr: born.stderr,
        ends: born.ends,
    })
}

/// Starts a program for this crate's own errands at a station, without a group of its own, and hands out what it writes. What
/// becomes another user is born among that user's processes where that can be, so that it counts to their limits and not to
/// the service's.
pub(super) async fn run(station: &Station, command: &Command) -> Result<(Process, Output), LaunchError> {
    let scope = station.facts().scope.as_deref().filter(|_| station.facts().become_user.is_some());
    let group = scope.and_then(|scope| cgroup::open(scope).ok());
    let newborn = match &group {
        // Whatever keeps it from being born there does not keep it from being born.
        Some(group) => bear(station, Place::In(group.as_fd()), command)
            .or_else(|_| bear(station, Place::Anywhere, command)),
        None => bear(station, Place::Anywhere, command),
    };
    let born = newborn?.grown(command).await?;
    let watch = |source| failure::busy("watch", command, source);
    let process = Process::new(born.pid, born.pidfd, None, Kin::of(command)).map_err(watch)?;
    Ok((process, born.stdout))
}

/// The group that the process is born in. Where there can be none, it is told by process group and descent.
fn birthplace(
    station: &Station,
    command: &Command,
    vacated: Option<Vacated>,
) -> Result<Option<Arc<Cgroup>>, LaunchError> {
    static WARNED: AtomicBool = AtomicBool::new(false);

    let facts = station.facts();
    let why = match &facts.scope {
        None => "no control group of version 2 is at this program's disposal".to_owned(),
        Some(scope) => match Vacated::or_new(vacated, scope, &command.name) {
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

/// A child that has still to become its program.
struct Newborn {
    born: Born,
    report: OwnedFd,
    /// Where its program must run; empty: anywhere.
    folder: String,
}

struct Born {
    pid: i32,
    pidfd: Pidfd,
    stdout: Output,
    stderr: Output,
    ends: [OutputEnd; 2],
}

/// Where a child is born.
#[derive(Clone, Copy)]
enum Place<'a> {
    /// In this control group.
    In(BorrowedFd<'a>),
    /// In ours; it enters its own through this.
    Enters(BorrowedFd<'a>),
    /// In ours, and stays there.
    Anywhere,
}

fn bear(station: &Station, place: Place<'_>, command: &Command) -> Result<Newborn, LaunchError> {
    let busy = |source: io::Error| failure::busy("make pipes for", command, source);
    let plan = Plan::draw(station, command)?;
    let stdin = input::nothing().map_err(|source| failure::busy("open /dev/null for", command, source))?;
    let report = pipe_with(PipeFlags::CLOEXEC | PipeFlags::NONBLOCK).map_err(|errno| busy(errno.into()))?;
    let [stdout, stderr] = outputs(command).map_err(busy)?;
    let (group, entrance) = match place {
        Place::In(group) => (Some(group), None),
        Place::Enters(entrance) => (None, Some(entrance.as_raw_fd())),
        Place::Anywhere => (None, None),
    };
    let ends = [stdin, stdout.1.as_raw_fd(), stderr.1.as_raw_fd(), report.1.as_raw_fd()];
    let orders = plan.orders(ends, entrance);
    let (pid, pidfd) = clone::clone(&orders, group, !plan.becomes_other())
        .map_err(|source| failure::clone(command, source))?;
    // The child's copy of the report's end is the last one from here on, or the pipe would not end when the program runs.
    let ends = [stdout.0.end_with(stdout.1), stderr.0.end_with(stderr.1)];
    let born = Born { pid, pidfd: Pidfd::new(pidfd), stdout: stdout.0, stderr: stderr.0, ends };
    Ok(Newborn { born, report: report.0, folder: plan.folder() })
}

/// Our ends of its standard output and error, and its own.
fn outputs(command: &Command) -> io::Result<[(Output, OwnedFd); 2]> {
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
    async fn grown(self, command: &Command) -> Result<Born, LaunchError> {
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
fn bury(child: Pidfd) {
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::station::{BecomeUser, Facts};
    use super::super::{login::Login, proc};
    use super::*;

    /// Runs a program that becomes what this program is already, at a station with this scope, and says which group it is in.
    async fn group_of_an_errand(scope: std::path::PathBuf) -> String {
        let own = Station::own();
        let groups = rustix::process::getgroups().unwrap();
        let station = Station::new(Facts {
            user: "root".into(),
            uid: own.uid(),
            gid: own.facts().gid,
            become_user: Some(BecomeUser {
                groups: groups.into_iter().map(|gid| gid.as_raw()).collect(),
                login: Login::default(),
                leader: None,
            }),
            environment: own.facts().environment.clone(),
            environment_known: true,
            scope: Some(scope),
            relaunches: None,
        });
        let command = Command {
            args: vec!["/proc/self/cgroup".into()],
            cwd: Some("/".into()),
            trust_writable_program: true,
            ..Command::new("/bin/cat", "")
        };
        let (process, mut output) = run(&station, &command).await.unwrap();
        let mut text = String::new();
        output.read_to_string(&mut text).await.unwrap();
        process.exited().await;
        text.lines().find_map(|line| line.strip_prefix("0::")).unwrap_or_default().to_owned()
    }

    /// Only root may become anybody, and only with the unified hierarchy are there scopes.
    #[tokio::test]
    async fn an_errand_is_born_in_the_scope_or_else_anywhere() {
        if !crate::is_privileged() || !cgroup::is_unified() {
            return;
        }
        let own = proc::control_group(std::process::id().cast_signed()).unwrap();
        assert_eq!(group_of_an_errand("/nowhere".into()).await, own);
        // A folder that is no group.
        assert_eq!(group_of_an_errand(std::env::temp_dir()).await, own);
        let name = format!("bilayer-errand-{}", std::process::id());
        let scope = cgroup::folder_of(&name);
        if fs::create_dir(&scope).is_ok() {
            let found = group_of_an_errand(scope.clone()).await;
            fs::remove_dir(&scope).unwrap();
            assert_eq!(found, format!("/{name}"));
        }
    }
}
