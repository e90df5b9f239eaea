//! Whether a file is a program that can be started here.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::windows::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::windows::io::AsRawHandle as _;
use std::path::{Component, Path, Prefix};
use std::sync::OnceLock;

use windows_sys::Win32::Storage::FileSystem::{FILE_TYPE_DISK, GetDriveTypeW, GetFileType};
use windows_sys::Win32::System::Threading::{GetCurrentProcess, IsWow64Process2};
use windows_sys::Win32::System::WindowsProgramming::DRIVE_REMOTE;

use super::handle::succeeded;
use super::pe::{self, Machine, Subsystem};
use super::wide::wide;
use super::{refusal, trust};
use crate::LaunchError;

/// `CreateProcessW` takes a longer path, with its end marker, in its verbatim form only.
const PLAIN_LENGTH_MAX: usize = 260;

/// Makes sure that a program is there, is one that this machine can run without an interpreter, and, if this process is
/// privileged, that nobody else can write it.
pub fn check_program(program: &Path, trust_writable: bool) -> Result<(), LaunchError> {
    let refused = |advice: &str| refusal::wrong(program, advice);
    look_at_path(program).map_err(refused)?;
    if !trust_writable && super::is_privileged() {
        check_writers(program)?;
    }
    let mut file = open(program)?;
    let header = pe::read(&mut file).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidData => refused(&error.to_string()),
        _ => refusal::launch(program, error),
    })?;
    if header.subsystem == Subsystem::Other {
        return Err(refused("it is a driver or a program for the firmware, not for Windows"));
    }
    if let Some(own) = machine()
        && !own.could_run(header.machine)
    {
        let (built, own) = (header.machine.name(), own.name());
        return Err(refused(&format!("it is built for {built}; this machine has {own}")));
    }
    Ok(())
}

