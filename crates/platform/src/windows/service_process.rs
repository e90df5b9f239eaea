//! Which process the service manager started for a service.

use std::io;

use windows_sys::Win32::System::Services::{
    CloseServiceHandle, OpenSCManagerW, OpenServiceW, QueryServiceStatusEx, SC_HANDLE, SC_MANAGER_CONNECT,
    SC_STATUS_PROCESS_INFO, SERVICE_QUERY_STATUS, SERVICE_STATUS_PROCESS,
};

use super::handle::succeeded;
use super::wide::wide;

/// The process of a service: what the service manager says, which any user may ask and nobody but administrators can make say
/// something else. `None`: it does not run.
pub(super) fn of(name: &str) -> io::Result<Option<u32>> {
    let name = wide(name);
    // SAFETY: no machine and no database mean those of this machine.
    let manager =
        Opened::by(unsafe { OpenSCManagerW(std::ptr::null(), std::ptr::null(), SC_MANAGER_CONNECT) })?;
    // SAFETY: the manager is open, and the name has its end marker.
    let service = Opened::by(unsafe { OpenServiceW(manager.0, name.as_ptr(), SERVICE_QUERY_STATUS) })?;
    let (mut status, mut needed) = (SERVICE_STATUS_PROCESS::default(), 0);
    // SAFETY: the service is open; the buffer is of the level's type and has this length.
    succeeded(unsafe {
        QueryServiceStatusEx(
            service.0,
            SC_STATUS_PROCESS_INFO,
            (&raw mut status).cast(),
            size_of::<SERVICE_STATUS_PROCESS>() as u32,
            &mut needed,
        )
    })?;
    Ok(Some(status.dwProcessId).filter(|pid| *pid != 0))
}

/// A handle of the service manager's.
struct Opened(SC_HANDLE);

impl Opened {
    fn by(raw: SC_HANDLE) -> io::Result<Opened> {
        if raw.is_null() { Err(io::Error::last_os_error()) } else { Ok(Opened(raw)) }
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        // SAFETY: from the service manager, ours alone and closed once.
        unsafe { CloseServiceHandle(self.0) };
    }
}
