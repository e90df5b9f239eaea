//! What an ordinary program leaves open to those who would plant code in it, closed.

use windows_sys::Win32::Storage::FileSystem::SetSearchPathMode;
use windows_sys::Win32::System::Diagnostics::Debug::{
    SEM_FAILCRITICALERRORS, SEM_NOOPENFILEERRORBOX, SetErrorMode,
};
use windows_sys::Win32::System::LibraryLoader::{LOAD_LIBRARY_SEARCH_SYSTEM32, SetDefaultDllDirectories};
use windows_sys::Win32::System::WindowsProgramming::{
    BASE_SEARCH_PATH_ENABLE_SAFE_SEARCHMODE, BASE_SEARCH_PATH_PERMANENT,
};

/// Closes what an ordinary program leaves open to those who would plant code in it. Call it first in `main`, also in a program
/// that runs as an ordinary user: the same file is the service.
///
/// Libraries that are loaded from here on come from the system's own folder, never from that of the program, the working
/// directory or `PATH`; and a missing disk or file is an error and not a dialog, which nobody would ever close in the session of
/// the services. What this does not reach are the libraries that the program was linked with: they are loaded before `main`, from the
/// program's folder first, which is why an installation keeps that closed to ordinary users.
pub fn harden() {
    // SAFETY: takes a plain value only.
    if unsafe { SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32) } == 0 {
        let error = std::io::Error::last_os_error();
        tracing::warn!(%error, "libraries are searched for in the program's folder, too");
    }
    // A host without it searches no path of ours: nothing here asks for a file without its folder.
    // SAFETY: takes a plain value only.
    unsafe { SetSearchPathMode(BASE_SEARCH_PATH_ENABLE_SAFE_SEARCHMODE | BASE_SEARCH_PATH_PERMANENT) };
    // SAFETY: takes a plain value only. Programs that are started do not inherit it: they are created with the default.
    unsafe { SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOOPENFILEERRORBOX) };
}
