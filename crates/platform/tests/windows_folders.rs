//! Folders of a service on Windows, and who can change a file.
//!
//! Under Wine there is one user, and permissions are the modes of Unix files. What that cannot show (another owner, a junction) is
//! decided by pure functions with tables of their own, and is a step of the acceptance script for real Windows.
#![cfg(all(windows, feature = "host"))]
#![allow(clippy::unwrap_used)] // Tests, though the lint does not see it outside of their functions.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use bilayer_platform::{Dirs, Error, random_bytes, writable_by_others};

/// Folders of a service that nobody else has, gone at the end of the test.
struct Service {
    dirs: Dirs,
    base: PathBuf,
}

impl Service {
    fn new() -> Service {
        let dirs = Dirs::system(&format!("test-{:08x}", u32::from_ne_bytes(random_bytes())));
        let base = dirs.state.parent().unwrap().to_owned();
        Service { dirs, base }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.base);
        let _ = fs::remove_file(&self.base);
    }
}

/// Lets everybody change a file or folder.
fn open_to_everybody(path: &Path) {
    let run = |program: &str, words: &[&str]| {
        let output = Command::new(program).args(words).stderr(Stdio::inherit()).output().unwrap();
        assert!(output.status.success(), "{program} {words:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let path = path.to_str().unwrap();
    // Wine keeps no lists but modes, and its icacls does nothing.
    if Path::new(r"Z:\bin\chmod").exists() {
        let unix = run("winepath", &["-u", path]);
        run("start", &["/wait", "/unix", "/bin/chmod", "a+rwx", &unix]);
    } else {
        run("icacls", &[path, "/grant", "*S-1-1-0:(OI)(CI)(M,DC)"]);
    }
}

fn refusal(dirs: &Dirs) -> (PathBuf, String) {
    match dirs.ensure() {
        Err(Error::Unsafe { path, problem }) => (path, problem),
        other => panic!("expected a refusal, and it was {other:?}"),
    }
}

#[test]
fn a_services_folders_are_made_once_and_found_again() {
    let service = Service::new();
    let dirs = &service.dirs;
    dirs.ensure().unwrap();
    for folder in [&dirs.runtime, &dirs.state, &dirs.log] {
        assert!(folder.is_dir() && folder.starts_with(&service.base));
    }
    fs::write(dirs.log.join("service.log"), "line\n").unwrap();
    assert_eq!(writable_by_others(&dirs.log.join("service.log")).unwrap(), None);
    dirs.ensure().unwrap();
    assert_eq!(fs::read_to_string(dirs.log.join("service.log")).unwrap(), "line\n");
}

#[test]
fn a_file_in_the_place_of_a_folder_is_left_alone() {
    let service = Service::new();
    fs::write(&service.base, "mine").unwrap();
    let (path, problem) = refusal(&service.dirs);
    assert_eq!(path, service.base);
    assert!(problem.contains("in the place of a folder; remove it"), "{problem}");
    assert_eq!(fs::read_to_string(&service.base).unwrap(), "mine");
}

#[test]
fn a_folder_that_everybody_can_change_is_not_used() {
    let service = Service::new();
    fs::create_dir(&service.base).unwrap();
    open_to_everybody(&service.base);
    let (path, problem) = refusal(&service.dirs);
    assert_eq!(path, service.base);
    assert!(problem.contains("Everyone (S-1-1-0)") && problem.contains("remove it"), "{problem}");
    assert!(!service.dirs.state.exists(), "nothing was made in it");
}

#[test]
fn a_folder_of_the_administrators_gets_its_permissions_if_nothing_in_it_is_foreign() {
    let service = Service::new();
    // As an installer leaves it, with what folders here get by default.
    fs::create_dir(&service.base).unwrap();
    fs::write(service.base.join("acme.toml"), "").unwrap();
    service.dirs.ensure().unwrap();
    assert_eq!(writable_by_others(&service.base.join("acme.toml")).unwrap(), None);
}

#[test]
fn who_could_change_a_file_is_told() {
    let service = Service::new();
    service.dirs.ensure().unwrap();
    let folder = service.dirs.state.join("deep");
    let file = folder.join("program.exe");
    fs::create_dir(&folder).unwrap();
    fs::write(&file, "").unwrap();
    assert_eq!(writable_by_others(&file).unwrap(), None);

    open_to_everybody(&file);
    let who = writable_by_others(&file).unwrap().unwrap();
    assert_eq!(who, format!("{} is writable by Everyone (S-1-1-0)", file.display()));

    let beside = folder.join("other.exe");
    fs::write(&beside, "").unwrap();
    open_to_everybody(&folder);
    let who = writable_by_others(&beside).unwrap().unwrap();
    assert!(who.starts_with(&format!("{} is writable by", folder.display())), "the folder counts: {who}");
}

#[test]
fn what_is_not_there_or_elsewhere_is_no_file_to_trust() {
    let missing = writable_by_others(Path::new(r"C:\no\such\file")).unwrap_err();
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    assert!(missing.to_string().contains(r"C:\no"), "{missing}");
    let share = writable_by_others(Path::new(r"\\host.invalid\share\program.exe")).unwrap().unwrap();
    assert!(share.contains("another machine"), "{share}");
}
