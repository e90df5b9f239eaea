//! Starting a program.

use std::io;
use std::os::windows::io::{AsHandle as _, OwnedHandle};
use std::path::PathBuf;

use tokio::sync::Semaphore;

use super::create::{Birth, Console};
use super::image::Image;
use super::job::Job;
use super::output::{Output, nothing};
use super::refusal;
use crate::{Command, LaunchError, LaunchErrorKind, Process, Station};

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
}

/// Starts a program at a station, in a job of its own. Its standard input is empty; of our handles it inherits the ends of its
/// two outputs and nothing else. Needs a runtime.
pub async fn launch(station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    let refused = |source| refusal::launch(&command.program, source);
    let (stdout, stdout_writer) = Output::pair().map_err(refused)?;
    let (stderr, stderr_writer) = Output::pair().map_err(refused)?;
    let (station, command) = (station.clone(), command.clone());
    let program = command.program.clone();
    let process = aside(program, move || start(&station, &command, [stdout_writer, stderr_writer])).await?;
    Ok(Launched { process, stdout, stderr })
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

fn start(
    station: &Station,
    command: &Command,
    [stdout, stderr]: [OwnedHandle; 2],
) -> Result<Process, LaunchError> {
    let credentials = station.credentials(command)?;
    let mut image = Image::new(command, credentials.as_ref())?;
    if command.keep.is_some() {
        return Err(LaunchError::refused(
            "keep",
            command.program.display().to_string(),
            LaunchErrorKind::Wrong,
            "this build cannot let agents outlive the service on Windows; set on_service_stop = \"stop\"",
        ));
    }
    let refused = |source| refusal::launch(&command.program, source);
    let stdin = nothing().map_err(refused)?;
    let job = Job::new(command.leave_survivors).map_err(refused)?;
    let birth = Birth {
        image: &mut image,
        token: credentials.as_ref().map(|credentials| &credentials.token),
        standard: [stdin.as_handle(), stdout.as_handle(), stderr.as_handle()],
        keepsake: None,
        console: if command.console_window { Console::Window } else { Console::Hidden },
    };
    let (root, job) = birth.in_job(job, &command.name).map_err(refused)?;
    Process::new(root, job, None).map_err(refused)
}
