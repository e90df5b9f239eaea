//! Starting a program.

use std::ffi::OsStr;
use std::os::windows::ffi::OsStrExt as _;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};
use std::path::{Path, PathBuf};
use std::{io, ptr};

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED, HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_NO_WINDOW, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessW,
    EXTENDED_STARTUPINFO_PRESENT, PROCESS_INFORMATION, ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOEXW,
    TerminateProcess,
};

use super::attributes::Attributes;
use super::environment::{self, Units};
use super::handle::{owned, succeeded};
use super::job::Job;
use super::output::{Output, nothing};
use super::stream::is;
use super::wide::wide;
use super::{polite, program, quoting, refusal};
use crate::{Command, LaunchError, LaunchErrorKind, Process, Station};

/// `CreateProcessW`: the command line has at most 32,767 characters, its end marker included.
const COMMAND_LINE_LENGTH_MAX: usize = 32_767;

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
/// two outputs and nothing else.
pub async fn launch(station: &Station, command: &Command) -> Result<Launched, LaunchError> {
    let path = &command.program;
    if station.credentials(command)?.is_some() {
        let advice = "programs of other users are not started yet";
        return Err(LaunchError::refused(
            "execute",
            path.display().to_string(),
            LaunchErrorKind::Wrong,
            advice,
        ));
    }
    program::examine(path, command.trust_writable_program)?;
    if command.keep.is_some() {
        return Err(LaunchError::refused(
            "keep",
            path.display().to_string(),
            LaunchErrorKind::Wrong,
            "this build cannot let agents outlive the service on Windows; set on_service_stop = \"stop\"",
        ));
    }
    let mut image = Image::new(command)?;
    let refused = |source| refusal::launch(path, source);
    let stdin = nothing().map_err(refused)?;
    let (stdout, stdout_writer) = Output::pair().map_err(refused)?;
    let (stderr, stderr_writer) = Output::pair().map_err(refused)?;
    let standard = [&stdin, &stdout_writer, &stderr_writer].map(|handle| handle.as_raw_handle());
    let (child, job) = start(&mut image, standard, command).map_err(refused)?;
    let process = Process::new(child.process, child.pid, job).map_err(refused)?;
    Ok(Launched { process, stdout, stderr })
}

/// What is the same for every try to create the process.
struct Image {
    program: Units,
    command_line: Units,
    environment: Units,
    cwd: Option<Units>,
}

impl Image {
    fn new(command: &Command) -> Result<Image, LaunchError> {
        let path = command.program.display().to_string();
        let refused =
            |advice: &str| LaunchError::refused("execute", path.clone(), LaunchErrorKind::Wrong, advice);
        let program = command
            .program
            .to_str()
            .ok_or_else(|| refused("its path is not Unicode; give it another name"))?;
        let cwd = command.cwd.clone().or_else(|| std::env::var_os("USERPROFILE").map(PathBuf::from));
        let texts = command.args.iter().map(String::as_str).chain([program]);
        if texts.chain(cwd.as_deref().and_then(Path::to_str)).any(|text| text.contains('\0')) {
            return Err(refused(
                "its path, an argument or its working directory holds a zero character; remove it",
            ));
        }
        let command_line = wide(quoting::command_line(program, command.args.iter().map(String::as_str)));
        if command_line.len() > COMMAND_LINE_LENGTH_MAX {
            return Err(refused(
                "its arguments are longer than the 32,766 characters that Windows passes on; shorten them",
            ));
        }
        if let Some((name, _)) = command.env.iter().find(|(name, value)| !environment::is_sound(name, value))
        {
            let advice = format!(
                "the variable {name:?} of its environment cannot be passed on: correct its name or value"
            );
            return Err(refused(&advice));
        }
        Ok(Image {
            program: wide(program::for_launch(&command.program)),
            command_line,
            environment: environment_of(command),
            cwd: cwd.map(wide),
        })
    }
}

