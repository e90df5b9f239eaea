//! How many files this process may have open: getrlimit(2).

use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit that this process was started with, once it has another.
static BEFORE: OnceLock<Rlimit> = OnceLock::new();

/// Raises the soft limit of open files to the hard one. Supervision takes about five descriptors per agent, and the usual soft
/// limit of 1024 is kept that low for programs that use select(2) only. Best effort: what launches then meet is an error of its
/// own. Programs that are launched get the limit from before: who uses select(2) relies on it.
pub fn raise_descriptor_limit() {
    let before = getrlimit(Resource::Nofile);
    if before.current == before.maximum {
        return;
    }
    if setrlimit(Resource::Nofile, Rlimit { current: before.maximum, ..before }).is_ok() {
        // A second call finds nothing left to raise.
        let _ = BEFORE.set(before);
    }
}

/// What a child has to set; `None`: it inherits the right one.
pub(super) fn limit_for_children() -> Option<Rlimit> {
    BEFORE.get().copied()
}
