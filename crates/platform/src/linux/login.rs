//! What a program of a session has from the process that opened the session, besides its user.
//!
//! A login shell inherits all of it: PAM's modules set it in the leader, and fork(2) and execve(2) keep it. An agent is this
//! service's child and would inherit the service's instead, which its unit may have set to anything (systemd.exec(5)). So each
//! is read from the leader, and what differs is set in the child.

use std::collections::HashMap;
use std::fs;
use std::num::NonZeroU64;

use rustix::process::{Pid, Resource, Rlimit};
use rustix::thread::{CpuSet, sched_getaffinity};

use super::proc;
use super::scheduling::{IoPriority, Schedule};

/// What a login has. Each `None`: as this process has it, or unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Login {
    /// getrlimit(2)
    pub(crate) limits: Vec<(Resource, Rlimit)>,
    pub(crate) umask: u32,
    pub(crate) nice: i32,
    /// Where there is more to it than the nice value.
    pub(crate) schedule: Option<Schedule>,
    pub(crate) io_priority: Option<IoPriority>,
    /// The processors that it may run on.
    pub(crate) cpus: Option<CpuSet>,
    /// `oom_score_adj`, proc(5); never protected.
    pub(crate) oom_score: i32,
    /// `timerslack_ns`, proc(5)
    pub(crate) timer_slack: Option<NonZeroU64>,
    /// personality(2)
    pub(crate) personality: Option<u32>,
    /// `coredump_filter`, core(5)
    pub(crate) core_filter: Option<u32>,
    /// Capabilities that this process's programs can get back and the session's cannot: capabilities(7), the bounding set.
    pub(crate) beyond: u64,
    /// The audit trail knows the session's processes by its user: pam_loginuid(8).
    pub(crate) is_audited: bool,
    /// Neither it nor what it starts can become more than it is: prctl(2), `PR_SET_NO_NEW_PRIVS`. No session's.
    pub(crate) no_new_privileges: bool,
}

impl Default for Login {
    fn default() -> Self {
        Login {
            limits: Vec::new(),
            umask: 0o022,
            nice: 0,
            schedule: None,
            io_priority: None,
            cpus: None,
            oom_score: 0,
            timer_slack: None,
            personality: None,
            core_filter: None,
            beyond: 0,
            is_audited: false,
            no_new_privileges: false,
        }
    }
}

impl Login {
    /// Reads it from the leader of a session of this user. What cannot be read is left as a login would find it: pam_limits(8),
    /// pam_umask(8).
    ///
    /// The leader may be the user's own, and then says what they like: so nothing is taken from it that is worth having. Limits
    /// and priorities it can only worsen, of capabilities only their lack is taken, and of the audit trail only its user's name.
    pub(crate) fn of(pid: i32, uid: u32) -> Login {
        let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap_or_default();
        let own = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (status, own_status) = (read("status"), own("status"));
        let nice = proc::stat(pid).map_or(0, |stat| stat.nice);
        let hex = |text: &str| u32::from_str_radix(text.trim(), 16).ok();
        let bounding = |status: &str| u64::from_str_radix(field(status, "CapBnd")?, 16).ok();
        Login {
            limits: parse_limits(&read("limits")),
            umask: parse_umask(&status).unwrap_or(0o022),
            nice,
            schedule: unlike(Schedule::of(pid).ok(), Schedule::of(0).ok()),
            io_priority: unlike(IoPriority::of(pid).ok(), IoPriority::of(0).ok())
                .map(|priority| priority.unless_of_nice(nice)),
            cpus: unlike(
                Pid::from_raw(pid).and_then(|pid| sched_getaffinity(Some(pid)).ok()),
                sched_getaffinity(None).ok(),
            ),
            // A leader may be protected from the out-of-memory killer for its own sake, as layer 0 may be.
            oom_score: read("oom_score_adj").trim().parse().unwrap_or(0).max(0),
            timer_slack: unlike(number(&read("timerslack_ns")), number(&own("timerslack_ns"))),
            personality: unlike(hex(&read("personality")), hex(&own("personality"))),
            core_filter: unlike(hex(&read("coredump_filter")), hex(&own("coredump_filter"))),
            beyond: bounding(&own_status).unwrap_or(0) & !bounding(&status).unwrap_or(u64::MAX),
            is_audited: read("loginuid").trim() == uid.to_string(),
            no_new_privileges: false,
        }
    }
}

/// What there is to set: what is known and not so already.
fn unlike<T: PartialEq>(theirs: Option<T>, ours: Option<T>) -> Option<T> {
    theirs.filter(|theirs| ours.as_ref() != Some(theirs))
}

fn number(text: &str) -> Option<NonZeroU64> {
    text.trim().parse().ok()
}

/// The value of a line of `/proc/PID/status`.
fn field<'a>(status: &'a str, name: &str) -> Option<&'a str> {
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
}

fn parse_umask(status: &str) -> Option<u32> {
    u32::from_str_radix(field(status, "Umask")?, 8).ok()
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

    #[test]
    fn nothing_is_to_be_set_where_the_leader_is_like_us() {
        let login = Login::of(std::process::id().cast_signed(), 0);
        assert_eq!((login.schedule, login.io_priority, login.cpus), (None, None, None));
        assert_eq!((login.timer_slack, login.personality, login.core_filter), (None, None, None));
        assert_eq!(login.beyond, 0);
    }
}
