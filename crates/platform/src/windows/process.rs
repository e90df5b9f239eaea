//! A launched process and all that it started.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::job::Job;
use super::root::Root;
use super::wait::Wait;
use super::{errand, kin};
use crate::{Exit, Peer, ProcessRecord, Vacated};

/// The exit code of what we kill, as the task manager has it.
pub(super) const KILLED: u32 = 1;

/// What draws the window of a console, and is there for one that is hidden, too.
const CONSOLE_HOST: &str = "conhost.exe";

/// How often what descends from a root is gone through, where no job holds it.
const ROUNDS_MAX: usize = 16;

/// A running root process of an instance, by its handle: its id cannot be used again while this lives.
pub struct Process {
    // Ended before the handle that it waits for is closed: fields are dropped in this order.
    wait: Wait,
    root: Arc<Root>,
    group: Group,
    record: Option<ProcessRecord>,
    /// Dropping this ends it, where no job does that.
    forgotten_ends: AtomicBool,
}

/// How the processes that a root has started are told.
enum Group {
    /// They live in its job, unless that lets them go.
    Job(Job),
    /// The host refused a job: by descent.
    Kin,
}

impl Process {
    /// Takes a process that was just created, or found again. `record`: it is to outlive this program.
    pub(super) fn new(root: Root, job: Option<Job>, record: Option<ProcessRecord>) -> io::Result<Process> {
        let wait = Wait::new(root.handle()).inspect_err(|_| {
            // Nobody would ever know how it ended. The job ends with us, but perhaps without its processes; and there is
            // an error to report already.
            let _ = root.terminate(KILLED);
        })?;
        let group = job.map_or(Group::Kin, Group::Job);
        let forgotten_ends = AtomicBool::new(record.is_none());
        Ok(Process { wait, root: Arc::new(root), group, record, forgotten_ends })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.root.pid()
    }

    /// What finds it again after this program has ended; `None`: it ends with this program.
    pub fn record(&self) -> Option<&ProcessRecord> {
        self.record.as_ref()
    }

    /// Resolves once the root process has ended. May be awaited again and by several.
    pub async fn exited(&self) -> Exit {
        self.wait.ended().await;
        self.root.exit()
    }

    /// Asks the root process to end: `WM_CLOSE` to its windows, and a Ctrl-Break on its console. Needs a runtime: a helper with the
    /// process's own rights does it, and whether there was anything to ask is said in the log. A process that has ended is no
    /// error.
    pub fn terminate(&self) -> io::Result<()> {
        if self.root.has_ended() { Ok(()) } else { errand::ask_to_end(Arc::clone(&self.root)) }
    }

    /// Kills the root process and everything that it started. What was let go of is left alone.
    pub fn kill_all(&self) -> io::Result<()> {
        match &self.group {
            Group::Job(job) => job.terminate(KILLED),
            Group::Kin => self.kill_kin().and(self.root.terminate(KILLED)),
        }
    }

    /// Nothing to do: a process is gone with the last handle to it.
    pub fn reap(&self) {}

    /// Hands out nothing: every job is a new one.
    pub fn vacate(&self) -> Option<Vacated> {
        None
    }

    /// The root process is gone: kills what it left, and says how many there were.
    pub fn sweep(&self) -> io::Result<usize> {
        match &self.group {
            Group::Job(job) => {
                let count = job.count()?;
                if count == 0 {
                    return Ok(0);
                }
                let hosts = self.name_what_is_left(job);
                job.terminate(KILLED)?;
                Ok(count.saturating_sub(hosts))
            }
            Group::Kin => self.kill_kin(),
        }
    }

    /// Lets go of what it left, or of all of it: it lives on when this program ends.
    pub fn leave(&self) -> io::Result<()> {
        self.forgotten_ends.store(false, Ordering::Relaxed);
        match &self.group {
            Group::Job(job) => job.kill_on_close(false),
            Group::Kin => Ok(()),
        }
    }

    /// Whether a peer is the root process or one that it started.
    pub fn owns(&self, peer: &Peer) -> bool {
        // Both processes are held open, so that equal ids are one process.
        if peer.pid() == self.pid() {
            return true;
        }
        let descends = || {
            let kin = kin::descendants(&self.root).unwrap_or_default();
            kin.iter().any(|process| process.pid() == peer.pid())
        };
        match &self.group {
            Group::Job(job) => {
                // Not every host answers with the little right that every process grants; the id still means the peer.
                let again = || match Root::open(peer.pid())? {
                    Some(process) => job.contains(process.handle()),
                    None => Ok(false),
                };
                let inside = job.contains(peer.process()).or_else(|_: io::Error| again());
                inside.unwrap_or(false) || (job.lets_go() && descends())
            }
            Group::Kin => descends(),
        }
    }

    /// For people, who may want to know why it was there. The system's own hosts of consoles are not named but counted: nobody
    /// started them on purpose, and they end a moment after their console's last program.
    fn name_what_is_left(&self, job: &Job) -> usize {
        let name = |pid: u32| Some((Root::open(pid).ok()??.program().ok()?, pid));
        let members = job.first_members().unwrap_or_default();
        let (hosts, left): (Vec<_>, Vec<_>) = members
            .into_iter()
            .filter_map(name)
            .partition(|(program, _)| program.eq_ignore_ascii_case(CONSOLE_HOST));
        if !left.is_empty() {
            let left: Vec<_> = left.iter().map(|(program, pid)| format!("{program} ({pid})")).collect();
            tracing::info!(root = self.pid(), "left behind and ended: {}", left.join(", "));
        }
        hosts.len()
    }

    /// Kills what descends from the root; says how many there were.
    fn kill_kin(&self) -> io::Result<usize> {
        let mut killed = 0;
        for _ in 0..ROUNDS_MAX {
            let kin = kin::descendants(&self.root)?;
            if kin.is_empty() {
                return Ok(killed);
            }
            for process in &kin {
                process.terminate(KILLED)?;
            }
            killed += kin.len();
        }
        let pid = self.pid();
        Err(io::Error::other(format!("process {pid} starts others faster than they can be killed")))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.group, Group::Kin) && self.forgotten_ends.load(Ordering::Relaxed) {
            // Nobody is left to be told that it could not be ended.
            let _ = self.kill_kin().and(self.root.terminate(KILLED));
        }
    }
}