/// The path as `CreateProcessW` takes it. The plain form while it will do: the program sees it as its own path, and not every
/// program knows the other.
pub(super) fn for_launch(program: &Path) -> OsString {
    // Makes `/` into `\` and resolves `..`, neither of which the verbatim form knows.
    let absolute = std::path::absolute(program).unwrap_or_else(|_| program.to_owned());
    if absolute.as_os_str().encode_wide().count() < PLAIN_LENGTH_MAX {
        return absolute.into_os_string();
    }
    let Some(Component::Prefix(prefix)) = absolute.components().next() else {
        return absolute.into_os_string();
    };
    let (start, skipped) = match prefix.kind() {
        Prefix::Disk(_) => (r"\\?\", ""),
        Prefix::UNC(..) => (r"\\?\UNC\", r"\\"),
        _ => return absolute.into_os_string(),
    };
    let rest = absolute.as_os_str().encode_wide().skip(skipped.len());
    OsString::from_wide(&start.encode_utf16().chain(rest).collect::<Vec<_>>())
}

/// What can be told from the path alone.
fn look_at_path(program: &Path) -> Result<(), &'static str> {
    if !program.is_absolute() {
        return Err("it is not an absolute path; name the drive and every folder");
    }
    let prefix = program.components().next();
    if matches!(prefix, Some(Component::Prefix(prefix)) if matches!(prefix.kind(), Prefix::DeviceNS(_) | Prefix::Verbatim(_)))
    {
        return Err("it names a device; name the drive and every folder");
    }
    // A file can have further contents beside its own, which no folder's listing shows.
    let names = program.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    if names.into_iter().any(|name| name.encode_wide().any(|unit| unit == u16::from(b':'))) {
        return Err("it names a part of a file (with a colon); name the file itself");
    }
    // cmd.exe would parse the command line by rules of its own, and an argument could become a command (CVE-2024-24576).
    let batch =
        |extension: &str| extension.eq_ignore_ascii_case("bat") || extension.eq_ignore_ascii_case("cmd");
    if program.extension().and_then(|extension| extension.to_str()).is_some_and(batch) {
        return Err(
            "it is a batch file, whose arguments cannot be passed safely; name the program that it starts",
        );
    }
    Ok(())
}

/// A service that gives its own rights away with every program must know who can change it.
fn check_writers(program: &Path) -> Result<(), LaunchError> {
    if is_remote(program) {
        return Err(refusal::wrong(
            program,
            "it is on another machine, and who can change it there is not known here; install it on this one, or set \
             trust_writable_program = true",
        ));
    }
    match trust::writable_by_others(program) {
        Ok(None) => Ok(()),
        Ok(Some(who)) => Err(refusal::wrong(
            program,
            &format!(
                "{who}: a service does not start what others can change; take that right away, or set \
             trust_writable_program = true"
            ),
        )),
        Err(error) => Err(refusal::launch(program, error)),
    }
}

/// Whether a path leads to another machine.
fn is_remote(path: &Path) -> bool {
    let Some(Component::Prefix(prefix)) = path.components().next() else { return true };
    match prefix.kind() {
        Prefix::Disk(letter) | Prefix::VerbatimDisk(letter) => {
            let root = wide(format!("{}:\\", char::from(letter)));
            // SAFETY: `root` has its end marker.
            let kind = unsafe { GetDriveTypeW(root.as_ptr()) };
            kind == DRIVE_REMOTE
        }
        _ => true,
    }
}

fn open(program: &Path) -> Result<File, LaunchError> {
    // Asked first, what it is would cost more than the opening: the volume that it is on is asked too.
    match File::open(program) {
        Ok(file) if is_on_disk(&file) => Ok(file),
        Ok(_) => Err(refusal::wrong(program, "it is not a file")),
        // A folder cannot be opened as a file, and that answer is about permissions.
        Err(_) if program.is_dir() => Err(refusal::wrong(program, "it is not a file")),
        Err(error) => Err(refusal::launch(program, error)),
    }
}

/// Whether it is a file rather than a device or a pipe, from which nothing may be read to find that out.
fn is_on_disk(file: &File) -> bool {
    // SAFETY: the handle is open.
    (unsafe { GetFileType(file.as_raw_handle()) }) == FILE_TYPE_DISK
}

/// The processor of this machine, also where this program runs on another's emulation. `None`: the system did not say.
fn machine() -> Option<Machine> {
    static OWN: OnceLock<Option<Machine>> = OnceLock::new();
    *OWN.get_or_init(|| {
        let (mut emulated, mut native) = (0, 0);
        // SAFETY: takes nothing and returns a constant that stands for this process.
        let process = unsafe { GetCurrentProcess() };
        // SAFETY: the handle stands for this process; both numbers are ours to be written.
        let answered = succeeded(unsafe { IsWow64Process2(process, &mut emulated, &mut native) });
        answered.ok().map(|()| Machine(native))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_verbatim_only_where_it_must_be() {
        assert_eq!(for_launch(Path::new(r"C:\Program Files\ä.exe")), r"C:\Program Files\ä.exe");
        assert_eq!(for_launch(Path::new(r"C:/a/../b.exe")), r"C:\b.exe");
        let long = "x".repeat(250);
        assert_eq!(
            for_launch(Path::new(&format!(r"C:\{long}\a b.exe"))),
            OsString::from(format!(r"\\?\C:\{long}\a b.exe"))
        );
        assert_eq!(
            for_launch(Path::new(&format!(r"\\server\share\{long}\a.exe"))),
            OsString::from(format!(r"\\?\UNC\server\share\{long}\a.exe"))
        );
    }

    #[test]
    fn what_is_wrong_with_a_path_is_told() {
        for (path, word) in [
            ("a.exe", "absolute"),
            (r"C:a.exe", "absolute"),
            (r"\\.\pipe\a", "device"),
            (r"C:\a.txt:b.exe", "colon"),
            (r"C:\a.BAT", "batch"),
        ] {
            let error = look_at_path(Path::new(path)).unwrap_err();
            assert!(error.contains(word), "{path}: {error}");
        }
        assert_eq!(look_at_path(Path::new(r"C:\Program Files\ä.exe")), Ok(()));
        assert_eq!(look_at_path(Path::new(r"\\server\share\a.exe")), Ok(()));
    }

    #[test]
    fn another_machine_is_known_by_its_path() {
        assert!(is_remote(Path::new(r"\\server\share\a.exe")));
        assert!(is_remote(Path::new(r"\\?\UNC\server\share\a.exe")));
        assert!(!is_remote(Path::new(r"C:\a.exe")));
    }
}
