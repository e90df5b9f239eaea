//! What a process leaves behind, where no control group holds it together.
//!
//! This process adopts the orphans below it (`PR_SET_CHILD_SUBREAPER`, prctl(2)), so that a process that forks twice to get
//! away is still its descendant. Whose it was is told by its session, which [`launch`](crate::launch) makes new for every root,
//! by descent, or, if it has started a session of its own, by the variables of the launch in its environment: they hold that
//! launch's token.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, getpid, set_child_subreaper, waitid};

use super::pidfd::Pidfd;
use super::proc::{self, Stat};
use crate::LAUNCH_VARIABLE;

/// How often a family is gone through before its processes are said to fork too fast.
const ROUNDS_MAX: usize = 32;

/// How often an orphan is waited for that shows no environment. One that begins a program has none for a moment; one that was
/// started without any never will.
const BARE_ROUNDS_MAX: usize = 16;

/// How many looks in a row must find nothing.
const QUIET_ROUNDS: usize = 2;

/// Our children that somebody waits for.
static ROOTS: Mutex<Option<HashSet<i32>>> = Mutex::new(None);

/// A root process and its descendants.
pub(super) struct Family {
    root: i32,
    start: u64,
    marks: Vec<Vec<u8>>,
    /// An earlier life of this program started it, so its orphans are not ours.
    adopted: bool,
}

impl Family {
    pub(super) fn of(root: i32, start: u64, marks: Vec<Vec<u8>>) -> Family {
        roots().get_or_insert_default().insert(root);
        Family { root, start, marks, adopted: false }
    }

    /// That of a process which an earlier life of this program started, with this variable and perhaps others.
    pub(super) fn adopted(root: i32, start: u64, mark: &str) -> Family {
        let marks = vec![format!("{LAUNCH_VARIABLE}={mark}").into_bytes()];
        Family { root, start, marks, adopted: true }
    }

    /// Whether a process belongs to it.
    pub(super) fn contains(&self, pid: i32) -> bool {
        self.members().contains_key(&pid)
    }

    /// Kills every member, and the root first where it is given. Says how many members there were.
    pub(super) fn kill(&self, root: Option<&Pidfd>) -> io::Result<usize> {
        // Whatever a root that has ended left behind is ours by now. A crash is answered within a millisecond, and going
        // through all of `/proc` would take longer than that.
        // Asked twice, because a list of children that changes while it is read can leave one out: proc(5).
        if root.is_none() && !self.adopted && !has_strays() && !has_strays() {
            return Ok(0);
        }
        let mut killed = HashSet::new();
        let mut quiet = 0;
        let mut bare = 0;
        for _ in 0..ROUNDS_MAX {
            let members = self.members();
            if let Some(root) = root {
                root.signal(Signal::KILL)?;
            }
            let mut fresh = false;
            for (pid, stat) in members {
                // Gone meanwhile, or another process by now: either way no member any more.
                let Ok(process) = Pidfd::open_verified(pid, stat.start) else { continue };
                process.signal(Signal::KILL)?;
                fresh |= killed.insert((pid, stat.start));
            }
            // One look is not one moment: a process that ended during it can have hidden the child that it left.
            quiet = if fresh { 0 } else { quiet + 1 };
            if quiet > 0 && bare < BARE_ROUNDS_MAX && self.has_bare_stray() {
                (quiet, bare) = (0, bare + 1);
                std::thread::yield_now();
            }
            // While the root is there, another look follows its end.
            if quiet == QUIET_ROUNDS || (quiet > 0 && root.is_some()) {
                reap_strays();
                return Ok(killed.len());
            }
        }
        Err(io::Error::other(format!(
            "descendants of process {} fork faster than they can be killed",
            self.root
        )))
    }

    /// Everything alive in it but the root, with when it started.
    fn members(&self) -> HashMap<i32, Stat> {
        let all: HashMap<i32, Stat> =
            self.suspects().into_iter().filter_map(|pid| Some((pid, proc::stat(pid).ok()?))).collect();
        let own = getpid().as_raw_nonzero().get();
        let candidate = |pid: i32, stat: &Stat| {
            pid != self.root && pid != own && stat.start >= self.start && !stat.is_zombie()
        };
        let near = |pid: i32, stat: &Stat| {
            stat.session == self.root
                || stat.group == self.root
                || self.is_ancestor(&all, pid)
                || ((stat.parent == own || self.adopted) && self.marks_are_on(pid))
        };
        let mut members: HashMap<i32, Stat> = HashMap::new();
        members
            .extend(all.iter().filter(|(pid, stat)| candidate(**pid, stat) && near(**pid, stat)).map(copied));
        // What descends from a member is one, too, whatever session it has made for itself.
        loop {
            let found = all.iter().filter(|(pid, stat)| {
                candidate(**pid, stat) && !members.contains_key(pid) && members.contains_key(&stat.parent)
            });
            let found: Vec<_> = found.map(copied).collect();
            if found.is_empty() {
                return members;
            }
            members.extend(found);
        }
    }

