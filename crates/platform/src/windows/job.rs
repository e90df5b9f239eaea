//! Job objects: an agent and all that it starts.
//!
//! What an agent left is asked of its job when the agent has ended. A completion port would tell it process by process, but its
//! messages are not guaranteed to come, and it wakes somebody at every process that any agent ever starts.

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::{
    DUPLICATE_HANDLE_OPTIONS, DuplicateHandle, ERROR_ALREADY_EXISTS, ERROR_FILE_NOT_FOUND, ERROR_MORE_DATA,
    GetLastError, HANDLE,
};
use windows_sys::Win32::Security::SECURITY_ATTRIBUTES;
use windows_sys::Win32::Storage::FileSystem::{READ_CONTROL, SYNCHRONIZE};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectBasicProcessIdList, JobObjectExtendedLimitInformation,
    OpenJobObjectW, QueryInformationJobObject, SetInformationJobObject, TerminateJobObject,
};
use windows_sys::Win32::System::Threading::GetCurrentProcess;

use super::handle::{owned, succeeded};
use super::security::{self, Descriptor};
use super::stream::is;
use super::token::own_sid;
use super::wide::wide;

/// How many processes of a job are told by name.
const MEMBERS_TOLD_MAX: usize = 16;

/// `JOBOBJECT_BASIC_PROCESS_ID_LIST`, with room.
#[repr(C)]
#[derive(Default)]
struct Members {
    assigned: u32,
    listed: u32,
    pids: [usize; MEMBERS_TOLD_MAX],
}

/// What is done with a job that is found again: `JOB_OBJECT_ASSIGN_PROCESS`, `…_SET_ATTRIBUTES`, `…_QUERY` and `…_TERMINATE`, and
/// asking who owns it.
const RIGHTS: u32 = 0x1 | 0x2 | 0x4 | 0x8 | READ_CONTROL;

/// What holds a process and, unless its children are let go, all that it starts.
pub(super) struct Job {
    handle: OwnedHandle,
    /// Programs that are started in it are not in it.
    lets_go: bool,
}

impl Job {
    /// An empty one without a name. While it ends with its last handle, so does everything in it, even if this program is killed.
    ///
    /// `lets_go`: what its processes start is born outside of it. An agent that opens programs for its user needs that: in a
    /// job they would be ended with the agent, or with this program, together with what the user was writing in them; and a
    /// program that makes a job for itself may not expect to be in one.
    pub(super) fn new(lets_go: bool) -> io::Result<Job> {
        let job = Job::create(ptr::null(), ptr::null(), lets_go)?;
        job.kill_on_close(true)?;
        Ok(job)
    }

    /// An empty one that outlives this program and is found again by its name, for which see [`Job::keepsake`]. Nobody but this
    /// user, which for a service is the system, may open it. A job of this name that is there already is somebody else's.
    pub(super) fn named(name: &str, lets_go: bool) -> io::Result<Job> {
        let descriptor = Descriptor::parse(&format!("O:{0}D:P(A;;0x1f003f;;;{0})", own_sid()))?;
        let attributes = descriptor.attributes();
        let name = wide(name);
        let job = Job::create(&attributes, name.as_ptr(), lets_go)?;
        job.kill_on_close(false)?;
        Ok(job)
    }

    /// The one of this name. `None`: there is none. One of another user is an error: it holds what that user put into it.
    pub(super) fn open(name: &str) -> io::Result<Option<Job>> {
        let name = wide(name);
        // SAFETY: the name has its end marker; the handle is not inherited.
        let opened = owned(unsafe { OpenJobObjectW(RIGHTS, 0, name.as_ptr()) });
        let handle = match opened {
            Ok(handle) => handle,
            Err(error) if is(&error, ERROR_FILE_NOT_FOUND) => return Ok(None),
            Err(error) => return Err(error),
        };
        if security::owner_of(handle.as_handle())? != *own_sid() {
            return Err(io::Error::other("a job of this name belongs to somebody else"));
        }
        let mut job = Job { handle, lets_go: false };
        job.lets_go =
            job.limits()?.BasicLimitInformation.LimitFlags & JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK != 0;
        Ok(Some(job))
    }

    fn create(attributes: *const SECURITY_ATTRIBUTES, name: *const u16, lets_go: bool) -> io::Result<Job> {
        // SAFETY: the attributes are complete or none; the name has its end marker or is none; the handle is not inherited.
        let handle = owned(unsafe { CreateJobObjectW(attributes, name) })?;
        // SAFETY: takes nothing. On success the call before says in this way that the job was there already.
        if !name.is_null() && unsafe { GetLastError() } == ERROR_ALREADY_EXISTS {
            return Err(io::Error::from_raw_os_error(ERROR_ALREADY_EXISTS.cast_signed()));
        }
        Ok(Job { handle, lets_go })
    }

