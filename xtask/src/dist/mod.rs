//! What is handed to people: a portable archive and a package for Windows, both built on Linux.
//!
//! The same commit, compiler and tools give the same bytes: times come from the commit (or `SOURCE_DATE_EPOCH`), the
//! identities of the package from what is in it, and the program is built without the paths of the machine.

mod identity;
mod msi;
mod zip;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::process::{cargo, program, read, run};
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

#[derive(Args)]
pub(crate) struct Options {
    /// Pack this program instead of a release build.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The version of the package instead of the workspace's: a test of upgrades needs two.
    #[arg(long, value_name = "X.Y.Z")]
    as_version: Option<String>,
    /// The folder for what is built.
    #[arg(long, value_name = "FOLDER", default_value = "target/dist")]
    out: PathBuf,
}

/// Builds the archive, the package and the file with their checksums.
pub(crate) fn dist(options: &Options) -> Result<()> {
    setup::ensure(&setup::DIST)?;
    let version = match &options.as_version {
        Some(version) => version.clone(),
        None => workspace_version()?,
    };
    let epoch = epoch()?;
    let out = root().join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let program = match &options.program {
        Some(program) => root().join(program),
        None => release_build(epoch)?,
    };
    let name = format!("bilayer-{version}-windows-{ARCHITECTURE}");
    let stage = stage(&out.join(&name), &program, epoch)?;
    completions(&stage, &program, epoch)?;
    let built = [
        zip::zip(&stage, &out.join(format!("{name}.zip")))?,
        msi::msi(&stage, &version, &out.join(format!("{name}.msi")), epoch)?,
    ];
    fs::remove_dir_all(&stage)?;
    checksums(&out, &built)
}

/// Two packages of one program for the tests of upgrades, into the folder that it is in.
pub(crate) fn packages_for_tests(program: &Path) -> Result<()> {
    setup::ensure(&setup::DIST)?;
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

/// The version of the whole workspace.
fn workspace_version() -> Result<String> {
    let text = fs::read_to_string(root().join("Cargo.toml"))?;
    let manifest: toml::Table = text.parse()?;
    let version = manifest["workspace"]["package"]["version"].as_str();
    Ok(version.context("the workspace has no version")?.to_owned())
}

/// The time that everything bears: seconds since 1970.
fn epoch() -> Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => read(&mut program("git", ["log", "-1", "--format=%ct"]))
            .context("the time of the last commit is not known; set SOURCE_DATE_EPOCH")?,
    };
    text.trim().parse().with_context(|| format!("{text:?} is not a time in seconds since 1970"))
}

/// Builds the program for Windows, without the machine's paths and the time of day in it.
fn release_build(epoch: u64) -> Result<PathBuf> {
    targets::ensure(targets::WINDOWS)?;
    let home = std::env::var("CARGO_HOME").map(PathBuf::from).or_else(|_| {
        let home = std::env::home_dir().context("there is no home folder")?;
        anyhow::Ok(home.join(".cargo"))
    })?;
    let sysroot = read(&mut program("rustc", ["--print", "sysroot"]))?;
    let flags = [
        format!("--remap-path-prefix={}/lib/rustlib/src/rust=/rust", sysroot.trim()),
        format!("--remap-path-prefix={}=/bilayer", root().display()),
        format!("--remap-path-prefix={}=/cargo", home.display()),
        "-Clink-arg=-Wl,--no-insert-timestamp".to_owned(),
    ];
    let mut build = cargo(["build", "--release", "--package", "bilayer-cli", "--target", targets::WINDOWS]);
    build.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\x1f")).env("SOURCE_DATE_EPOCH", epoch.to_string());
    run(targets::optimise_at_link(&mut build, targets::WINDOWS)?)?;
    Ok(root().join("target").join(targets::WINDOWS).join("release/bilayer.exe"))
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

/// Gives every file below a folder the same time.
fn date(folder: &Path, epoch: u64) -> Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
    for file in files_below(folder)? {
        fs::File::options().write(true).open(folder.join(file))?.set_modified(time)?;
    }
    Ok(())
}

/// All files below a folder, by their names relative to it, in order.
fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let (mut found, mut open) = (Vec::new(), vec![folder.to_path_buf()]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next)? {
            let path = entry?.path();
            match path.is_dir() {
                true => open.push(path),
                false => found.push(path.strip_prefix(folder)?.to_path_buf()),
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Writes `SHA256SUMS` of what was built, in the form that `sha256sum --check` reads.
fn checksums(out: &Path, built: &[PathBuf]) -> Result<()> {
    let mut text = String::new();
    for file in built {
        let name = file.file_name().context("a file has a name")?.to_string_lossy();
        let digest = Sha256::digest(fs::read(file)?);
        text.push_str(&format!("{}  {name}\n", identity::hex(&digest)));
        println!("{} ({} KiB)", file.display(), file.metadata()?.len() / 1024);
    }
    fs::write(out.join("SHA256SUMS"), text)?;
    Ok(())
}

/// A tool that writes the time of day into what it makes, given the commit's time instead.
fn at(epoch: u64, tool: &str) -> Result<Command> {
    let time = read(&mut program("date", ["-u", "-d", &format!("@{epoch}"), "+%F %T"]))?;
    let mut command = Command::new("faketime");
    command.args(["-f", time.trim(), tool]).env("TZ", "UTC");
    Ok(command)
}
