//! A cgroup of the host for one container: it keeps containers apart, and killing it ends all that ran inside.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::wait::until;

/// Where hierarchies are mounted: version 2 alone, or version 2 beside systemd's own of version 1.
const HIERARCHIES: [&str; 3] = ["/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd", "/sys/fs/cgroup"];

/// The same name in every hierarchy that systemd looks at.
#[derive(Debug)]
pub(super) struct Cgroup {
    folders: Vec<PathBuf>,
}

impl Cgroup {
    pub(super) fn new(name: &str) -> Result<Self> {
        let hierarchies =
            HIERARCHIES.iter().map(Path::new).filter(|folder| folder.join("cgroup.procs").exists());
        let folders: Vec<_> = hierarchies.map(|folder| folder.join(name)).collect();
        for folder in &folders {
            fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the cgroup {}", folder.display()))?;
        }
        Ok(Self { folders })
    }

    /// The files that a process writes its pid to when it joins.
    pub(super) fn doors(&self) -> impl Iterator<Item = PathBuf> {
        self.folders.iter().map(|folder| folder.join("cgroup.procs"))
    }

    /// Kills everything inside and removes it.
    pub(super) fn kill(&self) {
        for folder in &self.folders {
            // Version 1 has no such file; everything in it is in version 2 as well.
            let _ = fs::write(folder.join("cgroup.kill"), "1");
        }
        // What was killed holds its cgroup until it is reaped.
        let gone = || {
            self.folders.iter().for_each(|folder| remove(folder));
            Ok((!self.folders.iter().any(|folder| folder.exists())).then_some(()))
        };
        if let Err(error) = until("the container's cgroup is empty", Duration::from_secs(5), gone) {
            eprintln!("{error:#}");
        }
    }
}

fn remove(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}
