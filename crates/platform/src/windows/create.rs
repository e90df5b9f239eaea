//! The call that creates a process, and what is tried where a host refuses a job.

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_PARAMETER, ERROR_NOT_SUPPORTED, HANDLE,
};
use windows_sys::Win32::System::Threading::{
    CREATE_BREAKAWAY_FROM_JOB, CREATE_DEFAULT_ERROR_MODE, CREATE_NEW_CONSOLE, CREATE_NEW_PROCESS_GROUP,
    CREATE_NO_WINDOW, CREATE_SUSPENDED, CREATE_UNICODE_ENVIRONMENT, CreateProcessAsUserW, CreateProcessW,
    DETACHED_PROCESS, EXTENDED_STARTUPINFO_PRESENT, PROCESS_CREATION_FLAGS, PROCESS_INFORMATION,
    ResumeThread, STARTF_USESTDHANDLES, STARTUPINFOEXW,
};

use windows_sys::core::BOOL;

use super::attributes::Attributes;
use super::credentials::{Desktop, PrimaryToken};
use super::handle::{owned, succeeded};
use super::image::Image;
use super::job::Job;
use super::root::Root;
use super::stream::is;
use super::wide::wide;

/// The exit code of a process that never ran.
const NEVER_RAN: u32 = 1;

/// The desktop that people see: that of the session whose token the process gets.
const INTERACTIVE: &str = r"winsta0\default";

/// An empty name has the system find or make a window station for the logon: `STARTUPINFOW`.
const UNSEEN: &str = "";

/// All that a process is born with.
pub(super) struct Birth<'a> {
    pub(super) image: &'a mut Image,
    /// Whose process it becomes; `None`: this program's own user's, in its own session.
    pub(super) token: Option<&'a PrimaryToken>,
    /// Where its windows are, if it has a token. Without one they are where ours are.
    pub(super) desktop: Desktop,
    /// Standard input, output and error.
    pub(super) standard: [BorrowedHandle<'a>; 3],
    /// A further handle that it inherits.
    pub(super) keepsake: Option<BorrowedHandle<'a>>,
    pub(super) console: Console,
}

/// What becomes of a program that wants a console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Console {
    /// One that nobody sees. It is never ours: what is said to one of them (a Ctrl-Break) is not heard by the others.
    Hidden,
    /// One with a window, in which it also reads and writes.
    Window,
    /// None.
    Detached,
}

