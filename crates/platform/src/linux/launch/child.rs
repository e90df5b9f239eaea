//! The child between its birth and its program.
//!
//! It may share its parent's memory, and other threads of the parent may hold locks at this moment. So nothing here allocates,
//! locks or unwinds: it makes system calls, on values that the parent has laid out, and ends in execve(2) or `_exit`. They are
//! made without the C library ([`call`], rustix), whose wrappers would change the other threads too (uid, gid, groups) and whose
//! pages the child has not.

use std::ffi::{CStr, c_char};
use std::os::fd::{BorrowedFd, RawFd};

use rustix::fs::{Gid, Uid};
use rustix::io::Errno;
use rustix::process::{DumpableBehavior, Pid, Resource, Rlimit, Signal};
use rustix::{process, thread};

use super::dispositions::Altered;
use super::heritage::{self, Heritage};
use crate::system::syscall::call;

/// What the child has to do.
#[derive(Clone, Copy)]
pub(super) struct Orders<'a> {
    pub(super) program: &'a CStr,
    pub(super) arguments: *const *const c_char,
    pub(super) environment: *const *const c_char,
    /// Where it writes itself down to enter its control group, if it was not born in it.
    pub(super) entrance: Option<RawFd>,
    /// Where the program must run.
    pub(super) folder: Option<&'a CStr>,
    /// Where it runs if it can, else in the root folder.
    pub(super) fallback_folder: Option<&'a CStr>,
    /// The limit of open files, if it is not the parent's; a session's own limits come after it.
    pub(super) descriptors: Option<Rlimit>,
    pub(super) becomes: Option<Become<'a>>,
    /// Whose actions it does not have by default when it is born.
    pub(super) signals: Altered,
    pub(super) stdin: RawFd,
    pub(super) stdout: RawFd,
    pub(super) stderr: RawFd,
    pub(super) report: RawFd,
    /// Whom it dies with; `None`: it outlives us.
    pub(super) parent: Option<Pid>,
}

/// Whom the child becomes.
#[derive(Clone, Copy)]
pub(super) struct Become<'a> {
    pub(super) groups: &'a [Gid],
    pub(super) uid: Uid,
    pub(super) gid: Gid,
    pub(super) heritage: &'a Heritage<'a>,
}

/// How far the child came, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    Session,
    Group,
    Output,
    Limits,
    Rights,
    Groups,
    User,
    ParentDeath,
    Folder,
    Execute,
    Late,
}

/// What the child says before it gives up.
pub(super) struct Report {
    pub(super) stage: Stage,
    pub(super) errno: i32,
}

impl Report {
    pub(super) const LENGTH: usize = 5;

    /// What the parent says for a child that said nothing in time.
    pub(super) fn late() -> Report {
        Report { stage: Stage::Late, errno: libc::ETIMEDOUT }
    }

    fn encode(&self) -> [u8; Report::LENGTH] {
        let [a, b, c, d] = self.errno.to_ne_bytes();
        [self.stage as u8, a, b, c, d]
    }

    pub(super) fn decode([stage, a, b, c, d]: [u8; Report::LENGTH]) -> Report {
        use Stage::{
            Execute, Folder, Group, Groups, Late, Limits, Output, ParentDeath, Rights, Session, User,
        };
        let stages = [Session, Group, Output, Limits, Rights, Groups, User, ParentDeath, Folder, Execute];
        let stage = stages.get(usize::from(stage)).copied().unwrap_or(Late);
        Report { stage, errno: i32::from_ne_bytes([a, b, c, d]) }
    }
}

/// Carries the orders out. Every signal is blocked when it starts.
pub(super) fn obey(orders: &Orders<'_>) -> ! {
    let (stage, errno) = match prepare(orders) {
        Ok(()) => (Stage::Execute, execute(orders)),
        Err(failed) => failed,
    };
    let report = Report { stage, errno: errno.raw_os_error() };
    // SAFETY: the report's end of the pipe is the one descriptor above 2 that `close_others` leaves open.
    let pipe = unsafe { BorrowedFd::borrow_raw(orders.report) };
    let _ = rustix::io::write(pipe, &report.encode());
    // SAFETY: _exit(2) ends the process at once: no destructor and no exit handler of the parent's runs in it.
    unsafe { libc::_exit(127) }
}

