//! Files that kept programs print to, and that are read while they are written.
//!
//! A program holds its file open for appending only, so whatever is done to the file, its next line comes last. What was read and
//! dealt with is given back to the disk as a hole (`FSCTL_SET_ZERO_DATA` of a sparse file), with all positions in the file as they
//! are. How far that is stands in a file beside it, eight bytes that are written in place; the next life of this program
//! reads on from there.
//!
//! Nothing says at once that a file has grown: the notifications of a folder wait until the cache is written to the disk, which can
//! take as long as the file is open. So a reader at the end looks again, soon after the last line and then less and less often. That
//! is the price of agents that outlive the service, and paid by nobody else.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::windows::fs::FileExt as _;
use std::os::windows::io::{AsRawHandle as _, OwnedHandle};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use tokio::io::ReadBuf;
use tokio::time::Sleep;
use windows_sys::Win32::System::IO::DeviceIoControl;
use windows_sys::Win32::System::Ioctl::{FILE_ZERO_DATA_INFORMATION, FSCTL_SET_SPARSE, FSCTL_SET_ZERO_DATA};

use super::handle::succeeded;
use super::output::{Output, inherit};
use crate::Error;

/// How soon after its last line a file is looked at again, and how long after that at the latest.
const LOOK_AFTER_MIN: Duration = Duration::from_millis(50);
const LOOK_AFTER_MAX: Duration = Duration::from_secs(2);

/// How much of a file may have been read before it is given back, and the unit in which NTFS does so.
const HELD_BYTES_MAX: u64 = 256 << 10;
const BLOCK_BYTES: u64 = 64 << 10;
/// How much may wait to be read. A program that printed more, in our absence or faster than anybody reads, loses all but the
/// end of it: its disk is everybody's.
const WAITING_BYTES_MAX: u64 = 16 << 20;
/// The end of it.
const TAIL_BYTES: u64 = 64 << 10;

/// The folder of files in which kept processes write. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outputs(Arc<PathBuf>);

impl Outputs {
    /// Opens the folder, and makes it if it is not there. Needs a runtime.
    ///
    /// # Errors
    /// The folder cannot be had.
    pub fn open(folder: &Path) -> Result<Outputs, Error> {
        let failed = |source| Error::Folder { action: "make the folder", path: folder.to_owned(), source };
        // Who may enter it is inherited from the folder of the service, or of the user, that it is in.
        fs::create_dir_all(folder).map_err(failed)?;
        Ok(Outputs(Arc::new(folder.to_owned())))
    }

    /// Standard output and error of a launch of an earlier life, from where that left off; `None`: there are no such files.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn resume(&self, label: &str) -> io::Result<Option<(Output, Output)>> {
        let open = |name: String| {
            self.follow(OpenOptions::new().read(true).write(true).open(self.path(&name))?, name)
        };
        match (open(stdout(label)), open(stderr(label))) {
            (Err(error), _) if error.kind() == ErrorKind::NotFound => Ok(None),
            (out, err) => Ok(Some((out?, err?))),
        }
    }

    /// The labels of all files that are there.
    pub fn labels(&self) -> Vec<String> {
        let entries = fs::read_dir(&*self.0).into_iter().flatten().flatten();
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

    /// Makes the files of a new launch: our ends, and the inheritable ones for the program.
    pub(super) fn create(&self, label: &str) -> io::Result<[(Output, OwnedHandle); 2]> {
        self.remove(label);
        let make = |name: String| -> io::Result<(Output, OwnedHandle)> {
            let path = self.path(&name);
            let theirs = OpenOptions::new().append(true).create_new(true).open(&path)?.into();
            inherit(&theirs)?;
            let ours = OpenOptions::new().read(true).write(true).open(&path)?;
            Ok((self.follow(ours, name)?, theirs))
        };
        let made = || -> io::Result<_> { Ok([make(stdout(label))?, make(stderr(label))?]) };
        made().inspect_err(|_| self.remove(label))
    }

    fn follow(&self, file: File, name: String) -> io::Result<Output> {
        let mut options = OpenOptions::new();
        let position =
            options.read(true).write(true).create(true).truncate(false).open(self.position(&name))?;
        let mut bytes = [0; 8];
        // A file without a position was never read.
        let read = position.seek_read(&mut bytes, 0)?;
        let settled = if read == bytes.len() { u64::from_le_bytes(bytes) } else { 0 };
        let gives_back = control(&file, FSCTL_SET_SPARSE, &[]).is_ok();
        Ok(Output::file(Follower {
            name,
            file,
            position,
            signal: Signal::default(),
            look: None,
            look_after: LOOK_AFTER_MIN,
            read: settled,
            settled,
            freed: 0,
            gives_back,
            cut: false,
        }))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn position(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.read"))
    }
}

fn stdout(label: &str) -> String {
    format!("{label}.out")
}

fn stderr(label: &str) -> String {
    format!("{label}.err")
}

/// Says that nothing more is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Signal(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    reader: Option<Waker>,
    ended: bool,
}

impl Signal {
    pub(super) fn end(&self) {
        let mut waiting = self.lock();
        waiting.ended = true;
        let reader = waiting.reader.take();
        drop(waiting);
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Whether nothing more is written; else the waker is called when that has changed.
    fn has_ended(&self, reader: &Waker) -> bool {
        let mut waiting = self.lock();
        waiting.reader = Some(reader.clone());
        waiting.ended
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Nothing that can panic runs under this lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One file, on its way through it.
pub(super) struct Follower {
    name: String,
    file: File,
    position: File,
    signal: Signal,
    /// When it is looked at again, at the end of the file.
    look: Option<Pin<Box<Sleep>>>,
    look_after: Duration,
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
        loop {
            let ended = self.signal.has_ended(context.waker());
            // Looked at after that: what was written before the end is read.
            if self.read_on(buffer)? {
                (self.look, self.look_after) = (None, LOOK_AFTER_MIN);
                return Poll::Ready(Ok(()));
            }
            if ended {
                return Poll::Ready(Ok(()));
            }
            let after = self.look_after;
            let look = self.look.get_or_insert_with(|| Box::pin(tokio::time::sleep(after)));
            ready!(look.as_mut().poll(context));
            (self.look, self.look_after) = (None, (after * 2).min(LOOK_AFTER_MAX));
        }
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
        let count = self.file.seek_read(buffer.initialize_unfilled(), self.read)?;
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
        self.settle_at(settled);
        let to = settled / BLOCK_BYTES * BLOCK_BYTES;
        if settled.saturating_sub(self.freed) >= HELD_BYTES_MAX {
            self.give_back(to);
        }
    }

    fn settle_at(&mut self, settled: u64) {
        self.settled = settled;
        // Best effort: were it lost, lines would be logged twice after a restart, which is better than not at all.
        let _ = self.position.seek_write(&settled.to_le_bytes(), 0);
    }

    fn give_back(&mut self, to: u64) {
        if self.gives_back {
            let hole = [self.freed, to].map(u64::cast_signed);
            match control(&self.file, FSCTL_SET_ZERO_DATA, &hole) {
                Ok(()) => self.freed = to,
                Err(_) => self.gives_back = false,
            }
        }
        // A file system that has no holes: what is written between these two lines is lost.
        if !self.gives_back
            && self.settled == self.read
            && self.file.metadata().is_ok_and(|meta| meta.len() == self.read)
            && self.file.set_len(0).is_ok()
        {
            (self.read, self.freed) = (0, 0);
            self.settle_at(0);
        }
    }
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