impl Birth<'_> {
    /// Creates the process in a job; where the host refuses that, without one. `name` is the agent's, for the log.
    pub(super) fn in_job(mut self, job: Job, name: &str) -> io::Result<(Root, Option<Job>)> {
        let refusal = match self.create(Some(&job), 0) {
            Ok((root, _thread)) => return Ok((root, Some(job))),
            Err(error) if may_be_about_the_job(&error) => error,
            Err(error) => return Err(error),
        };
        // Was it the job or the program? Without a job the answer is about the program alone.
        let plain = self.suspended(0).map_err(|_| refusal)?;
        let Err(error) = job.assign(plain.root.handle()) else { return Ok((plain.resume()?, Some(job))) };
        // A process is born in the job of its parent. Where that takes no further one, it may let go of it.
        if let Ok(free) = self.suspended(CREATE_BREAKAWAY_FROM_JOB)
            && job.assign(free.root.handle()).is_ok()
        {
            return Ok((free.resume()?, Some(job)));
        }
        tracing::warn!(
            agent = name, pid = plain.root.pid(), %error,
            "this host refuses job objects: what this agent starts is told by descent, and lives on if this service is killed"
        );
        Ok((plain.resume()?, None))
    }

    fn suspended(&mut self, flags: PROCESS_CREATION_FLAGS) -> io::Result<Suspended> {
        let (root, thread) = self.create(None, flags | CREATE_SUSPENDED)?;
        Ok(Suspended { root, thread, runs: false })
    }

    fn create(
        &mut self,
        job: Option<&Job>,
        flags: PROCESS_CREATION_FLAGS,
    ) -> io::Result<(Root, OwnedHandle)> {
        let standard = self.standard.map(|handle| handle.as_raw_handle());
        // In a window of its own it reads and writes there.
        let redirected = self.console != Console::Window;
        let mut inherited = if redirected { standard.to_vec() } else { Vec::new() };
        // A handle may stand in the list only once.
        inherited.dedup();
        inherited.extend(self.keepsake.map(|handle| handle.as_raw_handle()));
        let inherits = i32::from(!inherited.is_empty());
        let mut attributes = Attributes::new(inherited, job.map(Job::raw))?;
        let mut desktop = wide(match self.desktop {
            Desktop::Interactive => INTERACTIVE,
            Desktop::None => UNSEEN,
        });
        let mut startup = STARTUPINFOEXW::default();
        startup.StartupInfo.cb = size_of::<STARTUPINFOEXW>() as u32;
        if redirected {
            startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
            [startup.StartupInfo.hStdInput, startup.StartupInfo.hStdOutput, startup.StartupInfo.hStdError] =
                standard;
        }
        startup.lpAttributeList = attributes.as_mut_ptr();
        if self.token.is_some() {
            // Ours, which it would get else, is that of the services, where nobody sees it.
            startup.StartupInfo.lpDesktop = desktop.as_mut_ptr();
        }
        let mut created = PROCESS_INFORMATION::default();
        self.call(flags | self.flags(), inherits, &startup, &mut created)?;
        let (process, thread) = (owned(created.hProcess)?, owned(created.hThread)?);
        Ok((Root::new(process, created.dwProcessId), thread))
    }

    fn flags(&self) -> PROCESS_CREATION_FLAGS {
        let console = match self.console {
            Console::Hidden => CREATE_NO_WINDOW,
            Console::Window => CREATE_NEW_CONSOLE,
            Console::Detached => DETACHED_PROCESS,
        };
        // A group of its own: it can be sent a Ctrl-Break. The default error mode: ours is that of a service.
        console
            | CREATE_NEW_PROCESS_GROUP
            | CREATE_DEFAULT_ERROR_MODE
            | CREATE_UNICODE_ENVIRONMENT
            | EXTENDED_STARTUPINFO_PRESENT
    }

    fn call(
        &mut self,
        flags: PROCESS_CREATION_FLAGS,
        inherits: BOOL,
        startup: &STARTUPINFOEXW,
        created: &mut PROCESS_INFORMATION,
    ) -> io::Result<()> {
        let (program, environment) = (self.image.program.as_ptr(), self.image.environment.as_ptr());
        let cwd = self.image.cwd.as_ref().map_or(ptr::null(), |cwd| cwd.as_ptr());
        let command_line = self.image.command_line.as_mut_ptr();
        let startup = &raw const startup.StartupInfo;
        let Some(token) = self.token else {
            // SAFETY: all strings have their end markers, the command line may be written, the environment is a block of UTF-16 with
            // both end markers, the start-up information is of the extended kind, as the flag says, and what it points to outlives
            // the call.
            return succeeded(unsafe {
                CreateProcessW(
                    program,
                    command_line,
                    ptr::null(),
                    ptr::null(),
                    inherits,
                    flags,
                    environment.cast(),
                    cwd,
                    startup,
                    created,
                )
            });
        };
        // SAFETY: as above, and the token is a primary one and alive.
        succeeded(unsafe {
            CreateProcessAsUserW(
                token.raw(),
                program,
                command_line,
                ptr::null(),
                ptr::null(),
                inherits,
                flags,
                environment.cast(),
                cwd,
                startup,
                created,
            )
        })
    }
}

/// A process that has not run yet. Dropping it ends it.
struct Suspended {
    root: Root,
    thread: OwnedHandle,
    runs: bool,
}

impl Suspended {
    fn resume(mut self) -> io::Result<Root> {
        let thread: HANDLE = self.thread.as_handle().as_raw_handle();
        // SAFETY: the thread's handle is alive and ours.
        if (unsafe { ResumeThread(thread) }) == u32::MAX {
            return Err(io::Error::last_os_error());
        }
        self.runs = true;
        self.root.try_clone()
    }
}

impl Drop for Suspended {
    fn drop(&mut self) {
        if !self.runs {
            // It did nothing yet, and there is nobody to tell that it could not be ended.
            let _ = self.root.terminate(NEVER_RAN);
        }
    }
}

fn may_be_about_the_job(error: &io::Error) -> bool {
    [ERROR_ACCESS_DENIED, ERROR_NOT_SUPPORTED, ERROR_INVALID_PARAMETER, ERROR_CALL_NOT_IMPLEMENTED]
        .into_iter()
        .any(|code| is(error, code))
}
