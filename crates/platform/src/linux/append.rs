//! Files that are appended to, in folders that others may be able to write.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Opens a file itself for appending, and makes it if it is missing. In a folder that others can write, they choose what is there:
/// whoever writes there with more rights than theirs must not be led to another file by it. open(2), `O_NOFOLLOW`.
///
/// # Errors
/// `PermissionDenied` if a link, anything else that is no regular file, or a file with a second name is there.
pub fn open_to_append(path: &Path) -> io::Result<File> {
    // Without O_NONBLOCK the opening of a FIFO waits for a reader.
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = match OpenOptions::new().append(true).create(true).custom_flags(flags).open(path) {
        Err(error) if error.raw_os_error() == Some(libc::ELOOP) => {
            return refused("it is a symbolic link, and none is followed");
        }
        // A FIFO without a reader, or a socket.
        Err(error) if error.raw_os_error() == Some(libc::ENXIO) => return refused("it is not a file"),
        file => file?,
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return refused("it is not a file");
    }
    if meta.nlink() > 1 {
        return refused("it has a second name somewhere");
    }
    Ok(file)
}

/// Empties a file that [`open_to_append`] would open.
///
/// # Errors
/// As there.
pub fn empty_file(path: &Path) -> io::Result<()> {
    open_to_append(path)?.set_len(0)
}

fn refused(problem: &str) -> io::Result<File> {
    Err(io::Error::new(io::ErrorKind::PermissionDenied, problem))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::{ErrorKind, Write as _};
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn what_somebody_put_there_leads_to_no_other_file() {
        let folder = std::env::temp_dir().join(format!("bilayer-append-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let (path, victim) = (folder.join("a.log"), folder.join("victim"));
        for text in ["one\n", "two\n"] {
            open_to_append(&path).unwrap().write_all(text.as_bytes()).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
        empty_file(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "");

        type Put = fn(&Path, &Path);
        let puts: [(&str, Put); 5] = [
            ("a link", |victim, path| symlink(victim, path).unwrap()),
            ("a link to nothing", |victim, path| symlink(victim.with_extension("none"), path).unwrap()),
            ("a second name", |victim, path| fs::hard_link(victim, path).unwrap()),
            ("a FIFO", |_, path| {
                rustix::fs::mknodat(
                    rustix::fs::CWD,
                    path,
                    rustix::fs::FileType::Fifo,
                    rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
                    0,
                )
                .unwrap();
            }),
            ("a socket", |_, path| drop(UnixListener::bind(path).unwrap())),
        ];
        for (what, put) in puts {
            fs::remove_file(&path).unwrap();
            fs::write(&victim, "precious").unwrap();
            put(&victim, &path);
            assert_eq!(open_to_append(&path).unwrap_err().kind(), ErrorKind::PermissionDenied, "{what}");
            assert_eq!(empty_file(&path).unwrap_err().kind(), ErrorKind::PermissionDenied, "{what}");
            assert_eq!(fs::read_to_string(&victim).unwrap(), "precious", "{what}");
            assert!(!victim.with_extension("none").exists(), "{what}");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
