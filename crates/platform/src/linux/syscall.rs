//! System calls without the C library between: for children between their birth and their program.
//!
//! Such a child has no page of the library before it calls into it, and gets each one by a page fault, which takes as long as
//! several system calls. And the library writes to memory on the way (`errno`, the state of cancellation), which the child has to
//! be given a copy of, or which it shares with its parent's thread.

use rustix::io::Errno;

/// Makes a system call; what is not given of its six arguments is zero.
///
/// # Safety
///
/// That of the system call, by its manual page. Pointers are given as addresses, and must be valid as long as it asks.
#[cfg(target_arch = "x86_64")]
#[inline]
pub(super) unsafe fn call<const N: usize>(
    number: libc::c_long,
    arguments: [usize; N],
) -> Result<usize, Errno> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let answer: isize;
    // SAFETY: syscall(2): the kernel keeps every register but these three, and the stack. What it does to memory is the caller's.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => answer,
            in("rdi") argument(0),
            in("rsi") argument(1),
            in("rdx") argument(2),
            in("r10") argument(3),
            in("r8") argument(4),
            in("r9") argument(5),
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    // The kernel's errors are -1 to -4095; no call that is made here answers with an address.
    if answer < 0 { Err(Errno::from_raw_os_error(-answer as i32)) } else { Ok(answer.cast_unsigned()) }
}

/// Where nobody has written the instruction, the C library makes the call.
///
/// # Safety
///
/// As above.
#[cfg(not(target_arch = "x86_64"))]
pub(super) unsafe fn call<const N: usize>(
    number: libc::c_long,
    arguments: [usize; N],
) -> Result<usize, Errno> {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    let [a, b, c, d, e, f] = std::array::from_fn(argument);
    // SAFETY: the caller's.
    let answer = unsafe { libc::syscall(number, a, b, c, d, e, f) };
    if answer >= 0 {
        return Ok(answer as usize);
    }
    let number = std::io::Error::last_os_error().raw_os_error().unwrap_or(libc::EINVAL);
    Err(Errno::from_raw_os_error(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_is_given_every_argument_and_says_what_is_wrong() {
        // SAFETY: getpid(2) takes nothing.
        let pid = unsafe { call(libc::SYS_getpid, []) };
        assert_eq!(pid, Ok(std::process::id() as usize));
        // SAFETY: nothing is mapped: a length of zero is refused.
        let refused = unsafe { call(libc::SYS_mmap, [0, 0, 0, 0, 0, 0]) };
        assert_eq!(refused, Err(Errno::INVAL));
        // All six: a page of nobody's memory that may only be read, with an offset that is no multiple of a page.
        let flags = (libc::MAP_PRIVATE | libc::MAP_ANONYMOUS) as usize;
        // SAFETY: it is refused for its last argument alone.
        let refused =
            unsafe { call(libc::SYS_mmap, [0, 4096, libc::PROT_READ as usize, flags, usize::MAX, 1]) };
        assert_eq!(refused, Err(Errno::INVAL));
        // SAFETY: prctl(2) reads no memory for this.
        let slack = unsafe { call(libc::SYS_prctl, [libc::PR_GET_TIMERSLACK as usize]) };
        assert!(slack.is_ok_and(|slack| slack > 0));
    }
}
