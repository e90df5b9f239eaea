//! A launched process and all that it started.

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, OwnedHandle};

use windows_sys::Win32::Foundation::WAIT_OBJECT_0;
use windows_sys::Win32::System::Threading::{GetExitCodeProcess, TerminateProcess, WaitForSingleObject};

use super::handle::succeeded;
use super::job::Job;
use super::polite;
use super::wait::Wait;
use crate::{Exit, Peer, ProcessRecord};

/// The exit code of what we kill, as the task manager has it.
const KILLED: u32 = 1;

/// A running root process of an instance, by its handle: its id cannot be used again while this lives.
pub struct Process {
    // Ended before the handle that it waits for is closed: fields are dropped in this order.
    wait: Wait,
    handle: OwnedHandle,
    pid: u32,
    /// Where the host refused a job, there is none, and only the root process is ours to end.
    job: Option<Job>,
}

impl Process {
    pub(super) fn new(handle: OwnedHandle, pid: u32, job: Option<Job>) -> io::Result<Process> {
        let wait = Wait::new(handle.as_handle()).inspect_err(|_| {
            // Nobody would ever know how it ended. The job ends with us, but perhaps without its processes.
            // SAFETY: the handle is alive and has the right to end the process.
            unsafe { TerminateProcess(handle.as_raw_handle(), KILLED) };
        })?;
        Ok(Process { wait, handle, pid, job })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// What finds it again after this program has ended; `None`: it ends with this program.
    pub fn record(&self) -> Option<&ProcessRecord> {
        None
    }

    /// Resolves once the root process has ended. May be awaited again and by several.
    pub async fn exited(&self) -> Exit {
        self.wait.ended().await;
        let mut code = 0;
        // SAFETY: the handle is alive and has the right to ask; `code` is ours to be written.
        let answered = unsafe { GetExitCodeProcess(self.handle.as_raw_handle(), &mut code) };
        if answered == 0 { Exit::Unknown } else { Exit::Code(code) }
    }

    /// Asks the root process to end: `WM_CLOSE` to its windows, `CTRL_BREAK` on the console that it shares with this program. A
    /// process that has ended is no error; one that has neither is.
    pub fn terminate(&self) -> io::Result<()> {
        if self.has_ended() { Ok(()) } else { polite::ask_to_end(self.pid) }
    }

    /// Kills the root process and everything that it started.
    pub fn kill_all(&self) -> io::Result<()> {
        match &self.job {
            Some(job) => job.terminate(KILLED),
            None if self.has_ended() => Ok(()),
            // SAFETY: the handle is alive and has the right to end the process.
            None => succeeded(unsafe { TerminateProcess(self.handle.as_raw_handle(), KILLED) }),
        }
    }

    /// The root process is gone: kills what it left, and says how many there were.
    pub fn sweep(&self) -> io::Result<usize> {
        let Some(job) = &self.job else { return Ok(0) };
        let left = job.count()?;
        if left > 0 {
            job.terminate(KILLED)?;
        }
        Ok(left)
    }

    /// Lets go of what it left, or of all of it: it lives on when this program ends.
    pub fn leave(&self) -> io::Result<()> {
        self.job.as_ref().map_or(Ok(()), |job| job.kill_on_close(false))
    }

    /// Whether a peer is the root process or lives in its job.
    pub fn owns(&self, peer: &Peer) -> bool {
        // Both processes are held open, so that equal ids are one process.
        peer.pid() == self.pid
            || self.job.as_ref().is_some_and(|job| job.contains(peer.process()).unwrap_or(false))
    }

    fn has_ended(&self) -> bool {
        // SAFETY: the handle is alive; a time-out of 0 only looks.
        (unsafe { WaitForSingleObject(self.handle.as_raw_handle(), 0) }) == WAIT_OBJECT_0
    }
}