fn prepare(orders: &Orders<'_>) -> Result<(), (Stage, Errno)> {
    let at = |stage| move |errno| (stage, errno);
    // The leader of its own session has no terminal to be stopped by, and its children can be told by it.
    process::setsid().map_err(at(Stage::Session))?;
    if let Some(entrance) = orders.entrance {
        // SAFETY: the parent holds it open until this child has its program.
        let entrance = unsafe { BorrowedFd::borrow_raw(entrance) };
        // 0 is whoever writes: cgroups(7).
        rustix::io::write(entrance, b"0").map_err(at(Stage::Group))?;
    }
    // Before the limits: with the service's own descriptors open there may be no room below a session's limit for one more.
    connect_streams(orders).map_err(at(Stage::Output))?;
    close_others(orders.report).map_err(at(Stage::Output))?;
    if let Some(limit) = orders.descriptors {
        process::setrlimit(Resource::Nofile, limit).map_err(at(Stage::Limits))?;
    }
    if let Some(user) = &orders.becomes {
        user.heritage.replace().map_err(at(Stage::Limits))?;
        user.heritage.lower_bounds().map_err(at(Stage::Rights))?;
        thread::set_thread_groups(user.groups).map_err(at(Stage::Groups))?;
        thread::set_thread_res_gid(user.gid, user.gid, user.gid).map_err(at(Stage::User))?;
        thread::set_thread_res_uid(user.uid, user.uid, user.uid).map_err(at(Stage::User))?;
        // Until it executes it holds what is this service's. The change of user does the same where nobody has set
        // `fs.suid_dumpable`.
        process::set_dumpable_behavior(DumpableBehavior::NotDumpable).map_err(at(Stage::User))?;
        user.heritage.shed_rights().map_err(at(Stage::Rights))?;
        heritage::change_keyring().map_err(at(Stage::Rights))?;
    }
    if orders.parent.is_some() {
        // The change of user clears the parent-death signal: prctl(2). If the parent is dead by now, nobody will send it.
        process::set_parent_process_death_signal(Some(Signal::KILL)).map_err(at(Stage::ParentDeath))?;
        if process::getppid() != orders.parent {
            return Err((Stage::ParentDeath, Errno::SRCH));
        }
    }
    match (orders.folder, orders.fallback_folder) {
        (Some(folder), _) => process::chdir(folder).map_err(at(Stage::Folder))?,
        (None, Some(folder)) if process::chdir(folder).is_ok() => {}
        (None, _) => process::chdir(c"/").map_err(at(Stage::Folder))?,
    }
    orders.signals.reset();
    accept_signals();
    Ok(())
}

fn connect_streams(orders: &Orders<'_>) -> Result<(), Errno> {
    for (from, to) in [(orders.stdin, 0), (orders.stdout, 1), (orders.stderr, 2)] {
        // SAFETY: dup3(2) on numbers that are open here; what it closes are the child's copies of the parent's.
        unsafe { call(libc::SYS_dup3, [from as usize, to]) }?;
    }
    Ok(())
}

/// Closes everything above standard error but the report's pipe, which closes itself when the program runs.
fn close_others(report: RawFd) -> Result<(), Errno> {
    for (first, last) in [(3, report - 1), (report + 1, RawFd::MAX)] {
        if first > last {
            continue;
        }
        // SAFETY: close_range(2) on numbers; nothing in the child uses a descriptor in them again.
        unsafe { call(libc::SYS_close_range, [first as usize, last as usize]) }?;
    }
    Ok(())
}

/// An empty mask: signal(7). What was sent meanwhile is delivered now, with the actions that the program will have.
fn accept_signals() {
    let empty = 0_u64;
    let mask = [libc::SIG_SETMASK as usize, (&raw const empty) as usize, 0, size_of_val(&empty)];
    // SAFETY: rt_sigprocmask(2) reads one set of 8 bytes.
    let _ = unsafe { call(libc::SYS_rt_sigprocmask, mask) };
}

/// Returns only if it failed.
fn execute(orders: &Orders<'_>) -> Errno {
    let strings = [orders.program.as_ptr() as usize, orders.arguments as usize, orders.environment as usize];
    // SAFETY: execve(2): the plan holds the strings and ends both vectors with a null pointer.
    unsafe { call(libc::SYS_execve, strings) }.err().unwrap_or(Errno::INVAL)
}
