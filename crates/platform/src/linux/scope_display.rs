//! Where a session's display is, as far as the processes in its scope know: for a user whose service manager does not say.
//!
//! What belongs to another process can be read only as fast as its user likes: the kernel fetches it from that process's memory,
//! which they can have locked by a file system or a fault handler of their own making. So it is read on a thread of its own,
//! and nobody waits for it longer than it takes honestly.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::cgroup;
use super::environment::{DISPLAY, Variables, has_display, parse};

/// How many processes of a scope are asked for a display. A desktop's first processes have the lowest pids, or nearly.
const SCOPE_PROCESSES_MAX: usize = 256;

/// How much of the environment of such a process is read, in bytes; a desktop's own has about four thousand.
const PROCESS_ENVIRONMENT_LENGTH_MAX: u64 = 64 * 1024;

/// What the names of agents' control groups begin with, of any service's.
const OF_AGENTS: &str = "bilayer-";

/// How long all of a scope's processes may take; honest ones take a millisecond.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// How many scopes are looked at side by side. Each takes a thread, for ever if its user wants that.
const LOOKING_MAX: usize = 16;
static LOOKING: Semaphore = Semaphore::const_new(LOOKING_MAX);

/// Looks at the scope of one session.
#[derive(Default)]
pub(super) struct ScopeDisplay {
    /// The last look, which was not over in time. While it lasts there is no other.
    late: Option<oneshot::Receiver<Variables>>,
}

impl ScopeDisplay {
    /// What a process in this scope knows of a display; empty if there is none, or if it could not be seen in time.
    pub(super) async fn seen(&mut self, scope: &Path) -> Variables {
        if let Some(Err(oneshot::error::TryRecvError::Empty)) =
            self.late.as_mut().map(oneshot::Receiver::try_recv)
        {
            return Variables::new();
        }
        self.late = None;
        let mut answer = None;
        let look = async {
            let look = answer.insert(look_aside(scope.to_owned()).await?);
            look.await.ok()
        };
        match tokio::time::timeout(SEEN_WITHIN, look).await {
            Ok(seen) => seen.unwrap_or_default(),
            Err(_) => {
                tracing::warn!(
                    scope = %scope.display(),
                    "the processes of a session could not be asked for its display within 2 s; its agents do without"
                );
                self.late = answer;
                Variables::new()
            }
        }
    }
}

/// Begins to look, once it is this one's turn. `None`: there is no thread to be had.
async fn look_aside(scope: PathBuf) -> Option<oneshot::Receiver<Variables>> {
    // Closed never.
    let turn = LOOKING.acquire().await.ok()?;
    let (tell, told) = oneshot::channel();
    let look = move || {
        let seen = of_scope(&scope);
        drop(turn);
        // Whoever asked may have gone with its session.
        let _ = tell.send(seen);
    };
    thread::Builder::new().name("display".into()).stack_size(128 * 1024).spawn(look).ok()?;
    Some(told)
}

/// What a process in the session's scope knows of a display; empty if there is none. Agents are not asked: they know what they
/// were started with, which may be long gone. A user can have as many processes as they like: so only the first ones are
/// looked at, and the beginning of each.
fn of_scope(scope: &Path) -> Variables {
    let mut pids = cgroup::pids_of_others(scope, OF_AGENTS).unwrap_or_default();
    pids.sort_unstable();
    let displays = pids.into_iter().take(SCOPE_PROCESSES_MAX).filter_map(|pid| {
        let mut bytes = Vec::new();
        let file = File::open(format!("/proc/{pid}/environ")).ok()?;
        file.take(PROCESS_ENVIRONMENT_LENGTH_MAX).read_to_end(&mut bytes).ok()?;
        Some(display_in(&bytes))
    });
    displays.into_iter().find(has_display).unwrap_or_default()
}

/// Of a block of variables those that say where a display is. A last one that has no NUL behind it was cut off.
fn display_in(bytes: &[u8]) -> Variables {
    let whole = bytes.iter().rposition(|byte| *byte == 0).map_or(&[][..], |end| &bytes[..end]);
    let of_display = |entry: &&[u8]| DISPLAY.iter().any(|name| is_of(entry, name.as_bytes()));
    let entries = whole.split(|byte| *byte == 0).filter(of_display);
    entries.flat_map(parse).collect()
}

