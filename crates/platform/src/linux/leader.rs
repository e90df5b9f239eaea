//! The process that opened a session: the display manager's, login's or sshd's child that PAM ran in.

use std::collections::HashMap;
use std::{fs, io};

use rustix::process::{Resource, Rlimit};
use tokio::io::unix::AsyncFd;

use super::pidfd::Pidfd;
use super::proc;

/// A session's leader, watched: its death is the end of the session, whatever else still runs in it.
pub(crate) struct Leader {
    start: u64,
    pidfd: AsyncFd<Pidfd>,
}

impl Leader {
    /// Finds the leader. An error of kind `NotFound` or `ESRCH` says that it is gone already.
    pub(crate) fn watch(pid: i32) -> io::Result<Leader> {
        let start = proc::stat(pid)?.start;
        let pidfd = Pidfd::open_verified(pid, start)?.watched()?;
        Ok(Leader { start, pidfd })
    }

    /// In clock ticks since the boot.
    pub(crate) fn start(&self) -> u64 {
        self.start
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.pidfd.get_ref().has_ended()
    }

    /// Resolves when it has ended.
    pub(crate) async fn death(&self) {
        // An error means that the runtime goes down: nobody waits any more.
        let _ = self.pidfd.readable().await;
    }
}

/// What a program that PAM started in a session has besides its user: limits, umask and nice value, and what it may not.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) umask: u32,
    pub(crate) nice: i32,
    /// Neither it nor what it starts can become more than it is: prctl(2), `PR_SET_NO_NEW_PRIVS`.
    pub(crate) no_new_privileges: bool,
}

impl Default for Login {
    fn default() -> Self {
        Login { limits: Vec::new(), umask: 0o022, nice: 0, no_new_privileges: false }
    }
}

impl Login {
    /// Reads them from the leader. What cannot be read is left as a login would find it: pam_limits(8), pam_umask(8).
    pub(crate) fn of(pid: i32) -> Login {
        let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap_or_default();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        Login {
            limits: parse_limits(&limits),
            umask: parse_umask(&status).unwrap_or(0o022),
            nice: proc::stat(pid).map_or(0, |stat| stat.nice),
            no_new_privileges: false,
        }
    }
}

fn parse_umask(status: &str) -> Option<u32> {
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(line.trim(), 8).ok()
}

/// `/proc/PID/limits`: a name with blanks in it, then soft and hard limit, then perhaps a unit.
fn parse_limits(text: &str) -> Vec<(Resource, Rlimit)> {
    let known: HashMap<&str, Resource> = HashMap::from([
        ("Max cpu time", Resource::Cpu),
        ("Max file size", Resource::Fsize),
        ("Max data size", Resource::Data),
        ("Max stack size", Resource::Stack),
        ("Max core file size", Resource::Core),
        ("Max resident set", Resource::Rss),
        ("Max processes", Resource::Nproc),
        ("Max open files", Resource::Nofile),
        ("Max locked memory", Resource::Memlock),
        ("Max address space", Resource::As),
        ("Max file locks", Resource::Locks),
        ("Max pending signals", Resource::Sigpending),
        ("Max msgqueue size", Resource::Msgqueue),
        ("Max nice priority", Resource::Nice),
        ("Max realtime priority", Resource::Rtprio),
        ("Max realtime timeout", Resource::Rttime),
    ]);
    let limit = |word: &str| if word == "unlimited" { Some(None) } else { word.parse().ok().map(Some) };
    text.lines()
        .filter_map(|line| {
            let (name, values) = line.split_at_checked(26)?;
            let resource = *known.get(name.trim_end())?;
            let mut words = values.split_ascii_whitespace();
            let (current, maximum) = (limit(words.next()?)?, limit(words.next()?)?);
            Some((resource, Rlimit { current, maximum }))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_back_as_they_are() {
        let text = fs::read_to_string("/proc/self/limits").unwrap();
        let limits = parse_limits(&text);
        assert_eq!(limits.len(), 16);
        for (resource, limit) in limits {
            assert_eq!(rustix::process::getrlimit(resource), limit, "{resource:?}");
        }
    }

    #[test]
    fn the_umask_is_octal() {
        assert_eq!(parse_umask("Name:\tx\nUmask:\t0027\n"), Some(0o27));
    }
}
