//! The portable archive: one folder, which holds all that runs from it.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::files_below;
use crate::process::run;

/// Packs the folder `stage` into `out`, in the order of the names and without anything but names, times and content.
pub(super) fn zip(stage: &Path, out: &Path) -> Result<PathBuf> {
    // The tool adds to an archive that is there.
    let _ = std::fs::remove_file(out);
    let parent = stage.parent().context("the folder is below another")?;
    let name = Path::new(stage.file_name().context("the folder has a name")?);
    let mut zip = Command::new("zip");
    zip.current_dir(parent).env("TZ", "UTC").args(["-q", "-X", "-9"]).arg(out);
    run(zip.args(files_below(stage)?.iter().map(|file| name.join(file))))?;
    Ok(out.to_path_buf())
}
