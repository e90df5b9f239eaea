//! A launched process and all that it started.

use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
use std::os::fd::AsFd as _;
use tokio::io::unix::AsyncFd;

use super::cgroup::Cgroup;
use super::pidfd::Pidfd;
use super::survivors;
use super::{keep, proc, survivors::Family};
use crate::{Command, Exit, Peer, ProcessRecord};

/// A running root process of an instance, by pidfd: never a bare pid.
pub struct Process {
    pid: i32,
    pidfd: AsyncFd<Pidfd>,
    exit: Mutex<Option<Exit>>,
    kin: KinGroup,
    record: Option<ProcessRecord>,
}

/// How the processes that a root has started are told.
enum KinGroup {
    /// They live in its control group.
    Cgroup(Cgroup),
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
    pub(super) fn new(pid: i32, pidfd: Pidfd, cgroup: Option<Cgroup>, kin: Kin) -> io::Result<Process> {
        // Not waited for yet, so its state can be read even if it has ended already.
        let record =
            kin.mark.as_ref().map(|mark| keep::of_newborn(pid, cgroup.as_ref(), mark)).transpose()?;
        let kin = match cgroup {
            Some(cgroup) => KinGroup::Cgroup(cgroup),
            None => KinGroup::Family(Family::of(pid, proc::stat(pid)?.start, kin.marks)),
        };
        Ok(Process { pid, pidfd: pidfd.watched()?, exit: Mutex::new(None), kin, record })
    }

    /// Takes a process that an earlier life of this program started and that was found to be the one. Needs a runtime.
    pub(super) fn adopted(
        pid: i32,
        pidfd: Pidfd,
        cgroup: Option<Cgroup>,
        record: ProcessRecord,
    ) -> io::Result<Process> {
        let kin = match (cgroup, &record.root) {
            (Some(cgroup), _) => KinGroup::Cgroup(cgroup),
            (None, root) => {
                survivors::adopt_orphans();
                KinGroup::Family(Family::adopted(pid, root.map_or(0, |root| root.start), &record.mark))
            }
        };
        Ok(Process { pid, pidfd: pidfd.watched()?, exit: Mutex::new(None), kin, record: Some(record) })
    }

    /// What finds it again after this program has ended; `None`: it ends with this program.
    pub fn record(&self) -> Option<&ProcessRecord> {
        self.record.as_ref()
    }

    /// Its process id, for people and logs.
    pub fn pid(&self) -> u32 {
        self.pid.unsigned_abs()
    }

    /// Resolves once the root process has ended. May be awaited again and by several.
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

    /// The exit status, once there is one. It can be had from the kernel only once, so it is kept.
    fn collect(&self) -> Option<Exit> {
        let mut exit = self.exit.lock().unwrap_or_else(PoisonError::into_inner);
        if exit.is_none() {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
            *exit = match waitid(WaitId::PidFd(self.pidfd.get_ref().as_fd()), options) {
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
            if exit.is_some() {
                survivors::forget(self.pid);
            }
        }
        *exit
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // If it has ended, this is the last chance to keep it from staying a zombie.
        self.collect();
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
            process.kin = KinGroup::Cgroup(Cgroup::create(&folder, "").unwrap());
            process.kill_all().unwrap();
            let exit = tokio::time::timeout(std::time::Duration::from_secs(10), process.exited()).await;
            std::fs::remove_dir_all(&folder).unwrap();
            assert_eq!(exit.unwrap(), Exit::Signal(9));
        });
    }
}
