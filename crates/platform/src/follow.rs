//! Files that kept programs print to, and that are read while they are written.
//!
//! A program holds its file open for appending only, so whatever is done to the file, its next line comes last. What was read and
//! dealt with is given back to the disk as a hole: the file's length and all positions in it stay as they are, so no line can be
//! lost to it, however fast the program prints. How far that is stands in a file beside it, eight bytes that are written in place;
//! the next life of this program reads on from there.
//!
//! How such a file is made, how its reader hears that it has grown, and how a part of it is given back, is the system's: `printed.rs`.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::ReadBuf;

use crate::system::pipe_reader::Inherited;
use crate::system::printed::{self, BLOCK_BYTES, Folder, HELD_BYTES_MAX, Watch};
use crate::{Error, Output};

/// How much may wait to be read. A program that printed more, in our absence or faster than anybody reads, loses all but the
/// end of it: its disk is everybody's.
const WAITING_BYTES_MAX: u64 = 16 << 20;
/// The end of it.
const TAIL_BYTES: u64 = 64 << 10;

/// The folder of files in which kept processes write. Cheap to clone.
#[derive(Clone)]
pub struct Outputs(Arc<Kept>);

struct Kept {
    path: PathBuf,
    folder: Folder,
}

impl Outputs {
    /// Opens the folder, and makes it if it is not there. Needs a runtime.
    ///
    /// # Errors
    /// The folder cannot be had, or watched.
    pub fn open(folder: &Path) -> Result<Outputs, Error> {
        let failed = |action| move |source| Error::Folder { action, path: folder.to_owned(), source };
        for made in [folder, &positions(folder)] {
            printed::make_folder(made).map_err(failed("make the folder"))?;
        }
        let watched = Folder::watch(folder).map_err(failed("watch the folder"))?;
        Ok(Outputs(Arc::new(Kept { path: folder.to_owned(), folder: watched })))
    }

    /// Standard output and error of a launch of an earlier life, from where that left off; `None`: there are no such files.
    ///
    /// # Errors
    /// The files cannot be read.
    pub fn resume(&self, label: &str) -> io::Result<Option<(Output, Output)>> {
        let open = |name: String| {
            let file = printed::open(&self.path(&name))?;
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

    /// Makes the files of a new launch: our ends, and those that the program inherits.
    pub(crate) fn create(&self, label: &str) -> io::Result<[(Output, Inherited); 2]> {
        self.remove(label);
        let make = |name: String| -> io::Result<(Output, Inherited)> {
            let (ours, theirs) = printed::create(&self.path(&name))?;
            Ok((self.follow(name, ours)?, theirs))
        };
        let made = || -> io::Result<_> { Ok([make(stdout(label))?, make(stderr(label))?]) };
        made().inspect_err(|_| self.remove(label))
    }

    fn follow(&self, name: String, file: File) -> io::Result<Output> {
        let position = printed::position(&self.position(&name))?;
        let mut bytes = [0; 8];
        // A file without a position was never read.
        let whole = printed::read_at(&position, &mut bytes, 0)? == bytes.len();
        let settled = if whole { u64::from_le_bytes(bytes) } else { 0 };
        let growth = Growth::default();
        Ok(Output::file(Follower {
            watch: self.0.folder.file(&name, &growth),
            _folder: self.clone(),
            name,
            gives_back: printed::can_give_back(&file),
            file,
            position,
            growth,
            read: settled,
            settled,
            freed: 0,
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

fn positions(folder: &Path) -> PathBuf {
    folder.join("read")
}

fn stdout(label: &str) -> String {
    format!("{label}.out")
}

fn stderr(label: &str) -> String {
    format!("{label}.err")
}

/// How a reader at the end of its file is woken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Growth(Arc<Mutex<Waiting>>);

#[derive(Debug, Default)]
struct Waiting {
    reader: Option<Waker>,
    /// Nothing more is written.
    ended: bool,
}

impl Growth {
    /// Nothing more is written.
    pub(crate) fn end(&self) {
        self.lock().ended = true;
        self.wake();
    }

    /// Something may have been written.
    pub(crate) fn wake(&self) {
        let reader = self.lock().reader.take();
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    /// Whether nothing more is written; else the waker is called when that may have changed.
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

/// That of the same reader.
impl PartialEq for Growth {
    fn eq(&self, other: &Growth) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// One file, on its way through it.
pub(crate) struct Follower {
    watch: Watch,
    /// Watched for as long as somebody reads in it.
    _folder: Outputs,
    name: String,
    file: File,
    position: File,
    growth: Growth,
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
    pub(crate) fn growth(&self) -> Growth {
        self.growth.clone()
    }

    pub(crate) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let ended = self.growth.has_ended(context.waker());
            // Looked at after that: what was written before the end, or before there was anybody to wake, is read.
            if self.read_on(buffer)? {
                self.watch.has_grown();
                return Poll::Ready(Ok(()));
            }
            if ended {
                return Poll::Ready(Ok(()));
            }
            ready!(self.watch.poll_look(context));
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
        let count = printed::read_at(&self.file, buffer.initialize_unfilled(), self.read)?;
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
    pub(crate) fn settle(&mut self, held: usize) {
        let settled = self.read.saturating_sub(held as u64);
        if settled == self.settled {
            return;
        }
        self.settle_at(settled);
        if settled.saturating_sub(self.freed) >= HELD_BYTES_MAX {
            self.give_back(settled / BLOCK_BYTES * BLOCK_BYTES);
        }
    }

    fn settle_at(&mut self, settled: u64) {
        self.settled = settled;
        // Best effort: were it lost, lines would be logged twice after a restart, which is better than not at all.
        let _ = printed::write_at(&self.position, &settled.to_le_bytes(), 0);
    }

    fn give_back(&mut self, to: u64) {
        if self.gives_back {
            match printed::give_back(&self.file, self.freed, to) {
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
