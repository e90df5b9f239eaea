//! Life under the Service Control Manager.
//!
//! The manager starts the program and waits for it to connect ([`run_as_service`]). It then calls [`service_main`] on a thread
//! of its own and, whenever it wants something, [`handler`] on the thread that connected. The handler must return at once, so
//! it only decodes what it is given and puts it into the inbox; whoever asks [`ServiceHost::next`] takes it out. What the manager
//! is told goes the other way, through the one owner of the status.
//!
//! <https://learn.microsoft.com/windows/win32/services/service-programs>

mod control;
mod inbox;
mod process;
mod status;

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_CALL_NOT_IMPLEMENTED, ERROR_FAILED_SERVICE_CONTROLLER_CONNECT, ERROR_INVALID_FUNCTION, NO_ERROR,
};
use windows_sys::Win32::System::RemoteDesktop::WTSSESSION_NOTIFICATION;
use windows_sys::Win32::System::Services::{
    RegisterServiceCtrlHandlerExW, SERVICE_TABLE_ENTRYW, StartServiceCtrlDispatcherW,
};
use windows_sys::core::PWSTR;

pub(super) use self::control::Limits;
use self::control::{Decoded, decode};
use self::inbox::Inbox;
use self::status::Status;
use super::handle::succeeded;
use super::harden::harden;
use super::manager::time_limits;
use super::wide::{read, wide};
use crate::{HostError, Notice};

/// The service manager that started this program: what it wants, and what it is told.
#[derive(Clone)]
pub struct ServiceHost {
    name: Arc<str>,
    context: &'static Context,
    status: Arc<Status>,
}

/// What the handler works with. The manager may call it until the process ends, so it is never freed.
struct Context {
    inbox: Inbox,
    limits: Limits,
}

impl ServiceHost {
    /// The name that the service manager knows this service by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the manager wants next. Cancel safe.
    pub async fn next(&self) -> Notice {
        self.context.inbox.next().await
    }

    /// Tells the manager that the service is up, or up again after a reload. From now on it may be asked to stop.
    pub fn running(&self) {
        self.status.running();
    }

    /// Tells the manager that the service stops: so many processes are left, and `left` is the longest it can take.
    pub fn stopping(&self, _remaining: u32, left: Duration) {
        self.status.stopping(left);
    }

    /// Tells the manager that the service reads its configuration again. This one does not want to know.
    pub fn reloading(&self) {}

    /// Tells the manager in one line what the service does. This one has no place for it.
    pub fn status(&self, _text: &str) {}

    /// Tells the manager that the service's loop goes round. This one does not want to know.
    pub fn alive(&self) {}

    /// How often the loop must go round at least: this manager does not say.
    pub fn round_within(&self) -> Option<Duration> {
        None
    }

    /// Takes over the controls of the service that this process is.
    fn register(name: String) -> std::io::Result<ServiceHost> {
        let limits = time_limits(&name);
        let context: &'static Context = Box::leak(Box::new(Context { inbox: Inbox::new(), limits }));
        let wide_name = wide(&name);
        // SAFETY: the name has its end marker; `context` lives for ever, and the handler reads it only as what it is.
        let handle = unsafe {
            RegisterServiceCtrlHandlerExW(wide_name.as_ptr(), Some(handler), ptr::from_ref(context).cast())
        };
        if handle.is_null() {
            return Err(std::io::Error::last_os_error());
        }
        Ok(ServiceHost { name: name.into(), context, status: Arc::new(Status::starting(handle)) })
    }
}

type Body = Box<dyn FnOnce(ServiceHost) -> u8 + Send>;

/// What the service is to do, from [`run_as_service`] to [`service_main`], which takes no argument of ours.
static BODY: Mutex<Option<Body>> = Mutex::new(None);

/// The exit code of the body, on its way back. Until it has one, the service has failed.
static CODE: AtomicU8 = AtomicU8::new(1);

