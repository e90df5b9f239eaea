//! The files that kept programs print to, as Windows has them; `follow.rs` above reads them.
//!
//! What was read is given back as a hole (`FSCTL_SET_ZERO_DATA` of a sparse file).
//!
//! Nothing says at once that a file has grown: the notifications of a folder wait until the cache is written to the disk, which can
//! take as long as the file is open
//! (<https://learn.microsoft.com/windows/win32/api/winbase/nf-winbase-readdirectorychangesw>, `FILE_NOTIFY_CHANGE_SIZE`). So a reader
//! at the end looks again, soon after the last line and then less and less often: a line is late by as long as its program was
//! silent before it, and by half a minute at most. That is the price of agents that outlive the service, and paid by nobody else.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::windows::fs::FileExt as _;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::path::Path;
use std::pin::Pin;
use std::sync::LazyLock;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::{FILE_ZERO_DATA_INFORMATION, FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA};

use super::handle::succeeded;
use super::pipe_reader::inherit;
use crate::follow::Growth;

/// How soon after its last line a file is looked at again.
const LOOK_EVERY_MIN: Duration = Duration::from_millis(50);
/// How often that is doubled: to 25.6 s.
const DOUBLINGS_MAX: u32 = 9;

/// How much of a file may have been read before it is given back, and the unit in which NTFS does so.
pub(crate) const HELD_BYTES_MAX: u64 = 256 << 10;
pub(crate) const BLOCK_BYTES: u64 = 64 << 10;

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    // Who may enter it is inherited from the folder of the service, or of the user, that it is in.
    fs::create_dir_all(path)
}

/// Makes a file: our end, and the inheritable one for the program.
pub(crate) fn create(path: &Path) -> io::Result<(File, OwnedHandle)> {
    let theirs = OpenOptions::new().append(true).create_new(true).open(path)?.into();
    inherit(&theirs)?;
    Ok((open(path)?, theirs))
}

/// Opens our end of a file that is there.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).open(path)
}

/// The file beside it that says how far it was dealt with.
pub(crate) fn position(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)
}

/// How many bytes there were at this place: fewer than asked for only at the end of the file, or none.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    file.seek_read(bytes, at)
}

pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    match file.seek_write(bytes, at)? {
        count if count == bytes.len() => Ok(()),
        _ => Err(io::ErrorKind::WriteZero.into()),
    }
}

/// Whether the file system lets go of parts of a file.
pub(crate) fn can_give_back(file: &File) -> bool {
    control(file, FSCTL_SET_SPARSE, &[]).is_ok()
}

/// Gives the file's blocks in this range back to the disk.
pub(crate) fn give_back(file: &File, from: u64, to: u64) -> io::Result<()> {
    control(file, FSCTL_SET_ZERO_DATA, &[from, to].map(u64::cast_signed))
}

/// A folder of such files. Nothing is known of it as a whole.
pub(crate) struct Folder(());

impl Folder {
    pub(crate) fn watch(_path: &Path) -> io::Result<Folder> {
        Ok(Folder(()))
    }

    /// Looks after this file for its reader.
    pub(crate) fn file(&self, _name: &str, _growth: &Growth) -> Watch {
        Watch { look: None, doublings: 0 }
    }
}

/// A file that is looked at now and then.
pub(crate) struct Watch {
    look: Option<Pin<Box<Sleep>>>,
    doublings: u32,
}

impl Watch {
    /// The file had something to read.
    pub(crate) fn has_grown(&mut self) {
        *self = Watch { look: None, doublings: 0 };
    }

    /// Resolves when the file should be looked at again.
    pub(crate) fn poll_look(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let every = LOOK_EVERY_MIN * 2_u32.pow(self.doublings);
        let look = self.look.get_or_insert_with(|| Box::pin(sleep_until(next(every))));
        ready!(look.as_mut().poll(context));
        (self.look, self.doublings) = (None, (self.doublings + 1).min(DOUBLINGS_MAX));
        Poll::Ready(())
    }
}

/// The next moment at which whatever is looked at this often is looked at: the same for all files, so that a hundred that are silent
/// wake this program once.
fn next(every: Duration) -> Instant {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let millis = |span: Duration| span.as_millis() as u64;
    let (passed, every) = (millis(START.elapsed()), millis(every));
    *START + Duration::from_millis((passed / every + 1) * every)
}

/// A request to the file system: the start and the end of what is to be zero, or nothing.
fn control(file: &File, request: u32, range: &[i64]) -> io::Result<()> {
    const { assert!(size_of::<FILE_ZERO_DATA_INFORMATION>() == 2 * size_of::<i64>()) };
    let (mut returned, length) = (0, size_of_val(range) as u32);
    // SAFETY: the file is open and not for overlapped use; the input has this length, and for FSCTL_SET_ZERO_DATA it is the two
    // numbers that FILE_ZERO_DATA_INFORMATION is made of; there is no output.
    succeeded(unsafe {
        DeviceIoControl(
            file.as_raw_handle(),
            request,
            range.as_ptr().cast(),
            length,
            std::ptr::null_mut(),
            0,
            &mut returned,
            std::ptr::null_mut(),
        )
    })
}
