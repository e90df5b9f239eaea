//! Files that kept programs print to, and that are read while they are written.
//!
//! A program holds its file open for appending only, so whatever is done to the file, its next line comes last. What was read and
//! dealt with is given back to the disk as a hole (`FALLOC_FL_PUNCH_HOLE`, fallocate(2)): the file's length and all positions in
//! it stay as they are, so no line can be lost to it, however fast the program prints. How far that is stands in a file beside it,
//! eight bytes that are written in place; the next life of this program reads on from there.
//!
//! inotify(7) says which file has grown: one watch on the folder, for all of them.

use std::collections::HashMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

use rustix::fs::{FallocateFlags, fallocate, inotify};
use rustix::io::Errno;
use tokio::io::unix::AsyncFd;
use tokio::io::{Interest, ReadBuf};
use tokio::task::AbortHandle;

use super::output::Output;
use super::private::make_sure_it_is_ours;
use crate::Error;

/// How much of a file may have been read before it is given back.
const HELD_BYTES_MAX: u64 = 64 << 10;
/// The unit in which a file system gives back.
const BLOCK_BYTES: u64 = 4096;
/// How much may wait to be read. A program that printed more, in our absence or faster than anybody reads, loses all but the
/// end of it: its disk is everybody's.
const WAITING_BYTES_MAX: u64 = 16 << 20;
/// The end of it.
const TAIL_BYTES: u64 = 64 << 10;

/// The folder of files in which kept processes write. Cheap to clone.
#[derive(Clone)]
pub struct Outputs(Arc<Folder>);

struct Folder {
    path: PathBuf,
    readers: Arc<Readers>,
    watching: AbortHandle,
}

/// Who reads which file.
type Readers = Mutex<HashMap<String, Vec<Weak<State>>>>;

impl Outputs {
    /// Opens the folder, and makes it if it is not there. Needs a runtime.
    ///
    /// # Errors
    /// The folder cannot be had, or watched.
    pub fn open(folder: &Path) -> Result<Outputs, Error> {
        let failed = |action| move |source| Error::Folder { action, path: folder.to_owned(), source };
        for made in [folder, &positions(folder)] {
            match DirBuilder::new().mode(0o700).create(made) {
                Err(error) if error.kind() != ErrorKind::AlreadyExists => {
                    return Err(failed("make the folder")(error));
                }
                _ => {}
            }
        }
        let watch = || -> io::Result<AsyncFd<OwnedFd>> {
            let flags = inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC;
            let inotify = inotify::init(flags)?;
            inotify::add_watch(&inotify, folder, inotify::WatchFlags::MODIFY | inotify::WatchFlags::ONLYDIR)?;
            // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, and the `AsyncFd` owns it from here on.
            unsafe { AsyncFd::register_with_interest(inotify, Interest::READABLE) }.map_err(Into::into)
        };
        let inotify = watch().map_err(failed("watch the folder"))?;
        let readers = Arc::new(Readers::default());
        let watching = tokio::spawn(listen(inotify, Arc::clone(&readers))).abort_handle();
        Ok(Outputs(Arc::new(Folder { path: folder.to_owned(), readers, watching })))
    }

    /// Standard output and error of a launch of an earlier life, from where that left off; `None`: there are no such files.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn resume(&self, label: &str) -> io::Result<Option<(Output, Output)>> {
        let open = |name: String| {
            let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
            let file =
                OpenOptions::new().read(true).write(true).custom_flags(flags).open(self.path(&name))?;
            make_sure_it_is_ours(&file)?;
            self.follow(name, file)
        };
        match (open(stdout(label)), open(stderr(label))) {
            (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(None),
            (out, err) => Ok(Some((out?, err?))),
        }
    }

    /// The labels of all files that are there.
    pub fn labels(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.0.path).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        names.filter_map(|name| Some(name.strip_suffix(".out")?.to_owned())).collect()
    }

    /// Removes the files of a launch. Whoever has them open keeps them.
    pub fn remove(&self, label: &str) {
        for name in [stdout(label), stderr(label)] {
            // Best effort: what is left is found at the next start.
            let _ = fs::remove_file(self.path(&name));
            let _ = fs::remove_file(self.position(&name));
        }
    }

    /// Makes the files of a new launch: our ends, and those for the program.
    pub(super) fn create(&self, label: &str) -> io::Result<[(Output, OwnedFd); 2]> {
        self.remove(label);
        let make = |name: String| -> io::Result<(Output, OwnedFd)> {
            let path = self.path(&name);
            let flags = || OpenOptions::new().mode(0o600).custom_flags(libc::O_NOFOLLOW).clone();
            let theirs = flags().append(true).create_new(true).open(&path)?;
            let ours = flags().read(true).write(true).open(&path)?;
            Ok((self.follow(name, ours)?, theirs.into()))
        };
        let made = || -> io::Result<_> { Ok([make(stdout(label))?, make(stderr(label))?]) };
        made().inspect_err(|_| self.remove(label))
    }

    fn follow(&self, name: String, file: File) -> io::Result<Output> {
        let position = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(libc::O_NOFOLLOW)
            .open(self.position(&name))?;
        let mut bytes = [0; 8];
        // A file without a position was never read.
        let settled = position.read_exact_at(&mut bytes, 0).map_or(0, |()| u64::from_le_bytes(bytes));
        let signal = Signal::default();
        let mut readers = lock(&self.0.readers);
        let of_this = readers.entry(name.clone()).or_default();
        of_this.retain(|reader| reader.strong_count() > 0);
        of_this.push(Arc::downgrade(&signal.0));
        drop(readers);
        Ok(Output::file(Follower {
            _folder: self.clone(),
            name,
            file,
            position,
            signal,
            read: settled,
            settled,
            freed: 0,
            gives_back: true,
            cut: false,
        }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path.join(name)
    }

    /// In a folder of its own, so that writing it wakes nobody.
    fn position(&self, name: &str) -> PathBuf {
        positions(&self.0.path).join(name)
    }
}

impl std::fmt::Debug for Outputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Outputs").field(&self.0.path).finish()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.watching.abort();
    }
}

