//! Control groups, version 2: cgroups(7). An instance lives in one of its own, so that all that it starts is known, however
//! it forks.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fs::{Mode, OFlags, statfs};
use rustix::process::{Signal, geteuid};

use super::pidfd::Pidfd;
use super::proc;

const MOUNT: &str = "/sys/fs/cgroup";
/// linux/magic.h
const CGROUP2_SUPER_MAGIC: i64 = 0x6367_7270;
/// How often a group without `cgroup.kill` is gone through before its processes are said to fork too fast.
const ROUNDS_MAX: usize = 32;

/// An instance's own control group.
pub(crate) struct Cgroup {
    /// Below the mount.
    path: PathBuf,
    /// As `/proc/PID/cgroup` has it.
    name: String,
    folder: OwnedFd,
    /// Its `cgroup.events`, read again after every process that lived here. None before Linux 4.2, or when descriptors are scarce.
    events: Option<OwnedFd>,
    /// An earlier launch made it, and something may have been killed in it since.
    used: bool,
    /// It was killed as a whole since it is ours.
    killed: AtomicBool,
}

impl Cgroup {
    /// Makes the group `name` in the group at `parent`, or takes the one that an earlier launch left, once what lives there is
    /// killed: whatever it is, it is not what is born here next, and there are never two.
    pub(crate) fn create(parent: &Path, name: &str) -> io::Result<Cgroup> {
        let path = parent.join(name);
        match fs::create_dir(&path) {
            Ok(()) => Cgroup::open(&path),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let left = Cgroup::open(&path)?;
                if !left.pids()?.is_empty() {
                    left.kill()?;
                }
                Ok(Cgroup { used: true, ..left })
            }
            Err(error) => Err(error),
        }
    }

    /// A group that is there.
    pub(crate) fn open(path: &Path) -> io::Result<Cgroup> {
        let folder = open(path)?;
        let below = path.strip_prefix(MOUNT).unwrap_or(path);
        let name = format!("/{}", below.display());
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let events = rustix::fs::openat(&folder, c"cgroup.events", flags, Mode::empty()).ok();
        let (path, killed) = (path.to_owned(), AtomicBool::new(false));
        Ok(Cgroup { path, name, folder, events, used: false, killed })
    }

    /// Where a process writes itself down to enter it; `None`: a process can be born in it. Since Linux 6.14, one that is born
    /// in a group which was ever killed dies at its birth: the kernel compares how often its parent's group was killed with how
    /// often this one was.
    pub(crate) fn entrance(&self) -> io::Result<Option<OwnedFd>> {
        let entrance = || OpenOptions::new().write(true).open(self.path.join("cgroup.procs"));
        self.used.then(entrance).transpose().map(|file| file.map(OwnedFd::from))
    }

    /// Its folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it is the group `name` in the group at `parent`.
    pub(crate) fn is_at(&self, parent: &Path, name: &str) -> bool {
        self.path.parent() == Some(parent) && self.path.file_name() == Some(OsStr::new(name))
    }

    /// Whether a process can be born in it as in a new one: nothing lives in it or below it, it is not frozen, and it was not killed
    /// since it is ours, see [`Cgroup::entrance`].
    pub(crate) fn is_as_new(&self) -> bool {
        if self.used || self.killed.load(Ordering::Relaxed) {
            return false;
        }
        let mut said = [0; 256];
        let length = self.events.as_ref().and_then(|events| rustix::io::pread(events, &mut said, 0).ok());
        let mut lines = said[..length.unwrap_or(0)].split(|byte| *byte == b'\n');
        // Since Linux 5.2 both are there.
        lines.clone().any(|line| line == b"populated 0") && lines.any(|line| line == b"frozen 0")
    }

    /// Whether a process lives in it or below it.
    pub(crate) fn holds(&self, pid: i32) -> bool {
        let Ok(group) = proc::control_group(pid) else { return false };
        group.strip_prefix(&self.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// The processes in it and below it; those that have ended but were not waited for are not among them. None live in a
    /// group that is gone, by our own hand or with its session.
    pub(crate) fn pids(&self) -> io::Result<Vec<i32>> {
        match pids_of(&self.path) {
            // ENODEV: removed between the opening of its list and the reading.
            Err(error)
                if error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ENODEV) =>
            {
                Ok(Vec::new())
            }
            pids => pids,
        }
    }

    /// Kills whatever lives in it: `cgroup.kill`, Linux 5.14; before that, one by one until none is left.
    pub(crate) fn kill(&self) -> io::Result<()> {
        self.killed.store(true, Ordering::Relaxed);
        match OpenOptions::new().write(true).open(self.path.join("cgroup.kill")) {
            Ok(mut file) => return file.write_all(b"1"),
            // The group is gone, or the kernel is older than the file.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        for _ in 0..ROUNDS_MAX {
            let pids = self.pids()?;
            let mut left = 0;
            for pid in pids {
                // Held by pidfd first and looked up again, so that a reused pid is never hit.
                let Ok(process) = Pidfd::open(pid) else { continue };
                if self.holds(pid) && !process.has_ended() {
                    process.signal(Signal::KILL)?;
                    left += 1;
                }
            }
            if left == 0 {
                return Ok(());
            }
        }
        Err(io::Error::other(format!(
            "processes in {} fork faster than they can be killed",
            self.path.display()
        )))
    }

    /// Kills whatever lives in it, removes it and says how many there were.
    pub(crate) fn clear(&self) -> io::Result<usize> {
        // The usual case, and a restart waits for it: a group in which nothing lives goes at once, and no other does.
        if fs::remove_dir(&self.path).is_ok() {
            return Ok(0);
        }
        let left = self.pids()?.len();
        if left > 0 {
            self.kill()?;
        }
        self.remove();
        Ok(left)
    }

    /// Moves what lives in it to the group above, where it is nobody's instance any more.
    pub(crate) fn release(&self) -> io::Result<()> {
        let above = self.path.parent().unwrap_or(&self.path).join("cgroup.procs");
        for _ in 0..ROUNDS_MAX {
            let pids = self.pids()?;
            if pids.is_empty() {
                self.remove();
                return Ok(());
            }
            for pid in pids {
                match OpenOptions::new().write(true).open(&above)?.write_all(pid.to_string().as_bytes()) {
                    Err(error) if error.raw_os_error() != Some(libc::ESRCH) => return Err(error),
                    _ => {}
                }
            }
        }
        Err(io::Error::other(format!(
            "processes in {} fork faster than they can be moved",
            self.path.display()
        )))
    }

    /// Removes the group if nothing lives in it. Best effort: the next launch takes it over, and it ends with its session.
    pub(crate) fn remove(&self) {
        remove_tree(&self.path);
    }
}

