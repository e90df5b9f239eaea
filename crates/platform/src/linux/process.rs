//! A launched process and all that it started.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use std::os::fd::AsFd as _;
use tokio::io::unix::AsyncFd;

use super::cgroup::Cgroup;
use super::pidfd::Pidfd;
use super::survivors;
use super::vacated::Vacated;
use super::{keep, now, proc, survivors::Family};
use crate::{Command, Exit, Peer, ProcessRecord};

/// What was killed by nobody we know within this time may have been killed by being born where it was.
const BIRTH_NANOS_MAX: u64 = 10_000_000;

/// A running root process of an instance, by pidfd: never a bare pid.
pub struct Process {
    pid: i32,
    pidfd: AsyncFd<Pidfd>,
    exit: Mutex<Option<Ended>>,
    kin: KinGroup,
    record: Option<ProcessRecord>,
    /// When we came to hold it: [`now`].
    since: u64,
}

/// A root process that has ended.
#[derive(Clone, Copy)]
struct Ended {
    exit: Exit,
    /// Nothing of it is left in the table of processes.
    reaped: bool,
}

/// How the processes that a root has started are told.
enum KinGroup {
    /// They live in its control group.
    Cgroup(Arc<Cgroup>),
    /// By session, process group, descent and environment.
    Family(Family),
}

/// What the members of a family have in common besides descent: the variables that were given to that launch alone.
pub(super) struct Kin {
    marks: Vec<Vec<u8>>,
    /// That of a process which is to be found again.
    mark: Option<String>,
}

impl Kin {
    pub(super) fn of(command: &Command) -> Kin {
        Kin {
            marks: command.env.iter().map(|(name, value)| format!("{name}={value}").into_bytes()).collect(),
            mark: command.keep.as_ref().map(|_| command.mark().to_owned()),
        }
    }
}

impl Process {
    /// Takes a child of this process. Needs a runtime.
    pub(super) fn new(pid: i32, pidfd: Pidfd, cgroup: Option<Arc<Cgroup>>, kin: Kin) -> io::Result<Process> {
        // Not waited for yet, so its state can be read even if it has ended already.
        let record =
            kin.mark.as_ref().map(|mark| keep::of_newborn(pid, cgroup.as_deref(), mark)).transpose()?;
        let kin = match cgroup {
            Some(cgroup) => KinGroup::Cgroup(cgroup),
            None => KinGroup::Family(Family::of(pid, proc::stat(pid)?.start, kin.marks)),
        };
        Ok(Process { pid, pidfd: pidfd.watched()?, exit: Mutex::new(None), kin, record, since: now() })
    }

    /// Takes a process that an earlier life of this program started and that was found to be the one. Needs a runtime.
    pub(super) fn adopted(
        pid: i32,
        pidfd: Pidfd,
        cgroup: Option<Cgroup>,
        record: ProcessRecord,
    ) -> io::Result<Process> {
        let kin = match (cgroup, &record.root) {
            (Some(cgroup), _) => KinGroup::Cgroup(Arc::new(cgroup)),
            (None, root) => {
                survivors::adopt_orphans();
                KinGroup::Family(Family::adopted(pid, root.map_or(0, |root| root.start), &record.mark))
            }
        };
        let record = Some(record);
        Ok(Process { pid, pidfd: pidfd.watched()?, exit: Mutex::new(None), kin, record, since: now() })
    }

    /// What finds it again after this program has ended; `None`: it ends with this program.
    pub fn record(&self) -> Option<&ProcessRecord> {
        self.record.as_ref()
    }

    /// Its process id, for people and logs.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Resolves once the root process has ended. May be awaited again and by several. It is a zombie until it is reaped.
    pub async fn exited(&self) -> Exit {
        loop {
            if let Some(exit) = self.collect() {
                return exit;
            }
            match self.pidfd.readable().await {
                // Its end was announced; if there is no status yet after all, the next announcement is waited for.
                Ok(mut ready) => match self.collect() {
                    Some(exit) => return exit,
                    None => ready.clear_ready(),
                },
                // The runtime goes down, and nobody acts on the answer any more.
                Err(_) => return Exit::Unknown,
            }
        }
    }