    /// Every process that can be a member: what is below the root, and what was orphaned and is ours by now, with what is below
    /// that. Looked at in this order, because that is the way in which a process moves while we look. All processes of the
    /// machine would do as well, but a hundred agents that end together would have each of them looked at a hundred times.
    fn suspects(&self) -> HashSet<i32> {
        if self.adopted {
            return proc::pids().collect();
        }
        let mut found = HashSet::new();
        descend(self.root, &mut found);
        let Some(strays) = strays() else { return proc::pids().collect() };
        strays.into_iter().for_each(|stray| descend(stray, &mut found));
        found
    }

    /// Whether there is an orphan whose environment does not say whose it is, because it has none.
    fn has_bare_stray(&self) -> bool {
        let is_bare = |pid: &i32| {
            let lives = proc::stat(*pid).is_ok_and(|stat| stat.start >= self.start && !stat.is_zombie());
            lives && proc::environment(*pid).is_empty()
        };
        !self.marks.is_empty() && strays().is_some_and(|strays| strays.iter().any(is_bare))
    }

    fn is_ancestor(&self, all: &HashMap<i32, Stat>, pid: i32) -> bool {
        let mut current = pid;
        // Bounded by the number of processes: a snapshot that is not one moment's could hold a ring.
        for _ in 0..all.len() {
            let Some(stat) = all.get(&current) else { return false };
            if stat.parent == self.root {
                return all.get(&self.root).is_some_and(|root| root.start == self.start);
            }
            current = stat.parent;
        }
        false
    }

    fn marks_are_on(&self, pid: i32) -> bool {
        !self.marks.is_empty() && is_marked(pid, self.marks.iter().map(Vec::as_slice))
    }
}

/// Whether a process has all of these variables in its environment.
pub(super) fn is_marked<'a>(pid: i32, mut marks: impl Iterator<Item = &'a [u8]>) -> bool {
    let environment = proc::environment(pid);
    let variables: HashSet<&[u8]> = environment.split(|byte| *byte == 0).collect();
    marks.all(|mark| variables.contains(mark))
}

/// Makes this process the parent of its orphaned descendants.
pub(super) fn adopt_orphans() {
    // Linux 3.4 and later cannot refuse it.
    let _ = set_child_subreaper(Some(Pid::INIT));
}

/// Nobody waits for this child any more.
pub(super) fn forget(pid: i32) {
    if let Some(roots) = roots().as_mut() {
        roots.remove(&pid);
    }
}

/// Adds a process and all below it.
fn descend(from: i32, found: &mut HashSet<i32>) {
    let mut ahead = vec![from];
    while let Some(pid) = ahead.pop() {
        if found.insert(pid) {
            // One that has ended has no children: they are ours by now.
            ahead.extend(proc::children(pid).unwrap_or_default());
        }
    }
}

/// This process's orphans: children of its first thread that are not roots; `None` where the kernel does not tell.
fn strays() -> Option<Vec<i32>> {
    let mut children = proc::own_children().ok()?;
    let roots = roots();
    children.retain(|pid| !roots.as_ref().is_some_and(|roots| roots.contains(pid)));
    Some(children)
}

fn has_strays() -> bool {
    strays().is_none_or(|strays| !strays.is_empty())
}

/// Waits for adopted orphans that have ended. A child that this program has started itself, in its own session, is left to
/// whoever started it.
pub(super) fn reap_strays() {
    let own = getpid().as_raw_nonzero().get();
    let Ok(own_stat) = proc::stat(own) else { return };
    for pid in strays().unwrap_or_else(|| proc::pids().collect()) {
        let Ok(stat) = proc::stat(pid) else { continue };
        let stray = stat.parent == own && stat.is_zombie() && stat.session != own_stat.session;
        if stray && !roots().as_ref().is_some_and(|roots| roots.contains(&pid)) {
            let id = Pid::from_raw(pid).map(WaitId::Pid);
            // Our zombie, so the pid means it and nothing else until this very call.
            let _ = id.map(|id| waitid(id, WaitIdOptions::EXITED | WaitIdOptions::NOHANG));
        }
    }
}

fn roots() -> MutexGuard<'static, Option<HashSet<i32>>> {
    ROOTS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copied((pid, stat): (&i32, &Stat)) -> (i32, Stat) {
    (*pid, *stat)
}
