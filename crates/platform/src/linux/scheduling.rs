//! How a process is scheduled, on processors and on disks: sched(7), ioprio_set(2).

use std::io;

use rustix::io::Errno;

use super::syscall::call;

/// `IOPRIO_WHO_PROCESS`, linux/ioprio.h.
const WHO_PROCESS: libc::c_int = 1;
/// `IOPRIO_CLASS_BE`, at its place in a value.
const CLASS_BEST_EFFORT: i32 = 2 << 13;

/// A policy with its parameters, as far as a process can pass them on to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    policy: u32,
    nice: i32,
    /// Of the real-time policies.
    priority: u32,
}

impl Schedule {
    /// What a process passes on to its children; 0 is this one. A deadline it keeps, and all that was given to it alone
    /// (`SCHED_RESET_ON_FORK`).
    pub(crate) fn of(pid: i32) -> io::Result<Schedule> {
        // SAFETY: all of it is numbers, for which zero is a value.
        let mut found: libc::sched_attr = unsafe { std::mem::zeroed() };
        let size = size_of::<libc::sched_attr>();
        // SAFETY: sched_getattr(2) writes at most `size` bytes.
        let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, pid, &raw mut found, size, 0) };
        if answer < 0 {
            return Err(io::Error::last_os_error());
        }
        let passed_on =
            Schedule { policy: found.sched_policy, nice: found.sched_nice, priority: found.sched_priority };
        let own_alone = found.sched_flags & libc::SCHED_FLAG_RESET_ON_FORK as u64 != 0;
        let is_ordinary =
            [libc::SCHED_OTHER, libc::SCHED_BATCH, libc::SCHED_IDLE].contains(&(passed_on.policy as i32));
        let is_deadline = passed_on.policy == libc::SCHED_DEADLINE as u32;
        Ok(match own_alone || is_deadline {
            true if is_ordinary => Schedule { nice: passed_on.nice.max(0), ..passed_on },
            true => Schedule { policy: libc::SCHED_OTHER as u32, nice: 0, priority: 0 },
            false => passed_on,
        })
    }

    /// Gives it to the calling thread. Allocates nothing.
    pub(crate) fn take_on(&self) -> Result<(), Errno> {
        // SAFETY: all of it is numbers, for which zero is a value.
        let mut wanted: libc::sched_attr = unsafe { std::mem::zeroed() };
        wanted.size = size_of::<libc::sched_attr>() as u32;
        wanted.sched_policy = self.policy;
        wanted.sched_nice = self.nice;
        wanted.sched_priority = self.priority;
        // SAFETY: sched_setattr(2) reads `size` bytes.
        unsafe { call(libc::SYS_sched_setattr, [0, (&raw const wanted) as usize]) }.map(drop)
    }
}

/// A class and a level for disks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IoPriority(i32);

impl IoPriority {
    /// That of a process; 0 is this one.
    pub(crate) fn of(pid: i32) -> io::Result<IoPriority> {
        // SAFETY: ioprio_get(2) takes two numbers.
        let found = unsafe { libc::syscall(libc::SYS_ioprio_get, WHO_PROCESS, pid) };
        if found < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(IoPriority(found as i32))
    }

    /// The same, but none at all where it is what the kernel makes of this nice value, so that it goes on following it.
    pub(crate) fn unless_of_nice(self, nice: i32) -> IoPriority {
        if self.0 == CLASS_BEST_EFFORT | ((nice + 20) / 5) { IoPriority(0) } else { self }
    }

    /// Gives it to the calling thread. Allocates nothing.
    pub(crate) fn take_on(self) -> Result<(), Errno> {
        // SAFETY: ioprio_set(2) takes three numbers.
        unsafe { call(libc::SYS_ioprio_set, [WHO_PROCESS as usize, 0, self.0 as usize]) }.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_thread_takes_on_it_has() {
        // On a thread of its own: the test runner's others keep theirs.
        let seen = std::thread::spawn(|| {
            let batch = Schedule { policy: libc::SCHED_BATCH as u32, nice: 7, priority: 0 };
            batch.take_on().unwrap();
            IoPriority(CLASS_BEST_EFFORT | 6).take_on().unwrap();
            (Schedule::of(0).unwrap(), batch, IoPriority::of(0).unwrap())
        });
        let (found, wanted, io) = seen.join().unwrap();
        assert_eq!(found, wanted);
        assert_eq!(io, IoPriority(CLASS_BEST_EFFORT | 6));
        assert_eq!(io.unless_of_nice(10), IoPriority(0), "the kernel's own for nice 10");
        assert_eq!(io.unless_of_nice(0), io);
    }
}
