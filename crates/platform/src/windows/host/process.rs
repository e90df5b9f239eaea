//! What a privileged process does to itself before it does anything else.

use std::env;

use windows_sys::Win32::System::LibraryLoader::{
    LOAD_LIBRARY_SEARCH_SYSTEM32, SetDefaultDllDirectories, SetDllDirectoryW,
};
use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;

use super::super::handle::succeeded;

/// Libraries come from the system's own folder from now on, and the working directory is that folder too: whoever can write
/// another one cannot have a library of theirs loaded. Neither can be refused for a reason that would keep the service from
/// working, so that a refusal is a warning.
pub(super) fn harden() {
    // SAFETY: takes a plain value only.
    let libraries = succeeded(unsafe { SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32) });
    let empty = [0_u16];
    // SAFETY: an empty string with its end marker takes the working directory out of the search.
    let working = succeeded(unsafe { SetDllDirectoryW(empty.as_ptr()) });
    let folder = system_folder().map_or(Ok(()), env::set_current_dir);
    for (tried, outcome) in [
        ("keep libraries to the system's folder", libraries),
        ("take the working directory out of the search for libraries", working),
        ("enter the system's folder", folder),
    ] {
        if let Err(error) = outcome {
            tracing::warn!(%error, "cannot {tried}");
        }
    }
}

fn system_folder() -> Option<String> {
    // MAX_PATH, which holds for this folder.
    let mut path = [0_u16; 260];
    // SAFETY: `path` can take that many units.
    let length = unsafe { GetSystemDirectoryW(path.as_mut_ptr(), path.len() as u32) };
    let path = path.get(..length as usize).filter(|path| !path.is_empty())?;
    String::from_utf16(path).ok()
}
