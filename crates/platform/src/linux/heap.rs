//! The heap of the C library, which every allocation of this program comes from.

/// Has all threads allocate from one heap: for a program with one busy thread. The C library would give each thread an arena of
/// its own, which outlives the thread, with pages that nothing else can use (mallopt(3), `M_ARENA_MAX`). Called before there is
/// a second thread; best effort.
pub fn share_one_heap() {
    // SAFETY: mallopt(3) takes two numbers, and this is one of its parameters.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, 1) };
}

/// Gives the pages between allocations back, which the C library keeps wherever something above them is in use.
pub(super) fn trim() {
    // SAFETY: malloc_trim(3) takes a number and may be called at any time by any thread.
    let _ = unsafe { libc::malloc_trim(0) };
}