/// Whether an entry is of the variable `name`.
fn is_of(entry: &[u8], name: &[u8]) -> bool {
    entry.strip_prefix(name).is_some_and(|rest| rest.first() == Some(&b'='))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::time::Instant;

    use super::*;

    fn value<'a>(variables: &'a Variables, name: &str) -> Option<&'a str> {
        variables.get(OsStr::new(name))?.to_str()
    }

    /// A scope that lists `others` processes before one that was started with these variables.
    fn display_among(others: usize, variables: &[(&str, &str)]) -> Variables {
        let name = format!("bilayer-scope-{}-{others}-{}", std::process::id(), variables.len());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let mut command = std::process::Command::new("/bin/sleep");
        let mut child = command.arg("1000").env_clear().envs(variables.iter().copied()).spawn().unwrap();
        // Its parent goes on a moment before it has its variables.
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read(format!("/proc/{}/environ", child.id())).unwrap().is_empty() {
            assert!(Instant::now() < deadline, "its variables did not show up within 10 s");
            thread::yield_now();
        }
        // The first process of all has no display.
        std::fs::write(folder.join("cgroup.procs"), format!("{}{}\n", "1\n".repeat(others), child.id()))
            .unwrap();
        let found = of_scope(&folder);
        child.kill().unwrap();
        child.wait().unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        found
    }

    #[test]
    fn an_agents_display_is_not_its_sessions() {
        let name = format!("bilayer-scope-{}-of-agents", std::process::id());
        let scope = std::env::temp_dir().join(name);
        for (group, pids) in [("", "1\n2\n"), ("other", "3\n"), ("bilayer-acme.desk", "4\n")] {
            std::fs::create_dir_all(scope.join(group)).unwrap();
            std::fs::write(scope.join(group).join("cgroup.procs"), pids).unwrap();
        }
        let mut found = cgroup::pids_of_others(&scope, OF_AGENTS).unwrap();
        std::fs::remove_dir_all(&scope).unwrap();
        found.sort_unstable();
        assert_eq!(found, [1, 2, 3]);
    }

    #[test]
    fn a_scope_is_read_within_bounds() {
        let display = [("DISPLAY", ":1"), ("PATH", "/evil")];
        let found = display_among(SCOPE_PROCESSES_MAX - 1, &display);
        assert_eq!((value(&found, "DISPLAY"), value(&found, "PATH")), (Some(":1"), None));
        assert_eq!(display_among(SCOPE_PROCESSES_MAX, &display), Variables::new());
        // Variables are handed over in the order of their names.
        let long = "x".repeat(100_000);
        assert_eq!(display_among(0, &[("A", &long), ("DISPLAY", ":1"), ("PATH", "/evil")]), Variables::new());
    }

    #[test]
    fn half_a_variable_is_none() {
        assert_eq!(value(&display_in(b"A=b\0DISPLAY=:1\0XAUTHORITY=/run/us"), "XAUTHORITY"), None);
        assert_eq!(value(&display_in(b"DISPLAY=:1\0"), "DISPLAY"), Some(":1"));
        assert_eq!(display_in(b"DISPLAYS=:1\0"), Variables::new());
    }

    /// A scope whose list of processes is a pipe: nobody reads it to its end before the test lets them.
    #[tokio::test]
    async fn a_scope_that_holds_up_its_reader_holds_up_nobody_else() {
        let scope = std::env::temp_dir().join(format!("bilayer-scope-{}-that-hangs", std::process::id()));
        std::fs::create_dir_all(&scope).unwrap();
        let list = scope.join("cgroup.procs");
        rustix::fs::mknodat(rustix::fs::CWD, &list, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        let mut display = ScopeDisplay::default();
        assert_eq!(display.seen(&scope).await, Variables::new());
        // While that look lasts, there is no second one, and nobody waits.
        let begun = Instant::now();
        assert_eq!(display.seen(&scope).await, Variables::new());
        assert!(begun.elapsed() < SEEN_WITHIN);
        assert_eq!(LOOKING.available_permits(), LOOKING_MAX - 1);
        // A writer that comes and goes is the end of the list.
        drop(File::options().write(true).open(&list).unwrap());
        let over = display.late.take().unwrap();
        assert_eq!(tokio::time::timeout(Duration::from_secs(10), over).await.unwrap(), Ok(Variables::new()));
        std::fs::remove_dir_all(&scope).unwrap();
    }
}