    /// Takes the root process out of the table of processes, if it has ended. Apart from its exit, because what the kernel has to
    /// do for it takes as long as a few system calls, and a restart need not wait for that.
    pub fn reap(&self) {
        let mut ended = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ended) = ended.as_mut().filter(|ended| !ended.reaped) {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            // ECHILD: it is not our child, or somebody else in this program has waited for it.
            let _ = waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), options);
            ended.reaped = true;
            survivors::forget(self.pid);
        }
    }

    /// Asks the root process to end: SIGTERM. A process that has ended is no error.
    pub fn terminate(&self) -> io::Result<()> {
        self.pidfd.get_ref().signal(Signal::TERM)
    }

    /// Kills the root process and everything that it started.
    pub fn kill_all(&self) -> io::Result<()> {
        match &self.kin {
            KinGroup::Cgroup(cgroup) => {
                // The root by itself as well: a user's service manager moves a process into a scope of its own when that
                // asks for it, as some desktop programs do, and then it is in this group no longer.
                let root = self.pidfd.get_ref().signal(Signal::KILL);
                cgroup.kill().and(root)
            }
            KinGroup::Family(family) => {
                // Its descendants first, while the root still shows who they are.
                family.kill(Some(self.pidfd.get_ref())).map(drop)
            }
        }
    }

    /// The root process is gone: hands out its place, for the next process of the same agent, if it has left nothing there.
    /// `None`: what it left is to be dealt with first.
    pub fn vacate(&self) -> Option<Vacated> {
        let KinGroup::Cgroup(cgroup) = &self.kin else { return None };
        // Somebody else may have killed the group, which does not show, and then nothing can be born in it.
        let killed_at_birth = self.collect() == Some(Exit::Signal(Signal::KILL.as_raw() as u8))
            && now() - self.since < BIRTH_NANOS_MAX;
        (!killed_at_birth && cgroup.is_as_new()).then(|| Vacated::new(Arc::clone(cgroup)))
    }

    /// The root process is gone: kills what it left, and says how many there were.
    pub fn sweep(&self) -> io::Result<usize> {
        match &self.kin {
            KinGroup::Cgroup(cgroup) => cgroup.clear(),
            KinGroup::Family(family) => family.kill(None),
        }
    }

    /// The root process is gone: lets go of what it left.
    pub fn leave(&self) -> io::Result<()> {
        match &self.kin {
            KinGroup::Cgroup(cgroup) => cgroup.release(),
            KinGroup::Family(_) => Ok(()),
        }
    }

    /// Whether a peer is the root process or one that it started.
    pub fn owns(&self, peer: &Peer) -> bool {
        let pid = peer.raw_pid();
        // Until it is waited for, its pid means nobody else, wherever it lives.
        let is_root = pid == self.pid && self.collect().is_none();
        let member = is_root
            || match &self.kin {
                KinGroup::Cgroup(cgroup) => cgroup.holds(pid),
                KinGroup::Family(family) => family.contains(pid),
            };
        // Asked last: if the process that connected still lives, all that was read about its pid was about it.
        member && !peer.is_gone()
    }

    /// The exit status, once there is one.
    fn collect(&self) -> Option<Exit> {
        let mut ended = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
            let exit = match waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), options) {
                Ok(None) | Err(Errno::INTR) => None,
                Ok(Some(status)) => Some(match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Exit::Code(code.unsigned_abs()),
                    (None, Some(signal)) => Exit::Signal(signal.unsigned_abs() as u8),
                    (None, None) => Exit::Unknown,
                }),
                // ECHILD: it is not our child, or somebody else in this program has waited for it.
                Err(_) if self.pidfd.get_ref().has_ended() => Some(Exit::Unknown),
                Err(_) => None,
            };
            *ended = exit.map(|exit| Ended { exit, reaped: false });
        }
        ended.map(|ended| ended.exit)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended, this is the last chance to keep it from staying a zombie.
        self.collect();
        self.reap();
        survivors::forget(self.pid);
    }
}

#[cfg(test)]
mod tests {
    use super::super::launch;
    use super::*;
    use crate::Station;

    #[test]
    fn a_root_that_left_its_group_is_killed_all_the_same() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            // A folder that holds no process stands for the group that the root has left.
            let folder = std::env::temp_dir().join(format!("bilayer-left-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join("cgroup.procs"), "").unwrap();
            let command = Command {
                args: vec!["1000".into()],
                trust_writable_program: true,
                ..Command::new("/bin/sleep", "group")
            };
            let (mut process, _output) = launch::run(&Station::own(), &command).await.unwrap();
            process.kin = KinGroup::Cgroup(Arc::new(Cgroup::create(&folder, "").unwrap()));
            process.kill_all().unwrap();
            let exit = tokio::time::timeout(std::time::Duration::from_secs(10), process.exited()).await;
            std::fs::remove_dir_all(&folder).unwrap();
            assert_eq!(exit.unwrap(), Exit::Signal(9));
        });
    }
}
