//! Files and folders themselves, not what a link in their place leads to: what they are and who may do what.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::OpenOptionsExt as _;
use std::os::windows::io::{AsHandle as _, AsRawHandle as _};
use std::path::{Path, PathBuf};

use windows_sys::Win32::Security::Authorization::SE_FILE_OBJECT;
use windows_sys::Win32::Storage::FileSystem::{
    FILE_ATTRIBUTE_DIRECTORY, FILE_ATTRIBUTE_REPARSE_POINT, FILE_ATTRIBUTE_TAG_INFO,
    FILE_FLAG_BACKUP_SEMANTICS, FILE_FLAG_OPEN_REPARSE_POINT, FILE_READ_ATTRIBUTES, FILE_SHARE_DELETE,
    FILE_SHARE_READ, FILE_SHARE_WRITE, FileAttributeTagInfo, GetFileInformationByHandleEx, READ_CONTROL,
    WRITE_DAC,
};

use super::acl::Access;
use super::handle::succeeded;
use super::security::{self, Descriptor};

/// [MS-FSCC] 2.1.2.1: the tag of a reparse point that stands for another name. (Others, of files that are compressed or in a cloud,
/// lead nowhere.)
const IS_NAME_SURROGATE: u32 = 0x2000_0000;
const MOUNT_POINT: u32 = 0xA000_0003;
const SYMBOLIC_LINK: u32 = 0xA000_000C;

/// A file or folder, opened for questions about it.
pub(super) struct Object {
    path: PathBuf,
    file: File,
}

/// What something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Folder,
    File,
    /// A symbolic link, a junction or a mounted volume.
    Link,
}

impl Object {
    /// Opens what is there itself.
    pub(super) fn open(path: &Path) -> io::Result<Object> {
        Object::open_for(path, READ_CONTROL | FILE_READ_ATTRIBUTES)
    }

    /// The same, to change who may do what.
    pub(super) fn open_to_restrict(path: &Path) -> io::Result<Object> {
        Object::open_for(path, READ_CONTROL | FILE_READ_ATTRIBUTES | WRITE_DAC)
    }

    fn open_for(path: &Path, access: u32) -> io::Result<Object> {
        let file = OpenOptions::new()
            .access_mode(access)
            .share_mode(FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)
            .custom_flags(FILE_FLAG_BACKUP_SEMANTICS | FILE_FLAG_OPEN_REPARSE_POINT)
            .open(path)
            .map_err(|error| named(path, error))?;
        Ok(Object { path: path.to_owned(), file })
    }

    /// What it is.
    pub(super) fn kind(&self) -> io::Result<Kind> {
        let found = self.tag()?;
        Ok(match found.FileAttributes {
            attributes if attributes & FILE_ATTRIBUTE_REPARSE_POINT != 0 && is_link(found.ReparseTag) => {
                Kind::Link
            }
            attributes if attributes & FILE_ATTRIBUTE_DIRECTORY != 0 => Kind::Folder,
            _ => Kind::File,
        })
    }

    /// Where a link leads, absolute.
    pub(super) fn target(&self) -> io::Result<PathBuf> {
        let tag = self.tag()?.ReparseTag;
        let target = match tag {
            SYMBOLIC_LINK | MOUNT_POINT => {
                fs::read_link(&self.path).map_err(|error| named(&self.path, error))?
            }
            _ => {
                let text = format!("it is a link of an unknown kind ({tag:#x})");
                return Err(named(&self.path, io::Error::other(text)));
            }
        };
        // The standard library takes the prefix of the system's own namespace away, without which a volume is no path.
        let is_volume = tag == MOUNT_POINT && target.to_string_lossy().starts_with("Volume{");
        Ok(match self.path.parent() {
            _ if is_volume => Path::new(r"\\?\").join(target),
            Some(folder) => folder.join(target),
            None => target,
        })
    }

    /// Who may do what to it.
    pub(super) fn access(&self) -> io::Result<Access> {
        security::access_of(self.file.as_handle(), SE_FILE_OBJECT).map_err(|error| named(&self.path, error))
    }

    /// Gives it the list of a descriptor, and nothing of the folder above it; what is inside takes over what is for children.
    pub(super) fn restrict(&self, descriptor: &Descriptor) -> io::Result<()> {
        security::replace_list(self.file.as_handle(), SE_FILE_OBJECT, descriptor)
    }

    fn tag(&self) -> io::Result<FILE_ATTRIBUTE_TAG_INFO> {
        let mut found = FILE_ATTRIBUTE_TAG_INFO::default();
        let length = size_of_val(&found) as u32;
        // SAFETY: the handle is open; the buffer is of the class's type and has this length.
        succeeded(unsafe {
            GetFileInformationByHandleEx(
                self.file.as_raw_handle(),
                FileAttributeTagInfo,
                (&raw mut found).cast(),
                length,
            )
        })
        .map_err(|error| named(&self.path, error))?;
        Ok(found)
    }
}

fn is_link(tag: u32) -> bool {
    tag & IS_NAME_SURROGATE != 0
}

/// The error with the path that it is about: several are looked at for each that is asked about.
fn named(path: &Path, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}