fn positions(folder: &Path) -> PathBuf {
    folder.join("read")
}

fn stdout(label: &str) -> String {
    format!("{label}.out")
}

fn stderr(label: &str) -> String {
    format!("{label}.err")
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
    for state in meant.flat_map(|(_, states)| states).filter_map(Weak::upgrade) {
        Signal(state).wake();
    }
}

/// How a reader at the end of its file is woken.
#[derive(Clone, Debug, Default)]
pub(super) struct Signal(Arc<State>);

#[derive(Debug, Default)]
struct State(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    reader: Option<Waker>,
    /// Nothing more is written.
    ended: bool,
}

impl Signal {
    pub(super) fn end(&self) {
        lock(&self.0.0).ended = true;
        self.wake();
    }

    fn wake(&self) {
        let reader = lock(&self.0.0).reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Whether nothing more is written; else the waker is called when that may have changed.
    fn has_ended(&self, reader: &Waker) -> bool {
        let mut waiting = lock(&self.0.0);
        waiting.reader = Some(reader.clone());
        waiting.ended
    }
}

/// One file, on its way through it.
pub(super) struct Follower {
    /// Watched for as long as somebody reads in it.
    _folder: Outputs,
    name: String,
    file: File,
    position: File,
    signal: Signal,
    /// Up to here it was read.
    read: u64,
    /// Up to here it was dealt with, and that is written down.
    settled: u64,
    /// Up to here it was given back.
    freed: u64,
    /// Whether the file system can give back a part of a file.
    gives_back: bool,
    /// Whether it was said that something was left out.
    cut: bool,
}

impl Follower {
    pub(super) fn signal(&self) -> Signal {
        self.signal.clone()
    }

    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read_on(buffer)? {
            return Poll::Ready(Ok(()));
        }
        let ended = self.signal.has_ended(context.waker());
        // Once more: it may have grown between the look and the waiting.
        if self.read_on(buffer)? || ended { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    /// Reads what is there. False at the end of the file.
    fn read_on(&mut self, buffer: &mut ReadBuf<'_>) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length < self.read {
            // Its program cut it. What it writes now is new.
            (self.read, self.freed) = (0, 0);
        }
        if length - self.read > WAITING_BYTES_MAX {
            self.skip(length - TAIL_BYTES);
        }
        let count = self.file.read_at(buffer.initialize_unfilled(), self.read)?;
        buffer.advance(count);
        self.read += count as u64;
        Ok(count > 0)
    }

    fn skip(&mut self, to: u64) {
        if !std::mem::replace(&mut self.cut, true) {
            tracing::warn!(
                file = self.name,
                bytes = to - self.read,
                "an agent printed more than can wait to be read; all but the end of it is left out"
            );
        }
        self.read = to;
    }

    /// See [`Output::settle`].
    pub(super) fn settle(&mut self, held: usize) {
        let settled = self.read.saturating_sub(held as u64);
        if settled == self.settled {
            return;
        }
        self.settled = settled;
        // Best effort: were it lost, lines would be logged twice after a restart, which is better than not at all.
        let _ = self.position.write_all_at(&settled.to_le_bytes(), 0);
        if settled.saturating_sub(self.freed) >= HELD_BYTES_MAX {
            self.give_back(settled / BLOCK_BYTES * BLOCK_BYTES);
        }
    }

    fn give_back(&mut self, to: u64) {
        if self.gives_back {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            match fallocate(&self.file, flags, self.freed, to - self.freed) {
                Ok(()) => self.freed = to,
                Err(Errno::INTR) => {}
                Err(_) => self.gives_back = false,
            }
        }
        // A file system that has no holes: what is written between these two lines is lost.
        if !self.gives_back
            && self.settled == self.read
            && self.file.metadata().is_ok_and(|meta| meta.len() == self.read)
            && self.file.set_len(0).is_ok()
        {
            (self.read, self.settled, self.freed) = (0, 0, 0);
            let _ = self.position.write_all_at(&0_u64.to_le_bytes(), 0);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that can panic runs under these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
