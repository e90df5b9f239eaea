//! The birth of a child, with a pidfd: clone3(2).

#[cfg(target_arch = "x86_64")]
mod shared;

use std::io;
use std::os::fd::{AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use super::child::{Orders, obey};
use super::dispositions::Altered;
use crate::system::syscall::call;

/// linux/sched.h, Linux 5.5; too wide for the C library's type, as the next.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;
/// Linux 5.7.
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// `struct clone_args` of linux/sched.h, as far as Linux 5.7 has it.
#[derive(Default)]
#[repr(C)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// What a child uses until it executes its program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// This program's own, while this thread sleeps.
    Shared,
    /// A copy of it, while this thread goes on.
    Copied,
}

/// Whether it can be shared. Where nobody has written the few instructions that this takes, a copy serves as well and costs more.
pub(super) const CAN_SHARE: bool = cfg!(target_arch = "x86_64");

/// Gives birth to a child that obeys the orders. The pidfd is in `pidfd` before the child does anything.
pub(super) fn clone(
    orders: &Orders<'_>,
    cgroup: Option<BorrowedFd<'_>>,
    memory: Memory,
    pidfd: &AtomicI32,
) -> io::Result<(i32, OwnedFd)> {
    let mut args = CloneArgs {
        // No handler of this program's is left in the child: what was sent to it before it had its program ends it.
        flags: libc::CLONE_PIDFD as u64 | CLONE_CLEAR_SIGHAND,
        pidfd: pidfd.as_ptr() as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= CLONE_INTO_CGROUP;
        args.cgroup = cgroup.as_raw_fd() as u64;
    }
    // Blocked from before the birth until after it (here) and until the program's start (there): whatever way the child is
    // born, what it is sent waits until no handler of this program is left in it.
    let blocked = BlockedSignals::all();
    let born = match memory {
        Memory::Shared => born_sharing(&mut args, orders),
        Memory::Copied => born_with_copy(&mut args, orders),
    };
    let born = match born {
        // Container runtimes of some age answer so to clone3, whose arguments they cannot filter.
        Err(error) if error.raw_os_error() == Some(libc::ENOSYS) && cgroup.is_none() => born_by_fork(orders)
            .map(|(pid, opened)| {
                pidfd.store(opened, Ordering::Relaxed);
                pid
            }),
        born => born,
    };
    drop(blocked);
    // What the kernel has written before it failed is nobody's descriptor.
    let pid = born.inspect_err(|_| pidfd.store(-1, Ordering::Relaxed))?;
    // SAFETY: the kernel has made the descriptor for this call alone.
    Ok((pid, unsafe { OwnedFd::from_raw_fd(pidfd.load(Ordering::Relaxed)) }))
}

#[cfg(target_arch = "x86_64")]
fn born_sharing(args: &mut CloneArgs, orders: &Orders<'_>) -> io::Result<i32> {
    shared::born(args, orders)
}

#[cfg(not(target_arch = "x86_64"))]
fn born_sharing(args: &mut CloneArgs, orders: &Orders<'_>) -> io::Result<i32> {
    born_with_copy(args, orders)
}

fn born_with_copy(args: &mut CloneArgs, orders: &Orders<'_>) -> io::Result<i32> {
    let size = size_of::<CloneArgs>();
    // SAFETY: clone3(2) reads `size` bytes and writes the pidfd through its address, which is the caller's. Without
    // CLONE_VM the child has its own copy of the stack, as after fork(2), and `obey` does nothing that is forbidden there.
    match unsafe { call(libc::SYS_clone3, [(&raw mut *args) as usize, size]) }? {
        0 => obey(orders),
        pid => Ok(pid as i32),
    }
}

fn born_by_fork(orders: &Orders<'_>) -> io::Result<(i32, RawFd)> {
    // fork(2) leaves the child every handler.
    let orders = Orders { signals: Altered::ANY, ..*orders };
    // SAFETY: the child calls nothing but `obey`, which neither allocates nor locks.
    match unsafe { libc::fork() } {
        0 => obey(&orders),
        pid if pid < 0 => Err(io::Error::last_os_error()),
        pid => {
            // Our child, not waited for yet: its pid can mean nobody else.
            // SAFETY: pidfd_open(2) takes two numbers.
            let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
            if pidfd >= 0 { Ok((pid, pidfd as RawFd)) } else { Err(io::Error::last_os_error()) }
        }
    }
}

/// This thread with every signal blocked; on drop as it was before.
struct BlockedSignals {
    before: u64,
}

impl BlockedSignals {
    fn all() -> BlockedSignals {
        BlockedSignals { before: set_mask(u64::MAX) }
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        set_mask(self.before);
    }
}

fn set_mask(mask: u64) -> u64 {
    let mut before = 0_u64;
    // SAFETY: rt_sigprocmask(2) reads one set of 8 bytes and writes one. Not the C library's wrapper: it leaves out two signals.
    unsafe {
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const mask, &raw mut before, 8);
    }
    before
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd as _;

    use rustix::fs::{OFlags, fcntl_setfl};
    use rustix::io::{read, write};
    use rustix::pipe::{PipeFlags, pipe_with};
    use rustix::process::{Signal, WaitId, WaitIdOptions, waitid};
    use tokio::signal::unix::{SignalKind, signal};

    use super::super::input;
    use super::super::plan::Plan;
    use super::*;
    use crate::system::pidfd::Pidfd;
    use crate::{Command, Station};

    #[tokio::test]
    async fn what_a_child_is_sent_on_its_way_ends_it_although_it_is_handled_here() {
        let _handled = signal(SignalKind::user_defined1()).unwrap();
        let (station, command) = (Station::own(), Command::new("/bin/true", ""));
        let plan = Plan::draw(&station, &command).unwrap();
        // The child waits where it enters a control group: this pipe is full.
        let (reader, entrance) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        fcntl_setfl(&entrance, OFlags::NONBLOCK).unwrap();
        while write(&entrance, &[0; 4096]).is_ok() {}
        fcntl_setfl(&entrance, OFlags::empty()).unwrap();
        let (_report, report) = pipe_with(PipeFlags::CLOEXEC).unwrap();
        let input = input::nothing().unwrap();
        let orders = plan.orders([input, input, input, report.as_raw_fd()], Some(entrance.as_raw_fd()));
        let (_, child) = clone(&orders, None, Memory::Copied, &AtomicI32::new(-1)).unwrap();
        let child = Pidfd::new(child);
        child.signal(Signal::USR1).unwrap();
        read(&reader, &mut [0; 4096]).unwrap();
        let end = waitid(WaitId::PidFd(child.as_fd()), WaitIdOptions::EXITED).unwrap().unwrap();
        assert_eq!(end.terminating_signal(), Some(Signal::USR1.as_raw()));
    }
}
