//! Folders by the File-system Hierarchy Standard (services) and the XDG Base Directory Specification (console).

use std::ffi::OsStr;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::{Dirs, Error};

/// Where system services leave their names, so that a command without a configuration file finds them: one symbolic link per
/// service to its runtime folder. Only root writes there.
const REGISTRY: &str = "/run/bilayer";

pub(crate) fn system(name: &str) -> Dirs {
    Dirs {
        runtime: Path::new("/run").join(name),
        state: Path::new("/var/lib").join(name),
        log: Path::new("/var/log").join(name),
    }
}

pub(crate) fn console(name: &str) -> Dirs {
    let state = console_state().join(name);
    Dirs { runtime: console_runtime().join(name), log: state.clone(), state }
}

/// The socket of the control endpoint.
pub(crate) fn control_socket(dirs: &Dirs) -> PathBuf {
    dirs.runtime.join("control.sock")
}

/// Where the sockets of the agents are.
pub(crate) fn agent_sockets(dirs: &Dirs) -> PathBuf {
    dirs.runtime.join("agents")
}

/// Makes what is missing. The folders of a service can be entered by everybody, since agents of every user reach their sockets
/// through them, and read by root; its state and log are root's alone. In a console everything is the user's alone.
pub(crate) fn ensure(dirs: &Dirs) -> Result<(), Error> {
    let shared = is_system(dirs);
    let traversable = if shared { 0o755 } else { 0o700 };
    if !shared && dirs.runtime.starts_with(fallback_runtime()) {
        // In /tmp anybody may have been faster: the first of our folders there must be ours.
        private_folder(&fallback_runtime(), 0o700)?;
    }
    for parent in [&dirs.runtime, &dirs.state, &dirs.log].into_iter().filter_map(|folder| folder.parent()) {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(parent);
        made.map_err(|source| Error::Folder { action: "make the folder", path: parent.to_owned(), source })?;
    }
    private_folder(&dirs.runtime, traversable)?;
    private_folder(&agent_sockets(dirs), traversable)?;
    private_folder(&dirs.state, 0o700)?;
    private_folder(&dirs.log, if shared { 0o750 } else { 0o700 })?;
    if shared { register(dirs) } else { Ok(()) }
}

/// Running services and console runs, in the order of their names.
pub(crate) fn running() -> Vec<Dirs> {
    let mut services: Vec<Dirs> =
        children(Path::new(REGISTRY)).into_iter().map(|(name, _)| system(&name)).collect();
    // The service whose runtime folder the registry is has no link in it.
    services.extend(Path::new(REGISTRY).file_name().and_then(OsStr::to_str).map(system));
    let consoles = children(&console_runtime()).into_iter().map(|(name, _)| console(&name));
    let mut found: Vec<Dirs> =
        services.into_iter().chain(consoles).filter(|dirs| answers(&control_socket(dirs))).collect();
    found.sort_by(|a, b| a.runtime.cmp(&b.runtime));
    found.dedup();
    found
}

/// Whether somebody listens at a socket. What we may not open, we may not talk to either.
pub(super) fn answers(socket: &Path) -> bool {
    std::os::unix::net::UnixStream::connect(socket).is_ok()
}

fn is_system(dirs: &Dirs) -> bool {
    geteuid().is_root() && dirs.runtime.parent() == Some(Path::new("/run"))
}

fn console_runtime() -> PathBuf {
    let own = geteuid().as_raw();
    let usable = |folder: &PathBuf| {
        folder.is_absolute()
            && fs::symlink_metadata(folder).is_ok_and(|meta| {
                meta.is_dir() && meta.uid() == own && meta.permissions().mode() & 0o022 == 0
            })
    };
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(usable) {
        Some(folder) => folder.join("bilayer"),
        None => fallback_runtime(),
    }
}

fn fallback_runtime() -> PathBuf {
    PathBuf::from(format!("/tmp/bilayer-{}", geteuid().as_raw()))
}

fn console_state() -> PathBuf {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_STATE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".local/state")))
        .unwrap_or_else(|| fallback_runtime().join("state"))
        .join("bilayer")
}

/// Makes a folder, or makes sure that the one that is there is a real folder of ours and has this mode.
fn private_folder(path: &Path, mode: u32) -> Result<(), Error> {
    let failed = |action| move |source| Error::Folder { action, path: path.to_owned(), source };
    let unsafe_because = |problem: String| Error::Unsafe { path: path.to_owned(), problem };
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            return Err(failed("make the folder")(error));
        }
        _ => {}
    }
    let meta = fs::symlink_metadata(path).map_err(failed("look at the folder"))?;
    if !meta.is_dir() {
        return Err(unsafe_because("is in the place of a folder; remove it and start again".into()));
    }
    let own = geteuid().as_raw();
    if meta.uid() != own {
        let owner = meta.uid();
        return Err(unsafe_because(format!(
            "belongs to uid {owner}, not to uid {own}; remove it and start again"
        )));
    }
    if meta.permissions().mode() & 0o7777 != mode {
        // Also where we made it: the process's umask took bits away.
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(path, permissions).map_err(failed("set the mode of the folder"))?;
    }
    Ok(())
}

fn register(dirs: &Dirs) -> Result<(), Error> {
    let registry = Path::new(REGISTRY);
    let Some(name) = dirs.runtime.file_name() else { return Ok(()) };
    let link = registry.join(name);
    if registry == dirs.runtime {
        return Ok(());
    }
    private_folder(registry, 0o755)?;
    match std::os::unix::fs::symlink(&dirs.runtime, &link) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => {
            Err(Error::Folder { action: "note the service in", path: link, source: error })
        }
        _ => Ok(()),
    }
}

fn children(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| Some((entry.file_name().into_string().ok()?, entry.path()))).collect()
}
