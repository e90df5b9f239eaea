//! The files that kept programs print to, as Linux has them; `follow.rs` above reads them.
//!
//! inotify(7) says which file has grown: one watch on the folder, for all of them. What was read is given back as a hole
//! (`FALLOC_FL_PUNCH_HOLE`, fallocate(2)).

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use rustix::fs::{FallocateFlags, fallocate, inotify};
use rustix::io::{Errno, retry_on_intr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::task::AbortHandle;

use super::private::make_sure_it_is_ours;
use crate::follow::Growth;

/// How much of a file may have been read before it is given back.
pub(crate) const HELD_BYTES_MAX: u64 = 64 << 10;
/// The unit in which a file system gives back.
pub(crate) const BLOCK_BYTES: u64 = 4096;

pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// Makes a file: our end, and the one for the program.
pub(crate) fn create(path: &Path) -> io::Result<(File, OwnedFd)> {
    let flags = || OpenOptions::new().mode(0o600).custom_flags(libc::O_NOFOLLOW).clone();
    let theirs = flags().append(true).create_new(true).open(path)?;
    let ours = flags().read(true).write(true).open(path)?;
    make_sure_of_room(&ours)?;
    Ok((ours, theirs.into()))
}

/// Takes the first block of a file. Many a program ends when it cannot print, and on a full disk would end again at every start:
/// better that nobody hears it.
fn make_sure_of_room(file: &File) -> io::Result<()> {
    match fallocate(file, FallocateFlags::KEEP_SIZE, 0, BLOCK_BYTES) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT)) => Err(error.into()),
        // Not every file system knows the call.
        _ => Ok(()),
    }
}

/// Opens our end of a file that is there, if it is one that [`create`] made.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    make_sure_it_is_ours(&file)?;
    Ok(file)
}

/// The file beside it that says how far it was dealt with.
pub(crate) fn position(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(path)
}

/// How many bytes there were at this place: fewer than asked for only at the end of the file, or none.
pub(crate) fn read_at(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    file.read_at(bytes, at)
}

pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    file.write_all_at(bytes, at)
}

/// Whether it is worth trying.
pub(crate) fn can_give_back(_file: &File) -> bool {
    true
}

/// Gives the file's blocks in this range back to the disk.
pub(crate) fn give_back(file: &File, from: u64, to: u64) -> io::Result<()> {
    let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
    Ok(retry_on_intr(|| fallocate(file, flags, from, to - from))?)
}

/// A folder whose files are watched. Dropping it ends that.
pub(crate) struct Folder {
    readers: Arc<Readers>,
    watching: AbortHandle,
}

/// Who reads which file.
type Readers = Mutex<HashMap<String, Vec<Growth>>>;

impl Folder {
    /// Watches it from now on. Needs a runtime.
    pub(crate) fn watch(path: &Path) -> io::Result<Folder> {
        let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
        let inotify = inotify::init(flags)?;
        inotify::add_watch(&inotify, path, inotify::WatchFlags::MODIFY | inotify::WatchFlags::ONLYDIR)?;
        // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, and the `AsyncFd` owns it from here on.
        let inotify = unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) }?;
        let readers = Arc::new(Readers::default());
        let watching = tokio::spawn(listen(inotify, Arc::clone(&readers))).abort_handle();
        Ok(Folder { readers, watching })
    }

    /// Wakes the reader of this file whenever it grows.
    pub(crate) fn file(&self, name: &str, growth: &Growth) -> Watch {
        lock(&self.readers).entry(name.to_owned()).or_default().push(growth.clone());
        Watch { readers: Arc::clone(&self.readers), name: name.to_owned(), growth: growth.clone() }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

/// A file that is watched. Dropping it ends that.
pub(crate) struct Watch {
    readers: Arc<Readers>,
    name: String,
    growth: Growth,
}

impl Watch {
    /// The file had something to read.
    pub(crate) fn has_grown(&mut self) {}

    /// Resolves when the file should be looked at again without a word from the system, which is never.
    pub(crate) fn poll_look(&mut self, _context: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut readers = lock(&self.readers);
        if let Some(of_this) = readers.get_mut(&self.name) {
            of_this.retain(|growth| *growth != self.growth);
            if of_this.is_empty() {
                readers.remove(&self.name);
            }
        }
    }
}

/// Wakes whoever reads a file that has grown.
async fn listen(inotify: AsyncFd<OwnedFd>, readers: Arc<Readers>) {
    let mut space = [MaybeUninit::uninit(); 4096];
    // An error means that the runtime goes down.
    while let Ok(mut ready) = inotify.readable().await {
        let mut events = inotify::Reader::new(inotify.get_ref(), &mut space);
        match events.next() {
            Ok(event) => wake(&event, &readers),
            Err(Errno::AGAIN) => ready.clear_ready(),
            Err(_) => {}
        }
        // The rest of what was read with it.
        while !events.is_buffer_empty() {
            if let Ok(event) = events.next() {
                wake(&event, &readers);
            }
        }
    }
}

fn wake(event: &inotify::Event<'_>, readers: &Readers) {
    let readers = lock(readers);
    let everybody = event.events().contains(inotify::ReadFlags::QUEUE_OVERFLOW);
    let name = event.file_name().and_then(|name| name.to_str().ok());
    let meant = readers.iter().filter(|(file, _)| everybody || Some(file.as_str()) == name);
    meant.flat_map(|(_, growths)| growths).for_each(Growth::wake);
}

fn lock(readers: &Readers) -> MutexGuard<'_, HashMap<String, Vec<Growth>>> {
    // Nothing that can panic runs under this lock.
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}
