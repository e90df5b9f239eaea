//! Starting a program.

use std::io;
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::path::PathBuf;

use tokio::sync::Semaphore;

use super::create::{Birth, Console};
use super::credentials::Desktop;
use super::image::Image;
use super::job::Job;
use super::pipe_reader::{disinherit, nothing};
use super::process::KILLED;
use super::{keep, refusal};
use crate::{Command, LaunchError, Output, OutputEnd, Process, Station};

/// How many processes are created at once. Each takes a thread, and more would only wait for one another.
const CREATED_AT_ONCE_MAX: usize = 8;
static CREATING: Semaphore = Semaphore::const_new(CREATED_AT_ONCE_MAX);

/// A program that was started.
pub struct Launched {
    /// It and all that it starts.
    pub process: Process,
    /// What it writes to its standard output.
    pub stdout: Output,
    /// What it writes to its standard error.
    pub stderr: Output,
    /// For saying that it has ended, to either.
    pub ends: [OutputEnd; 2],
}

/// Where a process lived that has ended: nowhere, since every job is a new one.
pub struct Vacated(());

/// Starts a program as [`launch`] does.
pub async fn relaunch(station: &Station, command: &Command, _: Vacated) -> Result<Launched, LaunchError> {
    launch(station, command).await
}

/// Starts a program at a station, in a job of its own. Its standard input is empty; of our handles it inherits the ends of its
/// two outputs and nothing else. Needs a runtime.
pub async fn launch(station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    let refused = |source| refusal::launch(&command.program, source);
    let [(stdout, stdout_writer), (stderr, stderr_writer)] = outputs(command).map_err(refused)?;
    let writers = [stdout_writer, stderr_writer];
    let (station, command) = (station.clone(), command.clone());
    let program = command.program.clone();
    let started = move || {
        let process = start(&station, &command, &writers)?;
        writers
            .iter()
            .try_for_each(disinherit)
            .map_err(|source| refusal::launch(&command.program, source))?;
        Ok((process, writers))
    };
    let (process, [stdout_writer, stderr_writer]) = aside(program, started).await?;
    let ends = [stdout.end_with(stdout_writer), stderr.end_with(stderr_writer)];
    Ok(Launched { process, stdout, stderr, ends })
}

/// Does it on a thread of its own: a virus scanner looks at the program first, and a disk or a domain may be slow, and nobody
/// else has to wait for that.
pub(super) async fn aside<T: Send + 'static>(
    program: PathBuf,
    work: impl FnOnce() -> Result<T, LaunchError> + Send + 'static,
) -> Result<T, LaunchError> {
    let _turn = CREATING.acquire().await.expect("it is never closed");
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(refusal::launch(&program, io::Error::other(error))))
}

/// Our ends of what it prints, and its own.
fn outputs(command: &Command) -> io::Result<[(Output, OwnedHandle); 2]> {
    match &command.keep {
        Some(keep) => keep.outputs.create(&keep.label),
        None => Ok([Output::pipe()?, Output::pipe()?]),
    }
}

fn start(
    station: &Station,
    command: &Command,
    [stdout, stderr]: &[OwnedHandle; 2],
) -> Result<Process, LaunchError> {
    let credentials = station.credentials(command)?;
    let mut image = Image::new(command, credentials.as_ref())?;
    let refused = |source| refusal::launch(&command.program, source);
    let stdin = nothing().map_err(refused)?;
    let name = keep::group(station, command);
    let job = match &name {
        Some(name) => Job::named(name, command.leave_survivors),
        None => Job::new(command.leave_survivors),
    };
    let job = job.map_err(refused)?;
    let keepsake = name.as_ref().map(|_| job.keepsake()).transpose().map_err(refused)?;
    let birth = Birth {
        image: &mut image,
        token: credentials.as_ref().map(|credentials| &credentials.token),
        desktop: credentials.as_ref().map_or(Desktop::Interactive, |credentials| credentials.desktop),
        standard: [stdin.as_handle(), stdout.as_handle(), stderr.as_handle()],
        keepsake: keepsake.as_ref().map(|keepsake| keepsake.as_handle()),
        console: if command.console_window { Console::Window } else { Console::Hidden },
    };
    let (root, job) = birth.in_job(job, &command.name).map_err(refused)?;
    let record = match &command.keep {
        Some(_) => keep::of_newborn(&root, job.as_ref().and(name), command.mark()).map(Some),
        None => Ok(None),
    };
    let record = record.inspect_err(|_| {
        // It could never be found again; and there is an error to report already.
        let _ = root.terminate(KILLED);
    });
    Process::new(root, job, record.map_err(refused)?).map_err(refused)
}
