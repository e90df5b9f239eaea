//! Job objects: an agent and all that it starts.

use std::io;
use std::os::windows::io::{AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::ptr;

use windows_sys::Win32::Foundation::HANDLE;
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, IsProcessInJob, JOB_OBJECT_LIMIT,
    JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE, JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK,
    JOBOBJECT_BASIC_ACCOUNTING_INFORMATION, JOBOBJECT_EXTENDED_LIMIT_INFORMATION,
    JobObjectBasicAccountingInformation, JobObjectExtendedLimitInformation, QueryInformationJobObject,
    SetInformationJobObject, TerminateJobObject,
};

use super::handle::{owned, succeeded};

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
        // SAFETY: no attributes and no name; the handle is not inherited.
        let handle = owned(unsafe { CreateJobObjectW(ptr::null(), ptr::null()) })?;
        let job = Job { handle, lets_go };
        job.kill_on_close(true)?;
        Ok(job)
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
