//! What the service writes down for its next life: a small file for every agent that outlives it.
//!
//! A file is put in the place of the one before it, so that a reader finds all of one or all of the other. It is not forced to
//! the disk: what it says is about processes, and those end with the machine, too. What it must survive is the end of this
//! program, and that it does as soon as the system call returns.
//!
//! **Architecture invariant:** nothing that is read here is believed of a process before the platform has found the process to be
//! the one; what cannot be read is put aside and said, and keeps nothing from starting.

mod record;
mod secret;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use bilayer_platform::{Dirs, read_private, write_private};
use serde::{Deserialize, Serialize};

pub(crate) use record::{MACHINE, Record, Session};
pub(crate) use secret::{SecretHash, Secrets};

/// The form of the files. A service that finds another one puts it aside.
const VERSION: u32 = 1;

/// More than any record has: its longest parts are names of groups.
const RECORD_BYTES_MAX: usize = 1 << 20;

/// The records of a service.
pub(crate) struct Records {
    folder: PathBuf,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    #[serde(flatten)]
    record: &'a Record,
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

impl Records {
    pub(crate) fn of(dirs: &Dirs) -> Self {
        Self { folder: dirs.state.join("agents") }
    }

    /// Writes a record in the place of what is there of the same agent and logon.
    pub(crate) fn save(&self, record: &Record) -> io::Result<()> {
        let text = serde_json::to_vec(&Written { version: VERSION, record }).map_err(io::Error::from)?;
        write_private(&self.path(record), &text)
    }

    /// Removes the record of this agent and logon.
    pub(crate) fn forget(&self, record: &Record) {
        // Best effort: a record of a process that has ended is found out at the next start.
        let _ = fs::remove_file(self.path(record));
    }

    /// All that an earlier life wrote. What cannot be used is said in the log and put aside.
    pub(crate) fn read(&self) -> Vec<Record> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some("json") => {}
                Some("new") => {
                    // Half written: its launch did not happen, or is told by what it would have replaced.
                    let _ = fs::remove_file(&path);
                    continue;
                }
                _ => continue,
            }
            match read(&path) {
                Ok(Some(record)) => found.push(record),
                Ok(None) => {}
                Err(why) => put_aside(&path, &why),
            }
        }
        found
    }

    fn path(&self, record: &Record) -> PathBuf {
        self.folder.join(format!("{}.json", record.stem()))
    }
}

fn read(path: &Path) -> Result<Option<Record>, String> {
    let Some(bytes) = read_private(path, RECORD_BYTES_MAX).map_err(|error| error.to_string())? else {
        return Ok(None);
    };
    let unreadable = |error: serde_json::Error| format!("it is not what this service writes: {error}");
    let Version { version } = serde_json::from_slice(&bytes).map_err(unreadable)?;
    if version != VERSION {
        return Err(format!("it has version {version}, and this service reads {VERSION}"));
    }
    let record: Record = serde_json::from_slice(&bytes).map_err(unreadable)?;
    // What is forgotten later is the file of this name.
    if path.file_stem() == Some(record.stem().as_ref()) {
        Ok(Some(record))
    } else {
        Err("its name is not that of the agent in it".into())
    }
}

fn put_aside(path: &Path, why: &str) {
    let aside = path.with_extension("unusable");
    tracing::warn!(
        file = %path.display(),
        "cannot use what an earlier start wrote down about an agent: {why}; it is put aside as {}, and the agent is started anew",
        aside.display()
    );
    if let Err(error) = fs::rename(path, &aside) {
        tracing::warn!(file = %path.display(), "cannot put it aside: {error}");
    }
}
