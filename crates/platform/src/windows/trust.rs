//! Who can change a file.

use std::io;
use std::path::{Component, Path, PathBuf, Prefix};

use super::acl::Place;
use super::object::{Kind, Object};
use super::token::own_sid;
#[cfg(feature = "host")]
use super::token::{ElevationType, Token};

/// How many links are followed: the system follows 63.
const LINKS_MAX: usize = 63;

/// Says which path and who, if somebody other than administrators, the system and this process's own user could write the file or
/// put another in its place: by the permissions of the file, of every folder above it, and of every link on the way.
///
/// # Errors
///
/// Something on the way is not there, or its permissions cannot be read.
#[cfg(feature = "host")]
pub fn writable_by_others(path: &Path) -> io::Result<Option<String>> {
    who_writes(path, Place::File)
}

/// The same for programs that this process's own user starts without elevation, where user account control keeps the two apart: an
/// elevated process can own a file by its user's name, and then every other program of that user can write it. `None` where
/// this process is not elevated so.
///
/// # Errors
///
/// As [`writable_by_others`].
#[cfg(feature = "host")]
pub fn writable_without_elevation(path: &Path) -> io::Result<Option<String>> {
    match Token::own()?.elevation_type()? {
        ElevationType::Full => find_writer(path, Place::File, &[]),
        ElevationType::Default | ElevationType::Limited => Ok(None),
    }
}

/// Who else could write a path that is in this place. This process's own user is nobody else.
pub(super) fn who_writes(path: &Path, place: Place) -> io::Result<Option<String>> {
    find_writer(path, place, &[own_sid().as_str()])
}

fn find_writer(path: &Path, place: Place, trusted: &[&str]) -> io::Result<Option<String>> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..=LINKS_MAX {
        if !is_on_this_machine(&path) {
            return Ok(Some(format!(
                "{} is on another machine, which may say what it likes",
                path.display()
            )));
        }
        match walk(&path, place, trusted)? {
            Way::Clear => return Ok(None),
            Way::Writable(who) => return Ok(Some(who)),
            Way::Leads(elsewhere) => path = std::path::absolute(elsewhere)?,
        }
    }
    Err(io::Error::other(format!("{} leads through more than {LINKS_MAX} links", path.display())))
}

/// What is found on the way from the root to a file.
enum Way {
    /// Nobody else can write.
    Clear,
    /// Somebody can.
    Writable(String),
    /// A link that nobody else can write leads here.
    Leads(PathBuf),
}

fn walk(path: &Path, place: Place, trusted: &[&str]) -> io::Result<Way> {
    let steps: Vec<&Path> = path.ancestors().collect();
    for (above, step) in steps.iter().enumerate().rev() {
        let object = Object::open(step)?;
        let is_link = object.kind()? == Kind::Link;
        let place = match (above, place) {
            _ if is_link => Place::File,
            (0, place) => place,
            (1, Place::File) => Place::Holder,
            _ => Place::Above,
        };
        if let Some(who) = object.access()?.writer(place, trusted) {
            return Ok(Way::Writable(format!("{} is writable by {who}", step.display())));
        }
        if is_link {
            let rest = path.strip_prefix(step).map_err(io::Error::other)?;
            return Ok(Way::Leads(object.target()?.join(rest)));
        }
    }
    Ok(Way::Clear)
}

/// Whether a path leads to a disk of this machine rather than to a share or a device.
fn is_on_this_machine(path: &Path) -> bool {
    match path.components().next() {
        Some(Component::Prefix(prefix)) => match prefix.kind() {
            Prefix::Disk(_) | Prefix::VerbatimDisk(_) => true,
            Prefix::Verbatim(name) => name.to_string_lossy().starts_with("Volume{"),
            _ => false,
        },
        _ => false,
    }
}
