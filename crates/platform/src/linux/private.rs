//! Small files that nobody else may write.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::process::geteuid;

/// Reads a file whole. `None`: there is none.
///
/// # Errors
/// `PermissionDenied` if somebody else could have written it, `FileTooLarge` if it has more bytes than that.
pub fn read_private(path: &Path, bytes_max: usize) -> io::Result<Option<Vec<u8>>> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    make_sure_it_is_ours(&file)?;
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > bytes_max { Err(ErrorKind::FileTooLarge.into()) } else { Ok(Some(bytes)) }
}

/// Puts a file in the place of the one that is there, if there is one: readers see the old bytes or the new ones. Only this
/// user may read or write it, and enter its folder, which is made if it is missing. It is not forced to the disk.
///
/// # Errors
/// What the system answered; the old file is still there.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Err(_) => {
            if let Some(folder) = path.parent().filter(|folder| !folder.exists()) {
                DirBuilder::new().mode(0o700).create(folder)?;
            }
        }
        Ok(()) => {}
    }
    let written = || -> io::Result<()> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?.write_all(bytes)?;
        fs::rename(&fresh, path)
    };
    written().inspect_err(|_| {
        // Half a file is worth nothing, and the room that it takes may be what is missing.
        let _ = fs::remove_file(&fresh);
    })
}

/// Refuses a file that somebody else owns, can write, or has another name for.
pub(super) fn make_sure_it_is_ours(file: &File) -> io::Result<()> {
    let refused = |problem: String| Err(io::Error::new(ErrorKind::PermissionDenied, problem));
    let meta = file.metadata()?;
    if !meta.is_file() {
        return refused("it is not a file".into());
    }
    if meta.uid() != geteuid().as_raw() {
        return refused(format!("it belongs to uid {}", meta.uid()));
    }
    if meta.mode() & 0o022 != 0 {
        return refused(format!("others can write it: its mode is {:o}", meta.mode() & 0o7777));
    }
    if meta.nlink() > 1 {
        return refused("it has a second name somewhere".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn what_somebody_else_could_have_written_is_not_read() {
        let folder = std::env::temp_dir().join(format!("bilayer-private-{}", std::process::id()));
        let path = folder.join("a.json");
        assert_eq!(read_private(&path, 9).unwrap(), None);
        write_private(&path, b"one").unwrap();
        write_private(&path, b"two").unwrap();
        assert_eq!(read_private(&path, 9).unwrap().unwrap(), b"two");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(read_private(&path, 2).unwrap_err().kind(), ErrorKind::FileTooLarge);

        let denied = |path: &Path| read_private(path, 9).unwrap_err().kind() == ErrorKind::PermissionDenied;
        fs::hard_link(&path, folder.join("b.json")).unwrap();
        assert!(denied(&path), "a second name");
        fs::remove_file(folder.join("b.json")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o620)).unwrap();
        assert!(denied(&path), "its group writes it");
        symlink("a.json", folder.join("c.json")).unwrap();
        assert!(read_private(&folder.join("c.json"), 9).is_err(), "a link");
        assert!(denied(&folder), "a folder");
        fs::remove_dir_all(&folder).unwrap();
    }
}
