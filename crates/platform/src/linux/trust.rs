//! Whether a program can be trusted with the rights of whoever runs it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::LaunchErrorKind::Wrong;
use crate::{LaunchError, is_privileged};

/// Makes sure that a program is there, is a file, can be executed and, if this process is privileged, that it does not make itself
/// another user and that nobody but root can write it or a folder above it.
pub fn check_program(program: &Path, trust_writable: bool) -> Result<(), LaunchError> {
    let subject = || program.display().to_string();
    let refused = |advice: &str| LaunchError::refused("execute", subject(), Wrong, advice);
    if !program.is_absolute() {
        return Err(refused("the path of a program starts at the root folder; no search path is used"));
    }
    let meta = fs::metadata(program).map_err(|source| {
        let advice = if source.kind() == io::ErrorKind::NotFound {
            "there is no such file"
        } else {
            "it cannot be looked at"
        };
        LaunchError::system("execute", subject(), Wrong, source).with_advice(advice)
    })?;
    if meta.is_dir() {
        return Err(refused("it is a folder"));
    }
    if !meta.is_file() {
        return Err(refused("it is not a file"));
    }
    if meta.mode() & 0o111 == 0 {
        return Err(refused("it is not executable; chmod +x makes it so"));
    }
    if !is_privileged() {
        return Ok(());
    }
    if meta.mode() & 0o4000 != 0 {
        let uid = meta.uid();
        return Err(refused(&format!(
            "it is a setuid program: it would run as uid {uid}, and an agent runs as its session's user; name another one, or \
             chmod u-s it"
        )));
    }
    if trust_writable {
        return Ok(());
    }
    match writable_by_others(program) {
        Ok(None) => Ok(()),
        Ok(Some(who)) => Err(refused(&format!(
            "{who}, and whoever can write it decides what runs; move it, or set trust_writable_program = true"
        ))),
        Err(source) => Err(LaunchError::system("find out who can write", subject(), Wrong, source)),
    }
}

/// Says which path and who, if somebody other than root can write the file or a folder above it. Symbolic links count by the
/// folders that they are in and by where they lead.
///
/// The sticky bit of a folder such as `/tmp` does not help: it keeps others from replacing what is there, not from having been
/// there first.
pub fn writable_by_others(path: &Path) -> io::Result<Option<String>> {
    match Straight::walk(path) {
        Some(Straight { writable }) => Ok(writable),
        None => writable_by_way_of_links(path),
    }
}

/// A path that leads through folders alone, as nearly all do: each step is all there is to know about itself.
struct Straight {
    /// As [`writable_by_others`] says it.
    writable: Option<String>,
}

impl Straight {
    /// Looks at each step once. `None`: there is a link, or anything else that this does not follow, or a step cannot be looked
    /// at.
    ///
    /// Nobody can change the way while it is walked and not be found: the topmost step that they can write is reached through
    /// folders that they cannot.
    fn walk(path: &Path) -> Option<Straight> {
        if !is_plain(path) {
            return None;
        }
        let mut writable = None;
        for step in path.ancestors() {
            let meta = fs::symlink_metadata(step).ok()?;
            if meta.is_symlink() {
                return None;
            }
            writable = writable.or_else(|| writable_at(step, &meta));
        }
        Some(Straight { writable })
    }
}

/// From the root, and each name by itself: `..` can lead out of a link, and a slash at the end leads through one.
fn is_plain(path: &Path) -> bool {
    let mut names = path.as_os_str().as_bytes().split(|byte| *byte == b'/');
    names.next() == Some(b"") && names.all(|name| !matches!(name, b"" | b"." | b".."))
}

fn writable_by_way_of_links(path: &Path) -> io::Result<Option<String>> {
    // As written, whoever can change a link on the way can change where it leads; resolved, whoever can change its end.
    let written = std::path::absolute(path)?;
    let resolved = fs::canonicalize(path)?;
    let is_without_links = written == resolved;
    let on_the_way = written.ancestors().skip(1).filter(|_| !is_without_links);
    for step in on_the_way.chain(resolved.ancestors()) {
        if let Some(found) = writable_at(step, &fs::metadata(step)?) {
            return Ok(Some(found));
        }
    }
    if is_without_links { Ok(None) } else { links_on(&written) }
}

/// The same for programs that this process's own user starts without elevation. There is no such thing here: root is root.
pub fn writable_without_elevation(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}

