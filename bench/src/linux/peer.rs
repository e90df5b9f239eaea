//! What every supervisor has in common that is measured.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::unit::Unit;
use crate::notes::{Birth, Notes};

/// The longest that a peer takes to start its children, a hundred of them on a busy machine.
const START_MAX: Duration = Duration::from_secs(60);

/// A supervisor that can be started with any number of children.
#[derive(Clone, Copy)]
pub(super) struct Peer {
    /// As the table names it.
    pub(super) name: &'static str,
    /// Programs that must be there.
    pub(super) needs: &'static [&'static str],
    /// How it takes crash after crash.
    pub(super) pace: Pace,
    /// Starts it with the children that the place says, and returns once it has been told to.
    pub(super) start: fn(&Place) -> Result<Supervisor>,
}

/// How soon after a start a supervisor starts again, so that no measurement waits longer than it must.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// At once, however short the child lived.
    Nimble,
    /// At once if the child lived for a second.
    Steady,
    /// After a second in any case.
    Slow,
}

/// Whether a supervisor is as its package has it or as fast as its documentation lets one set it, and as whom its children run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Setting {
    /// The package's, and the children run as alice.
    Default,
    /// The fastest, and the children run as alice.
    Fastest,
    /// The fastest, and the children run as the supervisor does.
    Root,
}

/// Who alice is: the container numbers its users so.
pub(super) const ALICE: &str = "1001";

/// Where a supervisor runs, and what for.
#[derive(Debug)]
pub(super) struct Place {
    /// The name of its unit.
    pub(super) unit: String,
    /// A folder of its own.
    pub(super) folder: PathBuf,
    pub(super) setting: Setting,
    /// How many children it has.
    pub(super) children: usize,
}

impl Place {
    /// The program that is supervised.
    pub(super) fn child(&self) -> String {
        format!("{}/child", super::inside::PROGRAMS)
    }

    /// Where its children note their births.
    pub(super) fn fifo(&self) -> PathBuf {
        self.folder.join("notes")
    }

    /// Whether the children run as alice.
    pub(super) fn is_for_alice(&self) -> bool {
        self.setting != Setting::Root
    }

    /// The child with its argument, for a configuration.
    pub(super) fn command(&self) -> String {
        format!("{} {}", self.child(), self.fifo().display())
    }

    /// Writes a file of the configuration.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let file = self.folder.join(name);
        fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        Ok(file)
    }
}

/// A supervisor that has been started.
#[derive(Debug)]
pub(super) enum Supervisor {
    /// Whatever runs in this unit and is not a child.
    In(Unit),
    /// The first process of the system; the unit is its children.
    First(#[expect(dead_code, reason = "its end is the children's")] Unit),
}

/// A supervisor with its children, all of which have begun.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) supervisor: Supervisor,
    pub(super) notes: Notes,
    /// The first births, in their order.
    pub(super) births: Vec<Birth>,
    /// Removed when the supervisor has ended, which is dropped before.
    folder: Removed,
}

impl Running {
    /// Starts a peer below `folder` and waits for the birth of all its children.
    pub(super) fn start(folder: &Path, peer: &Peer, setting: Setting, children: usize) -> Result<Self> {
        let unit =
            format!("bench-{}-{setting:?}-{children}", peer.name.replace([' ', ',', ':'], "")).to_lowercase();
        let folder = folder.join(&unit);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let place = Place { unit, folder, setting, children };
        let notes = Notes::new(&place.fifo())?;
        let supervisor = (peer.start)(&place).with_context(|| format!("cannot start {}", peer.name))?;
        let births = (0..children).map(|_| notes.next(START_MAX)).collect::<Result<Vec<_>>>();
        let births = births.with_context(|| format!("not all children of {} began", peer.name))?;
        Ok(Self { supervisor, notes, births, folder: Removed(place.folder) })
    }

    /// The processes of the supervisor itself.
    pub(super) fn processes(&self) -> Result<Vec<u32>> {
        let unit = match &self.supervisor {
            Supervisor::In(unit) => unit,
            Supervisor::First(_) => return Ok(vec![1]),
        };
        let is_child = |pid: &u32| {
            let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
            program.file_name().is_some_and(|name| name == "child")
        };
        let mut own = unit.processes()?;
        own.retain(|pid| !is_child(pid));
        ensure!(!own.is_empty(), "the supervisor in {} has ended", self.folder.0.display());
        Ok(own)
    }
}

/// A folder that goes away with its owner.
#[derive(Debug)]
struct Removed(PathBuf);

impl Drop for Removed {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
