//! What a child inherits of how this program treats signals: signal(7).

use std::sync::OnceLock;

use crate::system::syscall::call;

/// The kernel's `struct sigaction`, in words. The action is the first; sixteen are enough on every architecture.
type Action = [usize; 16];

/// Default action, no flags, nothing masked: all of it is zero.
const DEFAULT: Action = [0; 16];

/// Signals with another action than the default one; signal N is bit N - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Altered(u64);

impl Altered {
    /// It is not known which: any may have a handler.
    pub(super) const ANY: Altered = Altered(u64::MAX);

    /// Those that this program ignores, which neither `CLONE_CLEAR_SIGHAND` nor execve(2) changes: SIGPIPE by Rust's runtime, and
    /// what whoever started it ignored.
    ///
    /// Asked once, because asking takes a system call for each of the 64. So nothing in this program may begin to ignore a signal
    /// after its first launch. One that it handles from then on may be among these: it is reset in vain.
    pub(super) fn ignored() -> Altered {
        static IGNORED: OnceLock<Altered> = OnceLock::new();

        *IGNORED.get_or_init(|| {
            let ignored = (1..=u64::BITS).filter(|signal| action(*signal) == libc::SIG_IGN);
            Altered(ignored.fold(0, |bits, signal| bits | 1 << (signal - 1)))
        })
    }

    /// Gives them the default action. Allocates nothing.
    pub(super) fn reset(self) {
        let default = DEFAULT;
        let mut left = self.0;
        while left != 0 {
            let signal = left.trailing_zeros() + 1;
            left &= left - 1;
            // SAFETY: rt_sigaction(2) reads one structure and is not asked to write one. For SIGKILL and SIGSTOP it fails.
            let _ =
                unsafe { call(libc::SYS_rt_sigaction, [signal as usize, default.as_ptr() as usize, 0, 8]) };
        }
    }
}

/// What a signal does: an address, `SIG_DFL` or `SIG_IGN`.
fn action(signal: u32) -> usize {
    let mut found = DEFAULT;
    // SAFETY: rt_sigaction(2) writes one structure and is given none to read. Not the C library's: it hides two signals.
    let _ = unsafe { call(libc::SYS_rt_sigaction, [signal as usize, 0, found.as_mut_ptr() as usize, 8]) };
    found[0]
}
