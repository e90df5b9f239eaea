//! A process by an open handle.

use std::io;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};

use windows_sys::Win32::Foundation::{ERROR_INVALID_PARAMETER, FILETIME, WAIT_OBJECT_0};
use windows_sys::Win32::System::Threading::{
    GetExitCodeProcess, GetProcessTimes, OpenProcess, PROCESS_NAME_WIN32, PROCESS_QUERY_INFORMATION,
    PROCESS_SYNCHRONIZE, PROCESS_TERMINATE, QueryFullProcessImageNameW, TerminateProcess,
    WaitForSingleObject,
};

use super::handle::{owned, succeeded};
use super::stream::is;
use crate::Exit;

/// The longest path that Windows has.
const PATH_LENGTH_MAX: usize = 32_768;

/// A process that is held open: while this lives its id means it and no other, also after its end.
pub(super) struct Root {
    handle: OwnedHandle,
    pid: u32,
}

impl Root {
    pub(super) fn new(handle: OwnedHandle, pid: u32) -> Root {
        Root { handle, pid }
    }

    /// Opens the process that has this id now, for everything that is done here. `None`: there is none.
    pub(super) fn open(pid: u32) -> io::Result<Option<Root>> {
        let rights = PROCESS_QUERY_INFORMATION | PROCESS_SYNCHRONIZE | PROCESS_TERMINATE;
        // SAFETY: takes plain values only.
        match owned(unsafe { OpenProcess(rights, 0, pid) }) {
            Ok(handle) => Ok(Some(Root { handle, pid })),
            Err(error) if is(&error, ERROR_INVALID_PARAMETER) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) fn try_clone(&self) -> io::Result<Root> {
        Ok(Root { handle: self.handle.try_clone()?, pid: self.pid })
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    pub(super) fn handle(&self) -> BorrowedHandle<'_> {
        self.handle.as_handle()
    }

    /// When it was created, in units of 100 ns since 1601. Together with its id this means one process for all time.
    pub(super) fn created(&self) -> io::Result<u64> {
        let mut times = [FILETIME::default(); 4];
        let [created, exited, kernel, user] = &mut times;
        // SAFETY: the handle is alive and has the right to ask; the four times are ours to be written.
        succeeded(unsafe { GetProcessTimes(self.handle.as_raw_handle(), created, exited, kernel, user) })?;
        Ok(u64::from(created.dwHighDateTime) << 32 | u64::from(created.dwLowDateTime))
    }

    /// Whether it has ended.
    pub(super) fn has_ended(&self) -> bool {
        // SAFETY: the handle is alive; a time-out of 0 only looks.
        (unsafe { WaitForSingleObject(self.handle.as_raw_handle(), 0) }) == WAIT_OBJECT_0
    }

    /// How it ended, once it has.
    pub(super) fn exit(&self) -> Exit {
        let mut code = 0;
        // SAFETY: the handle is alive and has the right to ask; `code` is ours to be written.
        let answered = unsafe { GetExitCodeProcess(self.handle.as_raw_handle(), &mut code) };
        if answered == 0 { Exit::Unknown } else { Exit::Code(code) }
    }

    /// The name of its program, without the folder.
    pub(super) fn program(&self) -> io::Result<String> {
        let mut path = vec![0_u16; PATH_LENGTH_MAX];
        let mut length = path.len() as u32;
        // SAFETY: the handle is alive and has the right to ask; `path` can take `length` units, and how many there are is written
        // to it.
        succeeded(unsafe {
            QueryFullProcessImageNameW(
                self.handle.as_raw_handle(),
                PROCESS_NAME_WIN32,
                path.as_mut_ptr(),
                &mut length,
            )
        })?;
        let path = String::from_utf16_lossy(&path[..(length as usize).min(path.len())]);
        Ok(path.rsplit('\\').next().unwrap_or_default().to_owned())
    }

    /// Ends it and nothing else. That it has ended already is no error.
    pub(super) fn terminate(&self, exit_code: u32) -> io::Result<()> {
        // SAFETY: the handle is alive and has the right to end the process.
        let ended = succeeded(unsafe { TerminateProcess(self.handle.as_raw_handle(), exit_code) });
        ended.or_else(|error| if self.has_ended() { Ok(()) } else { Err(error) })
    }
}
