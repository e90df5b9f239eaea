//! Handles of the service manager, and the calls that need nothing more.

use std::io;
use std::ptr;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_DUPLICATE_SERVICE_NAME, ERROR_SERVICE_ALREADY_RUNNING,
    ERROR_SERVICE_CANNOT_ACCEPT_CTRL, ERROR_SERVICE_DATABASE_LOCKED, ERROR_SERVICE_DISABLED,
    ERROR_SERVICE_DOES_NOT_EXIST, ERROR_SERVICE_MARKED_FOR_DELETE, ERROR_SERVICE_NOT_ACTIVE,
    ERROR_SERVICE_REQUEST_TIMEOUT,
};
use windows_sys::Win32::System::Services::{
    CloseServiceHandle, ControlService, DeleteService, OpenSCManagerW, OpenServiceW, QueryServiceStatusEx,
    SC_HANDLE, SC_STATUS_PROCESS_INFO, SERVICE_STATUS, SERVICE_STATUS_PROCESS, StartServiceW,
};

use super::super::handle::succeeded;
use super::super::wide::wide;
use crate::ManagerError;

/// A handle of the service manager's. Kept as a number: it may be used from any thread.
struct Handle(usize);

impl Handle {
    /// Takes a handle that a call has just returned; null says that it failed.
    fn owned(raw: SC_HANDLE) -> io::Result<Handle> {
        if raw.is_null() { Err(io::Error::last_os_error()) } else { Ok(Handle(raw as usize)) }
    }

    fn raw(&self) -> SC_HANDLE {
        self.0 as SC_HANDLE
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the handle is from the manager, ours alone and closed once.
        unsafe { CloseServiceHandle(self.raw()) };
    }
}

/// The open database of services.
pub(super) struct Database(Handle);

impl Database {
    pub(super) fn open(access: u32) -> io::Result<Database> {
        // SAFETY: null pointers stand for this machine and its one database.
        let raw = unsafe { OpenSCManagerW(ptr::null(), ptr::null(), access) };
        Handle::owned(raw).map(Database)
    }

    /// Opens a service of this name.
    pub(super) fn service(&self, name: &str, access: u32) -> io::Result<Service> {
        let name = wide(name);
        // SAFETY: the database is open; the name has its end marker.
        let raw = unsafe { OpenServiceW(self.0.raw(), name.as_ptr(), access) };
        Handle::owned(raw).map(Service)
    }

    pub(super) fn raw(&self) -> SC_HANDLE {
        self.0.raw()
    }
}

/// An open service.
pub(super) struct Service(Handle);

impl Service {
    /// Takes a handle that `CreateServiceW` has just returned.
    pub(super) fn owned(raw: SC_HANDLE) -> io::Result<Service> {
        Handle::owned(raw).map(Service)
    }

    pub(super) fn raw(&self) -> SC_HANDLE {
        self.0.raw()
    }

    pub(super) fn start(&self) -> io::Result<()> {
        // SAFETY: the service is open; no arguments are passed.
        succeeded(unsafe { StartServiceW(self.raw(), 0, ptr::null()) })
    }

    pub(super) fn control(&self, control: u32) -> io::Result<()> {
        let mut status = SERVICE_STATUS::default();
        // SAFETY: the service is open; `status` is ours to be written.
        succeeded(unsafe { ControlService(self.raw(), control, &mut status) })
    }

    pub(super) fn delete(&self) -> io::Result<()> {
        // SAFETY: the service is open.
        succeeded(unsafe { DeleteService(self.raw()) })
    }

    pub(super) fn status(&self) -> io::Result<SERVICE_STATUS_PROCESS> {
        let mut status = SERVICE_STATUS_PROCESS::default();
        let (length, mut needed) = (size_of::<SERVICE_STATUS_PROCESS>() as u32, 0);
        // SAFETY: the service is open; `status` can take `length` bytes and is made of plain values.
        succeeded(unsafe {
            QueryServiceStatusEx(
                self.raw(),
                SC_STATUS_PROCESS_INFO,
                ptr::from_mut(&mut status).cast(),
                length,
                &mut needed,
            )
        })?;
        Ok(status)
    }
}

/// What an answer of the manager means, after `action` on the service `name`.
pub(super) fn refused(action: &'static str, name: &str) -> impl Fn(io::Error) -> ManagerError {
    let name = name.to_owned();
    move |source| {
        let name = name.clone();
        match source.raw_os_error().map(i32::cast_unsigned) {
            Some(ERROR_ACCESS_DENIED) => ManagerError::NotPermitted { action, name },
            Some(ERROR_SERVICE_DOES_NOT_EXIST) => ManagerError::NotInstalled { name },
            Some(ERROR_SERVICE_MARKED_FOR_DELETE) => ManagerError::MarkedForDeletion { name },
            Some(ERROR_SERVICE_DATABASE_LOCKED) => ManagerError::Locked { action, name },
            Some(ERROR_SERVICE_ALREADY_RUNNING) => ManagerError::AlreadyRunning { name },
            Some(ERROR_SERVICE_NOT_ACTIVE) => ManagerError::NotRunning { name },
            Some(ERROR_SERVICE_DISABLED) => ManagerError::Disabled { name },
            Some(ERROR_SERVICE_CANNOT_ACCEPT_CTRL) => ManagerError::NotNow { name },
            Some(ERROR_SERVICE_REQUEST_TIMEOUT) => ManagerError::NoAnswer { name },
            Some(ERROR_DUPLICATE_SERVICE_NAME) => ManagerError::DisplayNameTaken { name },
            _ => ManagerError::Failed { action, name, source },
        }
    }
}
