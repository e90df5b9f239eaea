//! Files that are appended to, in folders that others may be able to write.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::windows::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use windows_sys::Win32::Storage::FileSystem::{FILE_ATTRIBUTE_REPARSE_POINT, FILE_FLAG_OPEN_REPARSE_POINT};

/// Opens a file itself for appending, and makes it if it is missing. In a folder that others can write, they choose what is there:
/// whoever writes there with more rights than theirs must not be led to another file by it. CreateFileW,
/// `FILE_FLAG_OPEN_REPARSE_POINT`.
///
/// # Errors
/// `PermissionDenied` if a link or anything else that is no regular file is there. (A second name of a file is made only by those who
/// can write the file.)
pub fn open_to_append(path: &Path) -> io::Result<File> {
    opened(OpenOptions::new().append(true).create(true), path)
}

/// Empties a file that [`open_to_append`] would open.
///
/// # Errors
/// As there.
pub fn empty_file(path: &Path) -> io::Result<()> {
    // Not truncated by its opening, which comes before the look at it; and appending alone does not include shortening.
    opened(OpenOptions::new().write(true), path)?.set_len(0)
}

fn opened(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let refused = |problem: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    let file = options.custom_flags(FILE_FLAG_OPEN_REPARSE_POINT).open(path)?;
    let meta = file.metadata()?;
    if meta.file_attributes() & FILE_ATTRIBUTE_REPARSE_POINT != 0 {
        return refused("it is a link, and none is followed");
    }
    if !meta.is_file() {
        return refused("it is not a file");
    }
    Ok(file)
}
