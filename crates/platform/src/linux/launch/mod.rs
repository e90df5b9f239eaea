//! Starting a process: one clone3(2), into its own control group, with a pidfd from birth.
//!
//! Everything that allocates happens before ([`plan`]); the child makes system calls only ([`child`]) and reports what failed
//! over a pipe that its successful execve(2) closes; [`failure`] says what that means.
//!
//! The child shares this program's memory until it executes where that is safe, which saves copying the page tables, or has a
//! copy ([`births`]).

mod births;
mod child;
mod clone;
mod dispositions;
mod failure;
mod heritage;
mod input;
mod newborn;
mod plan;
mod strings;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use self::newborn::Place;
use super::cgroup::{self, Cgroup};
use super::process::Kin;
use super::survivors;
use super::vacated::Vacated;
use crate::{Command, LaunchError, LaunchErrorKind, Output, OutputEnd, Process, Station, check_program};

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
/// parent-death signal is tied to it, or to another thread that lives as long as this program. Resolves when the program's first instruction is next.
///
/// The program ignores no signal: those that this one ignores are asked for at the first launch, so none may be added later.
///
/// The child is born at the first poll, or soon after it. The loop does not wait for it, because between its birth and its program
/// it may hang for as long as its user likes: stopped by a signal, or in a home folder on a file system of the user's own making.
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
    let place = match (&cgroup, entrance) {
        (Some(_), Some(entrance)) => Place::Enters(entrance),
        (Some(group), None) => Place::In(Arc::clone(group)),
        (None, _) => Place::Anywhere,
    };
    let newborn = births::bear(station, place, command).await?;
    let born = newborn.grown(command).await?;
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
    let newborn = match group {
        // Whatever keeps it from being born there does not keep it from being born.
        Some(group) => births::bear_here(station, &Place::Above(group), command)
            .or_else(|_| births::bear_here(station, &Place::Anywhere, command)),
        None => births::bear_here(station, &Place::Anywhere, command),
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

#[cfg(test)]
mod tests {
    use std::fs;

    use tokio::io::AsyncReadExt as _;

    use super::super::proc;
    use super::*;

    /// Runs a program that becomes what this program is already, at a station with this scope, and says which group it is in.
    async fn group_of_an_errand(scope: std::path::PathBuf) -> String {
        let station = Station::to_become_ourselves(|facts| facts.scope = Some(scope));
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
