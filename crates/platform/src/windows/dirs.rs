//! Folders: below `ProgramData` for services, below `%LOCALAPPDATA%` for a run in a console; and the names of control pipes.

use std::ffi::OsString;
use std::os::windows::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::{env, fs, ptr};

use windows_sys::Win32::UI::Shell::GetAllUsersProfileDirectoryW;

use super::token::own_sid;
use super::{folder, pipe};
use crate::{Dirs, Error};

/// What an installed service uses: all of it in one folder, which has its permissions from [`ensure`].
pub(crate) fn system(name: &str) -> Dirs {
    let base = program_data().join(name);
    Dirs { runtime: base.join("run"), state: base.join("state"), log: base.join("log") }
}

/// What a run in a console uses: one folder below the user's own, which nobody else can enter.
pub(crate) fn console(name: &str) -> Dirs {
    let base = console_base().join(name);
    Dirs { runtime: base.clone(), state: base.clone(), log: base }
}

/// Where commands are taken, the likeliest place first.
///
/// A run in a console has one pipe, with its user's SID in the name, since all users of a machine share one folder of pipes. A
/// service listens in the folder in which only administrators can make pipes, so that nobody can have been there before;
/// under an account that is no administrator, it cannot, and listens in the shared one.
pub(crate) fn control_pipes(dirs: &Dirs) -> Vec<String> {
    match service_of(dirs) {
        None => vec![format!("{}bilayer-{}-{}", pipe::PREFIX, name_of(&dirs.runtime), own_sid())],
        Some(name) => vec![
            format!(r"{}ProtectedPrefix\Administrators\bilayer-{name}", pipe::PREFIX),
            format!("{}bilayer-{name}-service", pipe::PREFIX),
        ],
    }
}

/// The service that these folders belong to; `None` for those of a run in a console.
pub(crate) fn service_of(dirs: &Dirs) -> Option<String> {
    let base = dirs.runtime.parent()?;
    (base.parent() == Some(&program_data()) && dirs.runtime.ends_with("run")).then(|| name_of(base))
}

/// Makes what is missing. In a console the folders inherit the rights of the user's own; those of a service belong to it and to
/// administrators alone.
pub(crate) fn ensure(dirs: &Dirs) -> Result<(), Error> {
    let folders = [&*dirs.runtime, &*dirs.state, &*dirs.log];
    match (service_of(dirs), dirs.runtime.parent()) {
        (Some(service), Some(base)) => folder::ensure(&service, [base, folders[0], folders[1], folders[2]]),
        _ => folders.into_iter().try_for_each(|path| {
            let failed = |source| Error::Folder { action: "make the folder", path: path.to_owned(), source };
            fs::create_dir_all(path).map_err(failed)
        }),
    }
}

/// Services and runs in a console that answer now, in the order of their names.
pub(crate) fn running() -> Vec<Dirs> {
    let services = names_in(program_data()).map(|name| system(&name));
    let consoles = names_in(console_base()).map(|name| console(&name));
    let answers = |dirs: &Dirs| control_pipes(dirs).iter().any(|address| pipe::exists(address));
    let mut found: Vec<Dirs> = services.chain(consoles).filter(answers).collect();
    found.sort_by(|a, b| a.runtime.cmp(&b.runtime));
    found
}

/// Names in a folder that could be ours: what a service may be called, or a run in a console.
fn names_in(folder: PathBuf) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
}

/// The folder for data of all users, from the system rather than from the environment, which a service can be given. It does not
/// move while the system runs.
fn program_data() -> PathBuf {
    static FOUND: OnceLock<PathBuf> = OnceLock::new();
    FOUND.get_or_init(|| ask_for_program_data().unwrap_or_else(|| PathBuf::from(r"C:\ProgramData"))).clone()
}

/// `GetAllUsersProfileDirectoryW`: what `FOLDERID_ProgramData` stands for, without the shell's library.
fn ask_for_program_data() -> Option<PathBuf> {
    let mut length = 0;
    // SAFETY: without a buffer the call only says how long the answer is; it then "fails", which is how it is documented.
    unsafe { GetAllUsersProfileDirectoryW(ptr::null_mut(), &mut length) };
    let mut path = vec![0_u16; length as usize];
    // SAFETY: the buffer has that many units.
    if unsafe { GetAllUsersProfileDirectoryW(path.as_mut_ptr(), &mut length) } == 0 {
        return None;
    }
    let end = path.iter().position(|unit| *unit == 0)?;
    Some(PathBuf::from(OsString::from_wide(&path[..end]))).filter(|path| path.is_absolute())
}

fn console_base() -> PathBuf {
    let own = env::var_os("LOCALAPPDATA").map(PathBuf::from).filter(|path| path.is_absolute());
    own.unwrap_or_else(|| program_data().join("bilayer-console")).join("bilayer")
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
