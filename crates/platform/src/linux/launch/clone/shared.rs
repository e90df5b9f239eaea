//! A child that shares its parent's memory until it executes, as after vfork(2), but on a stack of its own, so that it cannot
//! disturb the frames that its parent returns to.

use std::arch::asm;
use std::io;

use super::CloneArgs;
use crate::system::launch::child::{Orders, obey};

/// Room for `obey`, which calls a handful of small functions: it uses less than a page when optimised and a few when not.
const STACK_LENGTH: usize = 64 * 1024;

extern "C" fn enter(orders: &Orders<'_>) -> ! {
    obey(orders)
}

/// Returns when the child has executed its program or has ended.
pub(super) fn born(args: &mut CloneArgs, orders: &Orders<'_>) -> io::Result<i32> {
    let mut stack: Vec<u128> = Vec::with_capacity(STACK_LENGTH / size_of::<u128>());
    args.flags |= (libc::CLONE_VM | libc::CLONE_VFORK) as u64;
    args.stack = stack.as_mut_ptr() as u64;
    args.stack_size = STACK_LENGTH as u64;
    let pid: isize;
    // SAFETY: clone3(2) with CLONE_VM | CLONE_VFORK. The parent sees an ordinary system call: the kernel keeps every register
    // but rax, rcx and r11, and suspends this thread until the child has executed or ended, so `orders`, `args` and `stack`
    // outlive the child's use of them. The child starts on the top of `stack`, which is aligned to 16 bytes as the ABI asks
    // before a call, and never comes back from `enter`.
    unsafe {
        asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 as isize => pid,
            in("rdi") &raw mut *args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") &raw const *orders,
            in("r13") enter as extern "C" fn(&Orders<'_>) -> !,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    drop(stack);
    if pid < 0 { Err(io::Error::from_raw_os_error(-pid as i32)) } else { Ok(pid as i32) }
}
