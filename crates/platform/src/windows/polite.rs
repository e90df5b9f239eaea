//! Asking a process of this session to end: `WM_CLOSE` to its windows, a Ctrl-Break to its console.
//!
//! Done by the helper, which has no console and no windows of its own.

use windows_sys::Win32::Foundation::{HWND, LPARAM, TRUE};
use windows_sys::Win32::System::Console::{
    AttachConsole, CTRL_BREAK_EVENT, FreeConsole, GenerateConsoleCtrlEvent, SetConsoleCtrlHandler,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    EnumWindows, GetClassNameW, GetWindowThreadProcessId, PostMessageW, WM_CLOSE,
};
use windows_sys::core::BOOL;

/// The class of a console's window. It counts as the program's, and closing it would kill the program without a word.
const CONSOLE_CLASS: &str = "ConsoleWindowClass";

/// Asks in every way there is; whether there was one.
pub(super) fn ask_to_end(pid: u32) -> bool {
    let windows = close_windows(pid);
    let console = break_console(pid);
    windows > 0 || console
}

/// Posts `WM_CLOSE` to the process's top-level windows, seen or not, and says how many took it. Those that are for messages only
/// are left alone: libraries have them, and are broken without.
fn close_windows(pid: u32) -> usize {
    let mut search = Search { pid, posted: 0 };
    // SAFETY: the callback gets the address of `search`, which outlives the call. It never stops the enumeration, so the result
    // says nothing new: without a desktop there are no windows.
    unsafe { EnumWindows(Some(close_window), &raw mut search as LPARAM) };
    search.posted
}

/// Raises a Ctrl-Break on the console of the process, which it shares with nobody but those that it started.
fn break_console(pid: u32) -> bool {
    // SAFETY: takes a plain value only. It fails where the process has no console, or is gone.
    if unsafe { AttachConsole(pid) } == 0 {
        return false;
    }
    // The event reaches everybody on the console where the group is not one: this process is not who is meant.
    // SAFETY: the handler is a function that takes plain values and lives as long as the program.
    unsafe { SetConsoleCtrlHandler(Some(ignore), TRUE) };
    // SAFETY: takes plain values only. The process was made the head of a group.
    let asked = unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, pid) } != 0
        // In a console with a window it is none; 0 are all on this console, which is the process's own.
        // SAFETY: as above.
        || unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, 0) } != 0;
    // SAFETY: takes nothing.
    unsafe { FreeConsole() };
    asked
}

unsafe extern "system" fn ignore(_event: u32) -> BOOL {
    TRUE
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
    if pid == search.pid && !is_console(window) {
        // SAFETY: takes plain values only.
        let posted = unsafe { PostMessageW(window, WM_CLOSE, 0, 0) };
        search.posted += usize::from(posted != 0);
    }
    TRUE
}

fn is_console(window: HWND) -> bool {
    let mut name = [0_u16; 32];
    // SAFETY: `name` can take as many units as are said; how many there are is returned.
    let length = unsafe { GetClassNameW(window, name.as_mut_ptr(), name.len() as i32) };
    let length = usize::try_from(length).unwrap_or(0);
    name[..length].iter().copied().eq(CONSOLE_CLASS.encode_utf16())
}
