//! Session notifications to windows.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use windows_sys::Win32::Foundation::{
    ERROR_INVALID_HANDLE, ERROR_INVALID_PARAMETER, ERROR_NOT_FOUND, HANDLE, HWND, LPARAM, WPARAM,
};
use windows_sys::Win32::System::RemoteDesktop::{NOTIFY_FOR_ALL_SESSIONS, NOTIFY_FOR_THIS_SESSION};
use windows_sys::Win32::UI::WindowsAndMessaging::{IsWindow, PostMessageW, WM_WTSSESSION_CHANGE};
use windows_sys::core::BOOL;

use crate::folder::Changes;
use crate::query::own;
use crate::refusal::{Refusal, answer, local, script};

/// The registered windows.
static WINDOWS: Mutex<Vec<Registered>> = Mutex::new(Vec::new());

struct Registered {
    /// A window handle as a number, which every thread may hold.
    window: usize,
    flags: u32,
    /// How many events of the script it need not be told of.
    seen: usize,
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsregistersessionnotification>
#[unsafe(no_mangle)]
extern "system" fn WTSRegisterSessionNotification(window: HWND, flags: u32) -> BOOL {
    answer(register(window, flags))
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsregistersessionnotificationex>
#[unsafe(no_mangle)]
extern "system" fn WTSRegisterSessionNotificationEx(server: HANDLE, window: HWND, flags: u32) -> BOOL {
    answer(local(server).and_then(|()| register(window, flags)))
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsunregistersessionnotification>
#[unsafe(no_mangle)]
extern "system" fn WTSUnRegisterSessionNotification(window: HWND) -> BOOL {
    answer(unregister(window))
}

/// <https://learn.microsoft.com/windows/win32/api/wtsapi32/nf-wtsapi32-wtsunregistersessionnotificationex>
#[unsafe(no_mangle)]
extern "system" fn WTSUnRegisterSessionNotificationEx(server: HANDLE, window: HWND) -> BOOL {
    answer(local(server).and_then(|()| unregister(window)))
}

fn windows() -> MutexGuard<'static, Vec<Registered>> {
    WINDOWS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn register(window: HWND, flags: u32) -> Result<(), Refusal> {
    // SAFETY: takes a plain value, which may be any.
    if unsafe { IsWindow(window) } == 0 {
        return Err(ERROR_INVALID_HANDLE);
    }
    if ![NOTIFY_FOR_THIS_SESSION, NOTIFY_FOR_ALL_SESSIONS].contains(&flags) {
        return Err(ERROR_INVALID_PARAMETER);
    }
    let mut windows = windows();
    // First the subscription, then the count: an event in between is told rather than missed.
    let changes = if windows.is_empty() { Some(Changes::watch()?) } else { None };
    let seen = script()?.events.len();
    windows.push(Registered { window: window.addr(), flags, seen });
    if let Some(changes) = changes {
        thread::spawn(move || tell(&changes));
    }
    Ok(())
}

fn unregister(window: HWND) -> Result<(), Refusal> {
    let mut windows = windows();
    let before = windows.len();
    windows.retain(|registered| registered.window != window.addr());
    if windows.len() < before { Ok(()) } else { Err(ERROR_NOT_FOUND) }
}

/// Tells the windows of every event, until none is left.
fn tell(changes: &Changes) {
    loop {
        {
            let mut windows = windows();
            if windows.is_empty() {
                return;
            }
            // A script that is away for a moment has nothing to tell.
            let events = script().map(|script| script.events).unwrap_or_default();
            for registered in windows.iter_mut() {
                for event in events.iter().skip(registered.seen) {
                    if registered.flags == NOTIFY_FOR_ALL_SESSIONS || own() == Ok(event.session) {
                        let window = registered.window as HWND;
                        let (reason, session) = (event.reason as WPARAM, event.session as LPARAM);
                        // SAFETY: takes plain values; a window that is gone already makes it fail, which is no harm.
                        unsafe { PostMessageW(window, WM_WTSSESSION_CHANGE, reason, session) };
                    }
                }
                registered.seen = registered.seen.max(events.len());
            }
        }
        if changes.wait(None).is_err() {
            eprintln!("wtsapi32 stand-in: the folder of the bed cannot be watched any longer");
            return;
        }
    }
}