    /// A handle for its root process to inherit, good for nothing. The name of an object is gone with its last handle, whoever
    /// lives in it: while this program is away, it is the root itself that keeps the name of its job.
    pub(super) fn keepsake(&self) -> io::Result<OwnedHandle> {
        let mut keepsake = ptr::null_mut();
        // SAFETY: takes nothing and returns a constant that stands for this process.
        let own = unsafe { GetCurrentProcess() };
        // SAFETY: the handle is alive and both processes are this one; `keepsake` is ours to be written.
        succeeded(unsafe {
            DuplicateHandle(
                own,
                self.raw(),
                own,
                &mut keepsake,
                SYNCHRONIZE,
                1,
                DUPLICATE_HANDLE_OPTIONS::default(),
            )
        })?;
        owned(keepsake)
    }

    /// Says whether its processes end with it.
    pub(super) fn kill_on_close(&self, kill: bool) -> io::Result<()> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        let flag = |set: bool, flag: JOB_OBJECT_LIMIT| if set { flag } else { 0 };
        limits.BasicLimitInformation.LimitFlags = flag(kill, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE)
            | flag(self.lets_go, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK);
        let length = size_of_val(&limits) as u32;
        // SAFETY: the information is of the class's type and has this length.
        succeeded(unsafe {
            SetInformationJobObject(
                self.raw(),
                JobObjectExtendedLimitInformation,
                ptr::from_ref(&limits).cast(),
                length,
            )
        })
    }

    /// Puts a process into it that was not born in it.
    pub(super) fn assign(&self, process: BorrowedHandle<'_>) -> io::Result<()> {
        // SAFETY: both handles are alive.
        succeeded(unsafe { AssignProcessToJobObject(self.raw(), process.as_raw_handle()) })
    }

    /// Whether what its processes start is born outside of it.
    pub(super) fn lets_go(&self) -> bool {
        self.lets_go
    }

    /// How many processes live in it.
    pub(super) fn count(&self) -> io::Result<usize> {
        let mut accounting = JOBOBJECT_BASIC_ACCOUNTING_INFORMATION::default();
        let length = size_of_val(&accounting) as u32;
        // SAFETY: the buffer is of the class's type and has this length; how much was written is not asked for.
        succeeded(unsafe {
            QueryInformationJobObject(
                self.raw(),
                JobObjectBasicAccountingInformation,
                ptr::from_mut(&mut accounting).cast(),
                length,
                ptr::null_mut(),
            )
        })?;
        Ok(accounting.ActiveProcesses as usize)
    }

    /// The ids of the first processes in it, for people: each may have ended by now.
    pub(super) fn first_members(&self) -> io::Result<Vec<u32>> {
        let mut list = Members::default();
        let length = size_of_val(&list) as u32;
        // SAFETY: the buffer starts with what the class has, with more room behind it, and has this length.
        let answered = succeeded(unsafe {
            QueryInformationJobObject(
                self.raw(),
                JobObjectBasicProcessIdList,
                ptr::from_mut(&mut list).cast(),
                length,
                ptr::null_mut(),
            )
        });
        match answered {
            Err(error) if !is(&error, ERROR_MORE_DATA) => Err(error),
            _ => {
                let listed = (list.listed as usize).min(MEMBERS_TOLD_MAX);
                Ok(list.pids[..listed].iter().filter_map(|pid| u32::try_from(*pid).ok()).collect())
            }
        }
    }

    fn limits(&self) -> io::Result<JOBOBJECT_EXTENDED_LIMIT_INFORMATION> {
        let mut limits = JOBOBJECT_EXTENDED_LIMIT_INFORMATION::default();
        let length = size_of_val(&limits) as u32;
        // SAFETY: as above.
        succeeded(unsafe {
            QueryInformationJobObject(
                self.raw(),
                JobObjectExtendedLimitInformation,
                ptr::from_mut(&mut limits).cast(),
                length,
                ptr::null_mut(),
            )
        })?;
        Ok(limits)
    }

    /// Whether a process lives in it.
    pub(super) fn contains(&self, process: BorrowedHandle<'_>) -> io::Result<bool> {
        let mut inside = 0;
        // SAFETY: both handles are alive; `inside` is ours to be written.
        succeeded(unsafe { IsProcessInJob(process.as_raw_handle(), self.raw(), &mut inside) })?;
        Ok(inside != 0)
    }

    /// Ends everything in it with this exit code.
    pub(super) fn terminate(&self, exit_code: u32) -> io::Result<()> {
        // SAFETY: the handle is alive.
        succeeded(unsafe { TerminateJobObject(self.raw(), exit_code) })
    }

    pub(super) fn raw(&self) -> HANDLE {
        self.handle.as_raw_handle()
    }
}
