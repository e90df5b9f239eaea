//! Where a child is born: on the caller's thread, or on one that is there for births alone.
//!
//! A child that shares this program's memory until it executes saves copying the page tables, and this program a page fault for
//! each page that it writes next: about a third of a restart. But whoever lends their memory sleeps until then, and a user can keep
//! a child that has become them from its program for as long as they like. So it is a thread of its own that sleeps, and while it
//! does, other children get a copy.
//!
//! What such a child is to its user, in the fraction of a millisecond for which it is theirs and uses our memory: no more than a
//! child with a copy. They cannot look into it or write to it, because the kernel lets nobody trace a process whose memory is not
//! dumpable, which ours never is again ([`Thread::start`], and see [`lends`]); it leaves no core for the same reason; they may stop
//! it or kill it, which is between them and their agent. Who shares memory with the out-of-memory killer's victim dies with it. It
//! passes over a process whose parent waits like this, but not in the moment after that, nor where it kills a whole group. So
//! nothing is lent where a user has little memory to use up.

use std::fs::File;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::thread;

use rustix::process::{
    DumpableBehavior, Signal, WaitId, WaitIdOptions, pidfd_send_signal, set_dumpable_behavior, waitid,
};
use tokio::sync::oneshot;

use super::child::Report;
use super::clone::{CAN_SHARE, Memory};
use super::newborn::{EXECUTE_WITHIN, Newborn, Outlet, Place, bear as bear_with, bury, outputs};
use super::{failure, heritage};
use crate::{Command, LaunchError, Station};

/// kernel.org, Documentation/admin-guide/sysctl/fs.rst: with 1, whoever runs a process may look into it although it has changed its
/// user.
const SUID_DUMPABLE: &str = "/proc/sys/fs/suid_dumpable";

/// Gives birth to a child on this thread: in this program's memory, if it stays the same user, else in a copy.
pub(super) fn bear_here(station: &Station, place: &Place, command: &Command) -> Result<Newborn, LaunchError> {
    let stays = station.facts().become_user.is_none();
    let memory = if stays { Memory::Shared } else { Memory::Copied };
    bear_with(station, place, command, outputs(command)?, memory, &AtomicI32::new(-1))
}

/// Gives birth to a child where it takes least time.
pub(super) async fn bear(station: &Station, place: Place, command: &Command) -> Result<Newborn, LaunchError> {
    if lends(station)
        && let Some(turn) = Thread::claim()
    {
        return turn.ask(station, place, outputs(command)?, command).born(command).await;
    }
    bear_here(station, &place, command)
}

/// Whether a child that becomes the user of this station may have the use of our memory until then.
fn lends(station: &Station) -> bool {
    static SETTING: OnceLock<Option<File>> = OnceLock::new();

    let facts = station.facts();
    // A child that stays what we are lends nothing to anybody else, and a filter of core files belongs to the memory.
    let becomes = facts.become_user.as_ref().is_some_and(|user| user.login.core_filter.is_none());
    if !becomes || facts.has_memory_rules {
        return false;
    }
    let mut setting = [0];
    let file = SETTING.get_or_init(|| File::open(SUID_DUMPABLE).ok()).as_ref();
    let read = file.map(|file| rustix::io::pread(file, &mut setting, 0));
    matches!(read, Some(Ok(1)) if setting != *b"1")
}

/// The thread for births. Children die with the thread that bore them, so it ends with this program.
struct Thread {
    requests: mpsc::Sender<Request>,
    is_busy: AtomicBool,
}

