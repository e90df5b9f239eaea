//! Small files that nobody else may write.

use std::io::{self, ErrorKind, Read as _};
use std::path::Path;
use std::{fs, fs::File};

use super::{is_privileged, writable_by_others};

/// Reads a file whole. `None`: there is none.
///
/// # Errors
/// `PermissionDenied` if somebody else could have written it, `FileTooLarge` if it has more bytes than that.
pub fn read_private(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if is_privileged()
        && let Some(who) = writable_by_others(path)?
    {
        return Err(io::Error::new(ErrorKind::PermissionDenied, who));
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(ErrorKind::FileTooLarge.into()) } else { Ok(Some(bytes)) }
}

/// Puts a file in the place of the one that is there, if there is one: readers see the old bytes or the new ones. Who may
/// read and write it is the folder's business, which is made if it is missing.
///
/// # Errors
/// What the system answered; the old file is still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
        fs::create_dir(folder)?;
    }
    fs::write(&fresh, bytes)?;
    fs::rename(&fresh, path)
}
