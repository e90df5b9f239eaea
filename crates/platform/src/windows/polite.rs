//! Asking a process to end: `WM_CLOSE` to its windows, `CTRL_BREAK` to its console.

use std::io;

use windows_sys::Win32::Foundation::{HWND, LPARAM, TRUE};
use windows_sys::Win32::System::Console::{
    CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent, GetConsoleProcessList,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GetWindowThreadProcessId, PostMessageW, WM_CLOSE,
};
use windows_sys::core::BOOL;

use super::handle::succeeded;

/// Whether this process has a console, which the programs that it starts then share. Only a console that both are in carries
/// a control event to them; where there is none, such a program gets one of its own without a window, and a console program can
/// then be asked over the wire only.
pub(super) fn has_console() -> bool {
    let mut processes = [0];
    // SAFETY: `processes` has one place; more are counted and not written.
    (unsafe { GetConsoleProcessList(processes.as_mut_ptr(), 1) }) > 0
}

/// Asks the process, which the caller holds open, in every way there is. Fails if there is none.
pub(super) fn ask_to_end(pid: u32) -> io::Result<()> {
    let windows = close_windows(pid);
    let event = break_group(pid);
    if windows > 0 { Ok(()) } else { event }
}

/// Posts `WM_CLOSE` to the process's top-level windows and says how many took it.
fn close_windows(pid: u32) -> usize {
    let mut search = Search { pid, posted: 0 };
    // SAFETY: the callback gets the address of `search`, which outlives the call. It never stops the enumeration, so the result
    // says nothing new: without a desktop there are no windows.
    unsafe { EnumWindows(Some(close_window), &raw mut search as LPARAM) };
    search.posted
}

/// Raises `CTRL_BREAK` in the process group that the process was made the head of.
fn break_group(pid: u32) -> io::Result<()> {
    // SAFETY: takes plain values only.
    succeeded(unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, pid) })
}

struct Search {
    pid: u32,
    posted: usize,
}

unsafe extern "system" fn close_window(window: HWND, search: LPARAM) -> BOOL {
    let search = search as *mut Search;
    // SAFETY: the address that `close_windows` passed, on its own thread, while it waits.
    let search = unsafe { &mut *search };
    let mut pid = 0;
    // SAFETY: `pid` is ours to be written; a window that is gone gives none.
    unsafe { GetWindowThreadProcessId(window, &mut pid) };
    if pid == search.pid {
        // SAFETY: takes plain values only.
        let posted = unsafe { PostMessageW(window, WM_CLOSE, 0, 0) };
        search.posted += usize::from(posted != 0);
    }
    TRUE
}