/// A claim to the thread; it is free again when it has given birth.
struct Turn(&'static Thread);

struct Request {
    station: Station,
    command: Command,
    place: Place,
    outlets: [Outlet; 2],
    pidfd: Arc<AtomicI32>,
    turn: Turn,
    answer: oneshot::Sender<Result<Newborn, LaunchError>>,
}

impl Thread {
    /// `None`: it is busy, or cannot be had.
    fn claim() -> Option<Turn> {
        static THREAD: OnceLock<Option<Thread>> = OnceLock::new();

        let thread = THREAD.get_or_init(|| CAN_SHARE.then(Thread::start).flatten()).as_ref()?;
        (!thread.is_busy.swap(true, Ordering::Acquire)).then(|| Turn(thread))
    }

    fn start() -> Option<Thread> {
        // A child sets them to what a session has, for its memory: that would be ours.
        if heritage::has_rules_of_memory() {
            return None;
        }
        // For good. It cannot be set back after a birth: execve(2) wakes this thread before it takes our memory from the child
        // (`exec_mmap` in fs/exec.c), and in between the child's user, who may trace it, could read and write us by it.
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok()?;
        let (requests, inbox) = mpsc::channel();
        let work = move || inbox.iter().for_each(Request::answer);
        thread::Builder::new().name("births".into()).stack_size(128 * 1024).spawn(work).ok()?;
        Some(Thread { requests, is_busy: AtomicBool::new(false) })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.is_busy.store(false, Ordering::Release);
    }
}

impl Turn {
    fn ask(self, station: &Station, place: Place, outlets: [Outlet; 2], command: &Command) -> Expected {
        let pidfd = Arc::new(AtomicI32::new(-1));
        let (answer, born) = oneshot::channel();
        let (station, command) = (station.clone(), command.clone());
        let thread = self.0;
        let request =
            Request { station, command, place, outlets, pidfd: Arc::clone(&pidfd), turn: self, answer };
        // It lives as long as this program; if it did not, nobody would answer.
        let _ = thread.requests.send(request);
        Expected { pidfd, born }
    }
}

/// A child that the thread was asked for.
struct Expected {
    /// Its pidfd, once it is born; before that, negative.
    pidfd: Arc<AtomicI32>,
    born: oneshot::Receiver<Result<Newborn, LaunchError>>,
}

impl Expected {
    /// Resolves when the thread no longer waits for it, or it is given up.
    async fn born(mut self, command: &Command) -> Result<Newborn, LaunchError> {
        let late = || Err(failure::explain(Report::late(), "", command));
        if let Ok(answer) = tokio::time::timeout(EXECUTE_WITHIN, self.answer()).await {
            return answer.unwrap_or_else(late);
        }
        self.end();
        tokio::spawn(async move {
            if let Some(Ok(newborn)) = self.answer().await {
                bury(newborn.born.pidfd);
            }
        });
        late()
    }

    /// `None`: the thread has ended. Cancel safe.
    async fn answer(&mut self) -> Option<Result<Newborn, LaunchError>> {
        let answer = (&mut self.born).await.ok();
        self.pidfd.store(-1, Ordering::Relaxed);
        answer
    }

    /// Ends a child for which the thread still waits.
    fn end(&self) {
        let pidfd = self.pidfd.load(Ordering::Relaxed);
        if pidfd >= 0 {
            // SAFETY: it is open: the thread that waits for the child owns it, and answers with it, which nobody has taken yet.
            let _ = pidfd_send_signal(unsafe { BorrowedFd::borrow_raw(pidfd) }, Signal::KILL);
        }
    }
}

impl Drop for Expected {
    /// Nobody waits for it any more, and the thread shall not, either.
    fn drop(&mut self) {
        self.end();
    }
}

impl Request {
    /// On the thread.
    fn answer(self) {
        let Request { station, command, place, outlets, pidfd, turn, answer } = self;
        let newborn = bear_with(&station, &place, &command, outlets, Memory::Shared, &pidfd);
        if let Err(Ok(Newborn { born, .. })) = answer.send(newborn) {
            // Nobody waits for it any more: the launch was given up, and the child with it.
            let _ = born.pidfd.signal(Signal::KILL);
            let _ = waitid(WaitId::PidFd(born.pidfd.as_fd()), WaitIdOptions::EXITED);
        }
        drop(turn);
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::fs::{OFlags, fcntl_setfl};
    use rustix::io::{read, write};
    use rustix::pipe::{PipeFlags, pipe_with};
    use rustix::process::dumpable_behavior;

    use super::*;

    /// Where a child becomes what this program is already. `None`: it may become nobody.
    fn station(has_memory_rules: bool) -> Option<Station> {
        let station = || Station::to_become_ourselves(|facts| facts.has_memory_rules = has_memory_rules);
        crate::is_privileged().then(station)
    }

    async fn claimed() -> Turn {
        soon("the thread is free", async {
            loop {
                match Thread::claim() {
                    Some(turn) => return turn,
                    // A test beside this one has it.
                    None => tokio::time::sleep(Duration::from_millis(1)).await,
                }
            }
        })
        .await
    }

    /// A child that enters a control group through this waits until the other end is read.
    fn full_pipe() -> (OwnedFd, OwnedFd) {
        let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
        while write(&writer, &[0; 4096]).is_ok() {}
        fcntl_setfl(&writer, OFlags::empty()).unwrap();
        (reader, writer)
    }

    async fn is_born(pidfd: &AtomicI32) {
        while pidfd.load(Ordering::Relaxed) < 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
        tokio::time::timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("{what}"))
    }

    #[tokio::test]
    async fn a_child_that_does_not_get_on_keeps_nobody_else() {
        let Some(station) = station(false).filter(|_| CAN_SHARE) else { return };
        let command = Command::new("/bin/true", "");
        let (reader, entrance) = full_pipe();
        let outlets = outputs(&command).unwrap();
        let stuck = claimed().await.ask(&station, Place::Enters(entrance), outlets, &command);
        let pidfd = Arc::clone(&stuck.pidfd);
        let stuck = async { stuck.born(&command).await.unwrap().grown(&command).await.unwrap() };
        let others = async {
            // What is open at its birth it has as well, until it closes what is not its own.
            is_born(&pidfd).await;
            assert!(Thread::claim().is_none(), "it waits for the child");
            let other = bear(&station, Place::Anywhere, &command).await.unwrap();
            soon("another is born with a copy", other.grown(&command)).await.unwrap();
            read(&reader, &mut [0; 4096]).unwrap();
        };
        soon("the child gets on", async { tokio::join!(biased; stuck, others) }).await;
        drop(claimed().await);
    }

    #[tokio::test]
    async fn nobody_can_look_into_memory_that_was_ever_lent() {
        let Some(station) = station(false).filter(|_| CAN_SHARE) else { return };
        let command = Command::new("/bin/true", "");
        let turn = claimed().await;
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable, "before the first child");
        let expected = turn.ask(&station, Place::Anywhere, outputs(&command).unwrap(), &command);
        let newborn = expected.born(&command).await.unwrap();
        newborn.grown(&command).await.unwrap();
        // While nothing is lent for a test beside this one.
        let _turn = claimed().await;
        assert_eq!(dumpable_behavior().unwrap(), DumpableBehavior::NotDumpable, "after it");
    }

    #[tokio::test]
    async fn a_child_that_nobody_waits_for_any_more_is_ended() {
        let Some(station) = station(false).filter(|_| CAN_SHARE) else { return };
        let command = Command::new("/bin/true", "");
        let (_reader, entrance) = full_pipe();
        let outlets = outputs(&command).unwrap();
        let stuck = claimed().await.ask(&station, Place::Enters(entrance), outlets, &command);
        soon("its birth", is_born(&stuck.pidfd)).await;
        drop(stuck);
        drop(claimed().await);
    }

    #[test]
    fn nothing_is_lent_where_memory_has_rules_or_to_who_stays_what_we_are() {
        assert!(!lends(&Station::own()));
        if let (Some(shares), Some(free)) = (station(true), station(false)) {
            assert!(!lends(&shares));
            let setting = std::fs::read_to_string(SUID_DUMPABLE).unwrap_or_default();
            assert_eq!(lends(&free), !setting.is_empty() && setting.trim() != "1");
        }
    }
}
