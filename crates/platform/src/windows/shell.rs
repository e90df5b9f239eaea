//! The shell of a session: the program that draws its desktop and runs as its user.

use std::ffi::OsString;
use std::io;
use std::mem::size_of;
use std::os::windows::ffi::OsStringExt as _;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _, BorrowedHandle, OwnedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Foundation::{ERROR_NO_MORE_FILES, ERROR_NO_TOKEN};
use windows_sys::Win32::Security::{TOKEN_DUPLICATE, TOKEN_QUERY};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::SystemInformation::GetSystemWindowsDirectoryW;
use windows_sys::Win32::System::Threading::{PROCESS_NAME_WIN32, QueryFullProcessImageNameW};

use super::handle::{owned, succeeded};
use super::sid::Sid;
use super::station::session_of;
use super::stream::is;
use super::token::{Token, open_process};

const SHELL: &str = "explorer.exe";

/// In units, with the end marker: the longest path that there is.
const PATH_LENGTH_MAX: usize = 32_768;

/// The token of the shell of a session: of `%SystemRoot%\explorer.exe`, where that runs in the session, as a user whom the
/// caller accepts, and is not elevated. `ERROR_NO_TOKEN`: there is none.
pub(super) fn token_of(session: u32, accepts: impl Fn(&Sid) -> bool) -> io::Result<Token> {
    let shell = system_folder()?.join(SHELL);
    for pid in named(SHELL)? {
        // One that has ended, or that we may not look at, is not the shell.
        let found = candidate(pid, session, &shell, &accepts);
        if let Ok(Some(token)) = found {
            return Ok(token);
        }
    }
    Err(io::Error::from_raw_os_error(ERROR_NO_TOKEN.cast_signed()))
}

fn candidate(
    pid: u32,
    session: u32,
    shell: &Path,
    accepts: &impl Fn(&Sid) -> bool,
) -> io::Result<Option<Token>> {
    // From here on its id is its own.
    let process = open_process(pid)?;
    if session_of(pid)? != session || !is_same_file(&image_of(process.as_handle())?, shell) {
        return Ok(None);
    }
    let token = Token::of_with(process.as_handle(), TOKEN_QUERY | TOKEN_DUPLICATE)?;
    let fits = !token.is_elevated()? && accepts(&token.user()?);
    Ok(fits.then_some(token))
}

/// Whether two paths name one file: as text, since what another user's process shows is never opened.
fn is_same_file(image: &Path, shell: &Path) -> bool {
    match (image.to_str(), shell.to_str()) {
        (Some(image), Some(shell)) => image.eq_ignore_ascii_case(shell),
        _ => false,
    }
}

/// The ids of the processes whose program has this name, anywhere.
fn named(program: &str) -> io::Result<Vec<u32>> {
    // SAFETY: takes plain values only.
    let snapshot: OwnedHandle = owned(unsafe { CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0) })?;
    let mut entry = PROCESSENTRY32W { dwSize: size_of::<PROCESSENTRY32W>() as u32, ..Default::default() };
    let mut found = Vec::new();
    // SAFETY: the snapshot is alive; `entry` says its own size.
    let mut more = succeeded(unsafe { Process32FirstW(snapshot.as_raw_handle(), &mut entry) });
    while more.is_ok() {
        let end = entry.szExeFile.iter().position(|unit| *unit == 0).unwrap_or(entry.szExeFile.len());
        if String::from_utf16_lossy(&entry.szExeFile[..end]).eq_ignore_ascii_case(program) {
            found.push(entry.th32ProcessID);
        }
        // SAFETY: as above.
        more = succeeded(unsafe { Process32NextW(snapshot.as_raw_handle(), &mut entry) });
    }
    match more {
        Err(error) if !is(&error, ERROR_NO_MORE_FILES) => Err(error),
        _ => Ok(found),
    }
}

/// The file of a process's program.
fn image_of(process: BorrowedHandle<'_>) -> io::Result<PathBuf> {
    let mut path = vec![0_u16; PATH_LENGTH_MAX];
    let mut length = path.len() as u32;
    // SAFETY: the handle is alive and has the right to ask; `path` can take `length` units, and how many there are is written there.
    succeeded(unsafe {
        QueryFullProcessImageNameW(
            process.as_raw_handle(),
            PROCESS_NAME_WIN32,
            path.as_mut_ptr(),
            &mut length,
        )
    })?;
    Ok(OsString::from_wide(&path[..(length as usize).min(path.len())]).into())
}

/// The folder of Windows itself, by the system and not by a variable that somebody may have set.
pub(super) fn system_folder() -> io::Result<PathBuf> {
    let mut path = [0_u16; 260];
    // SAFETY: `path` can take that many units.
    let length = unsafe { GetSystemWindowsDirectoryW(path.as_mut_ptr(), path.len() as u32) } as usize;
    match length {
        0 => Err(io::Error::last_os_error()),
        length if length < path.len() => Ok(OsString::from_wide(&path[..length]).into()),
        _ => Err(io::Error::other("the path of the Windows folder is longer than a path can be")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::token::own_sid;

    #[test]
    fn only_the_shell_itself_is_taken() {
        let own_session = session_of(std::process::id()).unwrap();
        let own_name = std::env::current_exe().unwrap();
        let file = own_name.file_name().unwrap().to_str().unwrap();
        assert!(named(file).unwrap().contains(&std::process::id()), "the snapshot has this process");
        let found = candidate(std::process::id(), own_session, &own_name, &|sid| sid == own_sid());
        let elevated = Token::own().unwrap().is_elevated().unwrap();
        assert_eq!(found.unwrap().is_some(), !elevated);
        for (session, shell, accept) in [
            (own_session + 1, own_name.clone(), true),
            (own_session, system_folder().unwrap().join(SHELL), true),
            (own_session, own_name.clone(), false),
        ] {
            let found = candidate(std::process::id(), session, &shell, &|_| accept);
            assert!(found.unwrap().is_none());
        }
    }

    #[test]
    fn paths_are_compared_without_case() {
        let same = |a: &str, b: &str| is_same_file(Path::new(a), Path::new(b));
        assert!(same(r"C:\WINDOWS\Explorer.EXE", r"c:\windows\explorer.exe"));
        assert!(!same(r"C:\Users\x\explorer.exe", r"C:\Windows\explorer.exe"));
    }
}