/// Our own environment, which in a console is the user's, with the command's over it.
fn environment_of(command: &Command) -> Units {
    let units = |text: &OsStr| text.encode_wide().collect::<Units>();
    let own = std::env::vars_os().map(|(name, value)| (units(&name), units(&value)));
    let added = command.env.iter().map(|(name, value)| (units(OsStr::new(name)), units(OsStr::new(value))));
    environment::block(own.chain(added))
}

/// Creates the process in a job; where the host refuses that, without one.
fn start(image: &mut Image, standard: [HANDLE; 3], command: &Command) -> io::Result<(Child, Option<Job>)> {
    let job = Job::new(!command.leave_survivors)?;
    let refusal = match create(image, standard, Some(&job), 0) {
        Ok(child) => return Ok((child, Some(job))),
        Err(error) if may_be_about_the_job(&error) => error,
        Err(error) => return Err(error),
    };
    // Was it the job or the program? Without a job the answer is about the program alone.
    let child = create(image, standard, None, CREATE_SUSPENDED).map_err(|_| refusal)?;
    let assigned = job.assign(child.process.as_handle());
    child.resume()?;
    match assigned {
        Ok(()) => Ok((child, Some(job))),
        Err(error) => {
            tracing::warn!(
                agent = command.name, pid = child.pid, %error,
                "this host refuses job objects: processes that this agent leaves behind cannot be ended"
            );
            Ok((child, None))
        }
    }
}

fn may_be_about_the_job(error: &io::Error) -> bool {
    [ERROR_ACCESS_DENIED, ERROR_NOT_SUPPORTED, ERROR_INVALID_PARAMETER, ERROR_CALL_NOT_IMPLEMENTED]
        .into_iter()
        .any(|code| is(error, code))
}

struct Child {
    process: OwnedHandle,
    thread: OwnedHandle,
    pid: u32,
}

impl Child {
    fn resume(&self) -> io::Result<()> {
        // SAFETY: the thread's handle is alive and ours.
        if (unsafe { ResumeThread(self.thread.as_raw_handle()) }) != u32::MAX {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        // A process that never ran is not left behind.
        // SAFETY: the process's handle is alive and ours.
        unsafe { TerminateProcess(self.process.as_raw_handle(), 1) };
        Err(error)
    }
}

fn create(image: &mut Image, standard: [HANDLE; 3], job: Option<&Job>, flags: u32) -> io::Result<Child> {
    let mut attributes = Attributes::new(standard.to_vec(), job.map(Job::raw))?;
    let mut startup = STARTUPINFOEXW::default();
    startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
    startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
    [startup.StartupInfo.hStdInput, startup.StartupInfo.hStdOutput, startup.StartupInfo.hStdError] = standard;
    startup.lpAttributeList = attributes.as_mut_ptr();
    // A group of its own: our Ctrl-C is not its, and it can be sent a Ctrl-Break.
    let flags = flags | CREATE_NEW_PROCESS_GROUP | CREATE_UNICODE_ENVIRONMENT | EXTENDED_STARTUPINFO_PRESENT;
    let flags = if polite::has_console() { flags } else { flags | CREATE_NO_WINDOW };
    let mut created = PROCESS_INFORMATION::default();
    // SAFETY: all strings have their end markers, the command line may be written, the environment is a block of UTF-16 with both end
    // markers, the start-up information is of the extended kind, as the flag says, and its attributes outlive the call.
    succeeded(unsafe {
        CreateProcessW(
            image.program.as_ptr(),
            image.command_line.as_mut_ptr(),
            ptr::null(),
            ptr::null(),
            1,
            flags,
            image.environment.as_ptr().cast(),
            image.cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr()),
            &raw const startup.StartupInfo,
            &mut created,
        )
    })?;
    let (process, thread) = (owned(created.hProcess)?, owned(created.hThread)?);
    Ok(Child { process, thread, pid: created.dwProcessId })
}
