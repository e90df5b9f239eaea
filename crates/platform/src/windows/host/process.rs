//! Where a service works.

use std::{env, io};

use windows_sys::Win32::System::SystemInformation::GetSystemDirectoryW;

/// Makes the system's own folder the working directory, whatever the program was started in: a folder that somebody else can
/// write would be searched by what takes relative paths, and one on a removable disk would be held.
pub(super) fn enter_system_folder() {
    if let Err(error) = system_folder().and_then(env::set_current_dir) {
        tracing::warn!(%error, "cannot enter the system's folder");
    }
}

fn system_folder() -> io::Result<String> {
    // MAX_PATH, which holds for this folder.
    let mut path = [0_u16; 260];
    // SAFETY: `path` can take that many units.
    let length = unsafe { GetSystemDirectoryW(path.as_mut_ptr(), path.len() as u32) };
    match path.get(..length as usize) {
        Some(path) if !path.is_empty() => String::from_utf16(path).map_err(io::Error::other),
        _ => Err(io::Error::last_os_error()),
    }
}
