//! What a child inherits from this service and a program of its session would not have: set to what the session has
//! ([`Login`]), or given up.
//!
//! What cannot be given back is in `confinement.rs`. What no unit can set (systemd.exec(5)) is not looked at.

use std::ffi::{CStr, CString};
use std::os::fd::{AsFd as _, IntoRawFd as _};

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{self, Resource, Rlimit};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use crate::system::login::Login;
use crate::system::syscall::call;

/// linux/prctl.h, Linux 6.4.
const PR_SET_MEMORY_MERGE: usize = 67;
const PR_GET_MEMORY_MERGE: usize = 68;
/// linux/prctl.h
const PR_GET_THP_DISABLE: usize = 42;
/// linux/mempolicy.h
const MPOL_DEFAULT: usize = 0;
/// linux/keyctl.h
const KEYCTL_JOIN_SESSION_KEYRING: usize = 1;
const KEYCTL_LINK: usize = 8;
const KEY_SPEC_SESSION_KEYRING: usize = -3_isize as usize;
const KEY_SPEC_USER_KEYRING: usize = -4_isize as usize;

/// A login's share, laid out so that a child can take it on without allocating.
pub(super) struct Heritage<'a> {
    login: &'a Login,
    /// What is written to which files of proc(5).
    written: Vec<(CString, String)>,
}

impl<'a> Heritage<'a> {
    pub(super) fn of(login: &'a Login, uid: u32) -> Heritage<'a> {
        // A service may be protected from the out-of-memory killer, which its users' programs must not inherit.
        let oom_score = ("oom_score_adj", Some(login.oom_score.to_string()));
        let core_filter = ("coredump_filter", login.core_filter.map(|filter| format!("{filter:#x}")));
        let audited_as = ("loginuid", login.is_audited.then(|| uid.to_string()));
        let written = [oom_score, core_filter, audited_as]
            .into_iter()
            .filter_map(|(name, text)| Some((CString::new(format!("/proc/self/{name}")).ok()?, text?)));
        Heritage { login, written: written.collect() }
    }

    /// Takes it on, while this is still root. Limits and what goes with them are a must: a service may be allowed more than its
    /// users. The rest is as good as the kernel lets it be.
    pub(super) fn replace(&self) -> Result<(), Errno> {
        for (resource, limit) in &self.login.limits {
            set_limit(*resource, *limit)?;
        }
        process::umask(Mode::from_raw_mode(self.login.umask));
        match &self.login.schedule {
            Some(schedule) => schedule.take_on()?,
            None => process::setpriority_process(None, self.login.nice)?,
        }
        // Where a file cannot be written, in some containers, nothing was inherited that could be taken back.
        self.written.iter().for_each(|(file, text)| write(file, text));
        self.login.io_priority.map(|priority| priority.take_on());
        self.login.cpus.as_ref().map(|cpus| thread::sched_setaffinity(None, cpus));
        self.login.timer_slack.map(|slack| thread::set_current_timer_slack(Some(slack)));
        if let Some(personality) = self.login.personality {
            // SAFETY: personality(2) takes a number.
            let _ = unsafe { call(libc::SYS_personality, [personality as usize]) };
        }
        self.forget_memory_policy();
        Ok(())
    }

    /// Where memory comes from and what may be shared of it: the kernel's defaults.
    fn forget_memory_policy(&self) {
        // SAFETY: set_mempolicy(2): the default has no nodes, so none are read.
        let _ = unsafe { call(libc::SYS_set_mempolicy, [MPOL_DEFAULT, 0, 0]) };
        let _ = thread::disable_transparent_huge_pages(false);
        // SAFETY: prctl(2) takes numbers; an older kernel refuses this one.
        let _ = unsafe { call(libc::SYS_prctl, [PR_SET_MEMORY_MERGE, 0, 0, 0, 0]) };
    }

    /// Gives up for good the capabilities that no program of the session can get back.
    pub(super) fn lower_bounds(&self) -> Result<(), Errno> {
        let beyond = self.login.beyond;
        for bit in (0..64).map(|number| 1 << number).filter(|bit| beyond & bit != 0) {
            thread::remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(bit))?;
        }
        // What a unit has changed of how a change of user affects capabilities. Locked, it cannot be changed back.
        let _ = thread::set_capabilities_secure_bits(thread::CapabilitiesSecureBits::empty());
        Ok(())
    }

    /// Lets go of every capability, once this is the user. The change of user takes most of them, but not those that are
    /// inheritable, and none where the unit has set `SecureBits=`.
    pub(super) fn shed_rights(&self) -> Result<(), Errno> {
        thread::clear_ambient_capability_set()?;
        let none = CapabilitySet::empty();
        let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
        thread::set_capabilities(None, sets)?;
        if self.login.no_new_privileges { thread::set_no_new_privs(true) } else { Ok(()) }
    }
}

/// Whether this service's memory, as its unit wants it, has huge pages forbidden or its pages merged, which a child gives up.
pub(super) fn has_rules_of_memory() -> bool {
    let is_set = |option| {
        // SAFETY: prctl(2) takes numbers; a kernel that does not know this one has nothing set.
        unsafe { call(libc::SYS_prctl, [option, 0, 0, 0, 0]) }.is_ok_and(|answer| answer != 0)
    };
    is_set(PR_GET_THP_DISABLE) || is_set(PR_GET_MEMORY_MERGE)
}

/// Sets a limit, or comes as near to it as this process may: only a root with `CAP_SYS_RESOURCE` raises what it was started with.
fn set_limit(resource: Resource, limit: Rlimit) -> Result<(), Errno> {
    match process::setrlimit(resource, limit) {
        Err(Errno::PERM) => {
            let maximum = process::getrlimit(resource).maximum;
            let current = match (limit.current, maximum) {
                (Some(current), Some(maximum)) => Some(current.min(maximum)),
                (current, maximum) => current.or(maximum),
            };
            process::setrlimit(resource, Rlimit { current, maximum })
        }
        done => done,
    }
}

/// Leaves the keyring of the service's session for a new one that leads to the user's own, as after a login: keyctl(2),
/// pam_keyinit(8). Where there are no keyrings, or none for this process, there is none to leave.
///
/// # Errors
/// The kernel gives no new one, for which the user's own keys can be the cause (`EDQUOT`): the service's must not be kept.
pub(super) fn change_keyring() -> Result<(), Errno> {
    // SAFETY: the null pointer asks for a new keyring without a name; no memory is read.
    match unsafe { call(libc::SYS_keyctl, [KEYCTL_JOIN_SESSION_KEYRING, 0]) } {
        Err(Errno::NOSYS | Errno::PERM | Errno::ACCESS | Errno::OPNOTSUPP) => return Ok(()),
        joined => joined?,
    };
    // SAFETY: keyctl(2) takes three numbers here.
    let _ = unsafe { call(libc::SYS_keyctl, [KEYCTL_LINK, KEY_SPEC_USER_KEYRING, KEY_SPEC_SESSION_KEYRING]) };
    Ok(())
}

/// Best effort.
fn write(path: &CStr, text: &str) {
    if let Ok(file) = rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()) {
        let _ = rustix::io::write(file.as_fd(), text.as_bytes());
        // SAFETY: it was opened above and is not used again. Dropped, it would be closed by the C library.
        unsafe { rustix::io::close(file.into_raw_fd()) };
    }
}
