//! Folders: `%ProgramData%` for services, `%LOCALAPPDATA%` for a run in a console; and the name of the control pipe.

use std::path::{Path, PathBuf};
use std::{env, fs};

use super::pipe;
use super::token::own_sid;
use crate::{Dirs, Error};

/// What an installed service uses.
pub(crate) fn system(name: &str) -> Dirs {
    let base = folder("ProgramData", r"C:\ProgramData").join(name);
    Dirs { runtime: base.join("run"), state: base.join("state"), log: base.join("log") }
}

/// What a run in a console uses: one folder below the user's own, which nobody else can enter.
pub(crate) fn console(name: &str) -> Dirs {
    let base = console_base().join(name);
    Dirs { runtime: base.clone(), state: base.clone(), log: base }
}

/// Where the service listens for commands. The pipe of a run in a console carries its user's SID, since all users of a machine
/// share one folder of pipes; that of a service is in the folder in which only administrators can make pipes.
pub(crate) fn control_pipe(dirs: &Dirs) -> String {
    if is_console(dirs) {
        format!("{}bilayer-{}-{}", pipe::PREFIX, name_of(&dirs.runtime), own_sid())
    } else {
        let name = dirs.runtime.parent().map(name_of).unwrap_or_default();
        format!(r"{}ProtectedPrefix\Administrators\bilayer-{name}", pipe::PREFIX)
    }
}

/// Whether these are the folders of a run in a console.
pub(crate) fn is_console(dirs: &Dirs) -> bool {
    dirs.runtime.parent() == Some(&console_base())
}

/// Makes what is missing. In a console the folders inherit the rights of the user's own; those of a service come with it.
pub(crate) fn ensure(dirs: &Dirs) -> Result<(), Error> {
    if !is_console(dirs) {
        let problem =
            "belongs to the Windows service, which this build does not have yet; run in a console".into();
        return Err(Error::Unsafe { path: dirs.state.clone(), problem });
    }
    [&dirs.runtime, &dirs.state, &dirs.log].into_iter().try_for_each(|path| {
        let failed = |source| Error::Folder { action: "make the folder", path: path.clone(), source };
        fs::create_dir_all(path).map_err(failed)
    })
}

/// Runs in a console that answer now, in the order of their names.
pub(crate) fn running() -> Vec<Dirs> {
    let entries = fs::read_dir(console_base()).into_iter().flatten().flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut found: Vec<Dirs> =
        names.map(|name| console(&name)).filter(|dirs| pipe::exists(&control_pipe(dirs))).collect();
    found.sort_by(|a, b| a.runtime.cmp(&b.runtime));
    found
}

fn console_base() -> PathBuf {
    folder("LOCALAPPDATA", r"C:\ProgramData").join("bilayer")
}

fn folder(variable: &str, otherwise: &str) -> PathBuf {
    let path = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute());
    path.unwrap_or_else(|| PathBuf::from(otherwise))
}

fn name_of(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}
