//! Unit files on the disk: where systemd looks for them, which are ours, and how one is exchanged.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::marker::{self, Marker};
use crate::InstalledService;

/// Where an administrator's units are: `bilayer install` writes here.
pub(super) const OWN: &str = "/etc/systemd/system";

/// Where systemd looks, the first place that has a unit of a name before the others: systemd.unit(5), "Unit File Load Path".
const PLACES: [&str; 6] = [
    OWN,
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
    "/run/systemd/generator",
];

/// A larger file is no unit of ours.
const BYTES_MAX: u64 = 64 * 1024;

/// How many edited files are kept beside a unit.
const KEPT_MAX: u32 = 1000;

/// The file that `bilayer install` writes for a service.
pub(super) fn own(name: &str) -> PathBuf {
    Path::new(OWN).join(format!("{name}.service"))
}

/// A unit file as it is on the disk.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// It is Bilayer's: its text, and what it says of itself.
    Ours(String, Marker),
    /// It is somebody else's, or no file at all: a link, a folder.
    Foreign,
}

/// Looks at a unit file.
pub(super) fn look_at(path: &Path) -> io::Result<Found> {
    let meta = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Found::Nothing),
        meta => meta?,
    };
    if !meta.is_file() || meta.len() > BYTES_MAX {
        return Ok(Found::Foreign);
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    Ok(match marker::read(&text) {
        Some(marker) => Found::Ours(text, marker),
        None => Found::Foreign,
    })
}

/// Whether the unit file at this path is Bilayer's.
pub(super) fn is_ours(path: &Path) -> bool {
    matches!(look_at(path), Ok(Found::Ours(..)))
}

/// Whether a package brought a unit of this name, which is ours and which one in [`OWN`] hides.
pub(super) fn is_packaged(name: &str) -> bool {
    is_in(name, &PLACES[1..].iter().map(Path::new).collect::<Vec<_>>())
}

/// Whether the unit that systemd takes, of those of this name in these places, is ours.
fn is_in(name: &str, places: &[&Path]) -> bool {
    let mut found = places.iter().map(|place| look_at(&place.join(format!("{name}.service"))));
    matches!(found.find(|found| !matches!(found, Ok(Found::Nothing))), Some(Ok(Found::Ours(..))))
}

/// Every service with a unit file of ours, by name.
pub(super) fn all() -> Vec<InstalledService> {
    all_in(&PLACES.map(Path::new))
}

fn all_in(places: &[&Path]) -> Vec<InstalledService> {
    let (mut seen, mut found) = (BTreeSet::new(), Vec::new());
    for place in places {
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let Ok(file) = entry.file_name().into_string() else { continue };
            let Some(name) = file.strip_suffix(".service") else { continue };
            let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
            // A unit hides those of its name in the places that come later.
            if is_file
                && seen.insert(name.to_owned())
                && let Ok(Found::Ours(_, marker)) = look_at(&entry.path())
            {
                let is_packaged = *place != Path::new(OWN);
                found.push(InstalledService { name: name.to_owned(), config: marker.config, is_packaged });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

/// Puts a unit file in the place of the one that is there, if there is one: systemd reads the old text or the new one, also
/// after the power failed.
pub(super) fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let fresh = folder.join(format!(".{name}.new"));
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(&fresh)?;
        // Whatever the umask took away: systemctl of every user reads it.
        file.set_permissions(fs::Permissions::from_mode(0o644))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        File::open(folder)?.sync_all()
    };
    written().inspect_err(|_| {
        let _ = fs::remove_file(&fresh);
    })
}

/// Keeps a copy of a unit file beside it, under a name that is still free and that systemd does not read. Returns the name.
pub(super) fn keep_copy(path: &Path, text: &str) -> io::Result<PathBuf> {
    for number in 1..=KEPT_MAX {
        let copy = path.with_added_extension(format!("bak-{number}"));
        match OpenOptions::new().write(true).create_new(true).mode(0o644).open(&copy) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            file => {
                let mut file = file?;
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                return Ok(copy);
            }
        }
    }
    Err(io::Error::other(format!("there are {KEPT_MAX} copies of {} already; remove some", path.display())))
}

/// What belongs to a unit and was not made with it: its folder of drop-ins, and the copies that [`keep_copy`] kept.
pub(super) fn by_hand(place: &Path, name: &str) -> Vec<PathBuf> {
    let (drop_ins, copy) = (format!("{name}.service.d"), format!("{name}.service.bak-"));
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let named = |file: &std::ffi::OsStr| {
        file.to_str().is_some_and(|file| file == drop_ins || file.starts_with(&copy))
    };
    let mut found: Vec<PathBuf> =
        entries.filter(|entry| named(&entry.file_name())).map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// Removes a unit file. One that is gone is no error.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const OURS: &str = "[Service]\n[X-Bilayer]\nConfig=/etc/acme/acme.toml\n";

    #[test]
    fn the_first_place_decides_whose_a_unit_is() {
        let folder = std::env::temp_dir().join(format!("bilayer-units-{}", std::process::id()));
        let (first, second) = (folder.join("etc"), folder.join("usr"));
        for place in [&first, &second] {
            fs::create_dir_all(place).unwrap();
        }
        let write = |place: &Path, name: &str, text: &str| write(&place.join(name), text).unwrap();
        write(&first, "a.service", OURS);
        write(&first, "b.service", "[Service]\n");
        write(&second, "b.service", OURS);
        write(&second, "c.service", OURS);
        write(&second, "d.socket", OURS);
        symlink(first.join("a.service"), first.join("e.service")).unwrap();
        let found = all_in(&[&first, &second, &folder.join("none")]);
        let names: Vec<&str> = found.iter().map(|service| service.name.as_str()).collect();
        assert_eq!(names, ["a", "c"], "one that hides another, a link and a socket are none");
        assert_eq!(found[0].config, Path::new("/etc/acme/acme.toml"));
        let is_ours = |name| is_in(name, &[&first, &second]);
        assert!(is_ours("a") && is_ours("c") && !is_ours("b") && !is_ours("d") && !is_ours("e"));
        assert_eq!(look_at(&first.join("e.service")).unwrap(), Found::Foreign);
        assert_eq!(look_at(&first.join("f.service")).unwrap(), Found::Nothing);

        let unit = first.join("a.service");
        assert_eq!(fs::metadata(&unit).unwrap().permissions().mode() & 0o777, 0o644);
        let copies = [keep_copy(&unit, "one").unwrap(), keep_copy(&unit, "two").unwrap()];
        assert_eq!(copies, [first.join("a.service.bak-1"), first.join("a.service.bak-2")]);
        assert_eq!(fs::read_to_string(&copies[0]).unwrap(), "one");
        fs::create_dir(first.join("a.service.d")).unwrap();
        let left = [&copies[..], &[first.join("a.service.d")]].concat();
        assert_eq!(by_hand(&first, "a"), left);
        remove(&unit).unwrap();
        remove(&unit).expect("it is gone already");
        fs::remove_dir_all(&folder).unwrap();
    }
}