impl AsFd for Cgroup {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.folder.as_fd()
    }
}

/// A group, for a child to be born in.
pub(crate) fn open(folder: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    Ok(rustix::fs::open(folder, flags, Mode::empty())?)
}

/// The names of the groups in a group that begin with `prefix`.
pub(crate) fn below(folder: &Path, prefix: &str) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let groups = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let names = groups.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| name.starts_with(prefix)).collect()
}

/// The processes in a group and below it.
pub(crate) fn pids_of(folder: &Path) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    collect(folder, "", &mut found)?;
    Ok(found)
}

/// The same without those in the groups directly below it whose names begin like this.
pub(crate) fn pids_of_others(folder: &Path, prefix: &str) -> io::Result<Vec<i32>> {
    let mut found = Vec::new();
    collect(folder, prefix, &mut found)?;
    Ok(found)
}

/// Whether the out-of-memory killer looks for a victim in a group alone, or kills all that lives there at once: `memory.max` and
/// `memory.oom.group` of it or of a group above, but for the topmost.
pub(crate) fn has_memory_rules(folder: &Path) -> bool {
    let usual: [(_, &[u8]); 2] = [("memory.max", b"max"), ("memory.oom.group", b"0")];
    let is_unusual = |file, usual| match fs::read(file) {
        Ok(setting) => setting.trim_ascii() != usual,
        // What cannot be read may be anything; where memory is not counted there is no file.
        Err(error) => error.kind() != ErrorKind::NotFound,
    };
    let mut groups = folder.ancestors().take_while(|group| *group != Path::new(MOUNT));
    groups.any(|group| usual.iter().any(|(name, usual)| is_unusual(group.join(name), *usual)))
}

/// Whether the machine has the unified hierarchy, and it alone.
pub(crate) fn is_unified() -> bool {
    statfs(MOUNT).is_ok_and(|found| found.f_type == CGROUP2_SUPER_MAGIC)
}

/// The folder of a group, from its path as D-Bus and `/proc` have it.
pub(crate) fn folder_of(group: &str) -> PathBuf {
    Path::new(MOUNT).join(group.trim_start_matches('/'))
}

/// The group that this process lives in, if it may make others below it: it was delegated to this user. The root of the
/// hierarchy is nobody's to use.
pub(crate) fn own_delegated() -> Option<PathBuf> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let group = proc::control_group(own).ok().filter(|group| group != "/" && is_unified())?;
    let folder = folder_of(&group);
    // A process can be moved only by who may write the nearest common ancestor's list, which is this folder's.
    let mine = |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.uid() == geteuid().as_raw());
    let writable = |path: &Path| rustix::fs::access(path, rustix::fs::Access::WRITE_OK).is_ok();
    let procs = folder.join("cgroup.procs");
    (mine(&folder) && writable(&folder) && writable(&procs)).then_some(folder)
}

/// `without`: what the names of groups that are left out begin with; empty: none is.
fn collect(folder: &Path, without: &str, found: &mut Vec<i32>) -> io::Result<()> {
    let mut text = String::new();
    File::open(folder.join("cgroup.procs"))?.read_to_string(&mut text)?;
    found.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
    for entry in fs::read_dir(folder)?.flatten() {
        let is_left_out =
            !without.is_empty() && entry.file_name().as_encoded_bytes().starts_with(without.as_bytes());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && !is_left_out {
            // A group that vanishes while we look has no processes.
            let _ = collect(&entry.path(), "", found);
        }
    }
    Ok(())
}

fn remove_tree(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_tree(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_for_memory_hold_for_what_is_below() {
        let top = std::env::temp_dir().join(format!("bilayer-memory-{}", std::process::id()));
        let below = top.join("below");
        fs::create_dir_all(&below).unwrap();
        let mut found = vec![has_memory_rules(&below)];
        for (name, setting) in [
            ("memory.max", "max\n"),
            ("memory.max", "1048576\n"),
            ("memory.max", "max\n"),
            ("memory.oom.group", "0\n"),
            ("memory.oom.group", "1\n"),
        ] {
            fs::write(top.join(name), setting).unwrap();
            found.push(has_memory_rules(&below));
        }
        fs::remove_dir_all(&top).unwrap();
        assert_eq!(found, [false, false, true, false, false, true]);
    }
}
