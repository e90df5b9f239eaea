//! For Windows: a portable zip and a package for Windows Installer.

mod identity;
mod msi;
mod zip;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{Release, date, files_below, hex};
use crate::process::{program, read};
use crate::{root, setup, targets};

/// The architecture, as Windows people call it.
const ARCHITECTURE: &str = "x64";

/// The shells whose completions are in the archive, and what their files are called.
const COMPLETIONS: [(&str, &str); 5] = [
    ("powershell", "bilayer.ps1"),
    ("bash", "bilayer.bash"),
    ("zsh", "_bilayer"),
    ("fish", "bilayer.fish"),
    ("elvish", "bilayer.elv"),
];

/// The archive and the package, in the folder `out`.
pub(super) fn dist(release: &Release, out: &Path) -> Result<Vec<PathBuf>> {
    setup::ensure(&setup::DIST_WINDOWS)?;
    let Release { program, version, epoch } = release;
    let name = format!("bilayer-{version}-windows-{ARCHITECTURE}");
    let stage = stage(&out.join(&name), program, *epoch)?;
    completions(&stage, program, *epoch)?;
    let built = vec![
        zip::zip(&stage, &out.join(format!("{name}.zip")))?,
        msi::msi(&stage, version, &out.join(format!("{name}.msi")), *epoch)?,
    ];
    fs::remove_dir_all(&stage)?;
    Ok(built)
}

/// The program, built for this.
pub(super) fn release_build(epoch: u64) -> Result<PathBuf> {
    let flags = ["-Clink-arg=-Wl,--no-insert-timestamp"];
    Ok(super::release_build(targets::WINDOWS, &flags, epoch)?.join("bilayer.exe"))
}

/// Two packages of one program for the tests of upgrades, into the folder that it is in.
pub(crate) fn packages_for_tests(program: &Path) -> Result<()> {
    setup::ensure(&setup::DIST_WINDOWS)?;
    /// Any time will do; an archive knows none before 1980.
    const EPOCH: u64 = 1_600_000_000;
    let folder = program.parent().context("a program is in a folder")?;
    for (name, version) in [("package-older", "0.1.0"), ("package-newer", "0.2.0")] {
        let stage = stage(&folder.join(name), program, EPOCH)?;
        msi::msi(&stage, version, &folder.join(format!("{name}.msi")), EPOCH)?;
        fs::remove_dir_all(&stage)?;
    }
    Ok(())
}

/// Lays out the folder that people unpack; every file bears the same time.
fn stage(folder: &Path, program: &Path, epoch: u64) -> Result<PathBuf> {
    let _ = fs::remove_dir_all(folder);
    fs::create_dir_all(folder)?;
    let windows = root().join("packaging/windows");
    let mut files = vec![
        (program.to_path_buf(), "bilayer.exe".to_owned()),
        (root().join("README.md"), "README.md".to_owned()),
        (root().join("LICENSE-MIT"), "LICENSE-MIT.txt".to_owned()),
        (root().join("LICENSE-APACHE"), "LICENSE-APACHE.txt".to_owned()),
        (windows.join("bilayer.sample.toml"), "bilayer.sample.toml".to_owned()),
    ];
    for entry in fs::read_dir(&windows)? {
        let path = entry?.path();
        if let Some(name) =
            path.file_name().and_then(|name| name.to_str()).filter(|name| name.ends_with(".ps1"))
        {
            files.push((path.clone(), name.to_owned()));
        }
    }
    for (from, to) in files {
        let to = folder.join(to);
        fs::copy(&from, &to)
            .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    }
    date(folder, epoch)?;
    Ok(folder.to_path_buf())
}

/// Adds completions for shells. The program that is packed prints them: what it offers is not the same on every system. And so
/// it has run once.
fn completions(stage: &Path, program: &Path, epoch: u64) -> Result<()> {
    let runner = root().join("e2e/wine/run.sh");
    fs::create_dir_all(stage.join("completions"))?;
    for (shell, file) in COMPLETIONS {
        let text = read(Command::new(&runner).arg(program).args(["completions", shell]))?;
        fs::write(stage.join("completions").join(file), text)?;
    }
    date(stage, epoch)
}

/// A tool that writes the time of day into what it makes, given the commit's time instead.
fn at(epoch: u64, tool: &str) -> Result<Command> {
    let time = read(&mut program("date", ["-u", "-d", &format!("@{epoch}"), "+%F %T"]))?;
    let mut command = Command::new("faketime");
    command.args(["-f", time.trim(), tool]).env("TZ", "UTC");
    Ok(command)
}