/// Links that lead to links: each is judged by the folders of its own way.
fn links_on(path: &Path) -> io::Result<Option<String>> {
    let mut current = path.to_owned();
    // The kernel follows 40 links at most: path_resolution(7).
    for _ in 0..40 {
        let Some((link, rest)) = first_link(&current) else { return Ok(None) };
        let target = fs::read_link(&link)?;
        let folder = link.parent().unwrap_or(Path::new("/"));
        current = folder.join(target).join(rest);
        for step in current.ancestors().skip(1) {
            let Ok(meta) = fs::metadata(step) else { continue };
            if let Some(found) = writable_at(step, &meta) {
                return Ok(Some(found));
            }
        }
    }
    Ok(None)
}

fn first_link(path: &Path) -> Option<(PathBuf, PathBuf)> {
    let mut walked = PathBuf::new();
    let mut components = path.components();
    while let Some(component) = components.next() {
        walked.push(component);
        if fs::symlink_metadata(&walked).is_ok_and(|meta| meta.is_symlink()) {
            return Some((walked, components.as_path().to_owned()));
        }
    }
    None
}

fn writable_at(step: &Path, meta: &Metadata) -> Option<String> {
    Some(format!("{} is writable by {}", step.display(), who_writes(meta)?))
}

fn who_writes(meta: &Metadata) -> Option<String> {
    if meta.uid() != 0 {
        return Some(format!("its owner, uid {}", meta.uid()));
    }
    if meta.mode() & 0o002 != 0 {
        return Some("everybody".into());
    }
    // Access control lists show in the group's bits: acl(5).
    if meta.mode() & 0o020 != 0 && meta.gid() != 0 {
        return Some(format!("its group, gid {}", meta.gid()));
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_shared_folder_is_writable_by_everybody() {
        let path = std::env::temp_dir().join(format!("bilayer-trust-{}", std::process::id()));
        fs::write(&path, "").unwrap();
        let found = writable_by_others(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(found.unwrap().contains("is writable by"));
    }

    #[test]
    fn the_systems_own_programs_are_trusted() {
        assert_eq!(writable_by_others(Path::new("/bin/sh")).unwrap(), None);
    }

    /// Both ways' answers, which are the same, and whether the path is a straight one.
    fn walked(path: &Path) -> (Result<Option<String>, io::ErrorKind>, bool) {
        let found = writable_by_others(path).map_err(|error| error.kind());
        let by_links = writable_by_way_of_links(path).map_err(|error| error.kind());
        assert_eq!(found, by_links, "{}", path.display());
        (found, Straight::walk(path).is_some())
    }

    #[test]
    fn a_straight_path_is_judged_as_one_with_links_is() {
        let folder =
            std::env::temp_dir().canonicalize().unwrap().join(format!("bilayer-way-{}", std::process::id()));
        fs::create_dir_all(folder.join("in/deep")).unwrap();
        for (name, mode) in [("file", 0o644), ("in/deep/shared", 0o666), ("in/ours", 0o600)] {
            fs::write(folder.join(name), "").unwrap();
            fs::set_permissions(folder.join(name), Permissions::from_mode(mode)).unwrap();
        }
        let links =
            [("link", "file"), ("in/up", ".."), ("to", "in/deep"), ("lost", "none"), ("loop", "loop")];
        for (name, target) in links {
            symlink(target, folder.join(name)).unwrap();
        }
        for straight in ["file", "in", "in/deep", "in/deep/shared", "in/ours"] {
            let (found, is_straight) = walked(&folder.join(straight));
            assert!(is_straight && found.unwrap().is_some(), "{straight}");
        }
        let odd = [
            "link",
            "to",
            "to/",
            "to/.",
            "to/shared",
            "to/..",
            "in/up",
            "in/up/",
            "in/up/file",
            "in/up/in/up/link",
            "in/../file",
            "in/./ours",
            "in//ours",
            "in/",
            "in/.",
            "in/..",
            "file/",
            "file/.",
            "file/..",
            "file/x",
            "lost",
            "lost/x",
            "loop",
            "loop/",
            "none",
            "none/..",
            "none/x",
            "a\0b",
            "/",
            "//",
            "///usr",
            "//usr",
            "..",
            ".",
            "",
            "./usr",
            "usr/bin",
        ];
        for odd in odd {
            for path in [folder.join(odd), PathBuf::from(format!("{}/{odd}", folder.display())), odd.into()] {
                assert!(!walked(&path).1, "{}", path.display());
            }
        }
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(walked(Path::new("/usr/bin/env")), (Ok(None), true));
    }
}
