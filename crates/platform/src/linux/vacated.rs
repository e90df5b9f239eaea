//! The control group of a process that has ended, for the next one of the same agent.
//!
//! To remove a group and to make another of the same name takes longer than to make a process in one.

use std::io;
use std::path::Path;
use std::sync::Arc;

use super::cgroup::Cgroup;

/// Where a process lived that has ended and left nothing. Dropped, it is cleared away.
pub struct Vacated {
    group: Option<Arc<Cgroup>>,
}

impl Vacated {
    pub(super) fn new(group: Arc<Cgroup>) -> Vacated {
        Vacated { group: Some(group) }
    }

    /// This place, if it is the group `name` below `parent`, or else a new one.
    pub(super) fn or_new(vacated: Option<Vacated>, parent: &Path, name: &str) -> io::Result<Arc<Cgroup>> {
        let taken = vacated.and_then(|mut vacated| vacated.group.take_if(|group| group.is_at(parent, name)));
        taken.map_or_else(|| Cgroup::create(parent, name).map(Arc::new), Ok)
    }
}

impl Drop for Vacated {
    fn drop(&mut self) {
        if let Some(group) = &self.group {
            group.remove();
        }
    }
}