/// Runs `body` as the service that the manager started this process for, and returns its exit code. 0 is a clean end; any other
/// code the manager takes for a failure, and does what it is configured to do after one. So it does after a panic, which ends
/// the process without a word.
///
/// To be called early, on the main thread: the manager waits 30 s for it.
///
/// # Errors
///
/// The manager did not start this process, or cannot be reached.
pub fn run_as_service(body: impl FnOnce(ServiceHost) -> u8 + Send + 'static) -> Result<u8, HostError> {
    harden();
    process::enter_system_folder();
    *BODY.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(body));
    // A process with one service need not name it: the manager knows which one it started.
    let mut name = [0_u16];
    let table = [
        SERVICE_TABLE_ENTRYW { lpServiceName: name.as_mut_ptr(), lpServiceProc: Some(service_main) },
        SERVICE_TABLE_ENTRYW::default(),
    ];
    // SAFETY: the table ends with an empty entry and outlives the call, which returns when the service has stopped.
    let ran = succeeded(unsafe { StartServiceCtrlDispatcherW(table.as_ptr()) });
    ran.map_err(|error| match error.raw_os_error().map(i32::cast_unsigned) {
        Some(ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) => HostError::NotStartedByManager,
        _ => HostError::Connect(error),
    })?;
    Ok(CODE.load(Ordering::Acquire))
}

/// The service's own thread, begun by the manager. A panic does not leave it: it ends the process, which the manager takes
/// for the crash that it is.
unsafe extern "system" fn service_main(count: u32, arguments: *mut PWSTR) {
    let name = match count {
        0 => String::new(),
        _ => {
            // SAFETY: the manager passes as many strings as it says; the first one is the service's name.
            let first = unsafe { arguments.read() };
            // SAFETY: it has its end marker.
            unsafe { read(first) }
        }
    };
    let body = BODY.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(body) = body else { return };
    match ServiceHost::register(name) {
        Ok(host) => {
            let status = Arc::clone(&host.status);
            let code = body(host);
            CODE.store(code, Ordering::Release);
            // The last thing that happens here: once the manager knows, it lets the process end.
            status.stopped(code);
        }
        // Without a handler there is no status to report either. The manager sees the process end and calls that a crash.
        Err(error) => tracing::error!(%error, "cannot take over the service's controls"),
    }
}

/// Called by the manager. Decodes, puts into the inbox and returns: while it works, the manager does nothing else for this service.
unsafe extern "system" fn handler(control: u32, event: u32, data: *mut c_void, context: *mut c_void) -> u32 {
    // SAFETY: the context is what `register` passed: a `Context` that lives for ever and is only shared.
    let Some(context) = (unsafe { context.cast::<Context>().as_ref() }) else {
        return ERROR_INVALID_FUNCTION;
    };
    let session = (control == control::SESSIONCHANGE).then(|| {
        // SAFETY: with this control the manager passes a pointer to a notification, or none.
        unsafe { session_of(data) }
    });
    match decode(control, event, session.flatten(), &context.limits) {
        Decoded::Notice(notice) => {
            context.inbox.put(notice);
            NO_ERROR
        }
        Decoded::Nothing => NO_ERROR,
        Decoded::Unknown => ERROR_CALL_NOT_IMPLEMENTED,
    }
}

/// The session that a notification is about.
///
/// # Safety
///
/// `data` is null or points to a readable `WTSSESSION_NOTIFICATION`.
unsafe fn session_of(data: *const c_void) -> Option<u32> {
    if data.is_null() {
        return None;
    }
    // SAFETY: by the caller's word; its type is made of plain values.
    let notification = unsafe { data.cast::<WTSSESSION_NOTIFICATION>().read_unaligned() };
    let complete = notification.cbSize as usize >= size_of::<WTSSESSION_NOTIFICATION>();
    complete.then_some(notification.dwSessionId)
}

#[cfg(test)]
mod tests;
