//! What is handed to people: portable archives and packages, for Linux and for Windows, all built on Linux.
//!
//! The same commit, compiler and tools give the same bytes: times come from the commit (or `SOURCE_DATE_EPOCH`), the
//! identities of packages from what is in them, and the program is built without the paths of the machine.

pub(crate) mod linux;
pub(crate) mod windows;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::process::{cargo, program, read, run};
use crate::{root, targets};

#[derive(Args)]
pub(crate) struct Options {
    /// Only what is for Linux.
    #[arg(long, conflicts_with = "windows")]
    linux: bool,
    /// Only what is for Windows.
    #[arg(long)]
    windows: bool,
    /// Pack this program instead of a release build; --linux or --windows says what it is for.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// The version of the packages instead of the workspace's: a test of upgrades needs two.
    #[arg(long, value_name = "X.Y.Z")]
    as_version: Option<String>,
    /// The folder for what is built.
    #[arg(long, value_name = "FOLDER", default_value = "target/dist")]
    out: PathBuf,
}

/// What is packed, for one system.
struct Release {
    program: PathBuf,
    version: String,
    /// The time that everything bears: seconds since 1970.
    epoch: u64,
}

/// Builds archives, packages and the file with their checksums.
pub(crate) fn dist(options: &Options) -> Result<()> {
    let chosen = options.linux || options.windows;
    ensure!(options.program.is_none() || chosen, "say what the program is for: --linux or --windows");
    let version = match &options.as_version {
        Some(version) => version.clone(),
        None => workspace_version()?,
    };
    let epoch = epoch()?;
    let out = root().join(&options.out);
    fs::create_dir_all(&out).with_context(|| format!("cannot make {}", out.display()))?;
    let release = |build: fn(u64) -> Result<PathBuf>| -> Result<Release> {
        let program = match &options.program {
            Some(program) => root().join(program),
            None => build(epoch)?,
        };
        Ok(Release { program, version: version.clone(), epoch })
    };
    let mut built = Vec::new();
    if options.linux || !chosen {
        built.extend(linux::dist(&release(linux::release_build)?, &out)?);
    }
    if options.windows || !chosen {
        built.extend(windows::dist(&release(windows::release_build)?, &out)?);
    }
    checksums(&out, &built)
}

/// The version of the whole workspace.
fn workspace_version() -> Result<String> {
    let text = fs::read_to_string(root().join("Cargo.toml"))?;
    let manifest: toml::Table = text.parse()?;
    let version = manifest["workspace"]["package"]["version"].as_str();
    Ok(version.context("the workspace has no version")?.to_owned())
}

/// The time of the commit, or what the environment says.
fn epoch() -> Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => read(&mut program("git", ["log", "-1", "--format=%ct"]))
            .context("the time of the last commit is not known; set SOURCE_DATE_EPOCH")?,
    };
    text.trim().parse().with_context(|| format!("{text:?} is not a time in seconds since 1970"))
}

/// Builds the program for a target, without the machine's paths and the time of day in it. Returns the folder that it is in.
fn release_build(target: &str, flags: &[&str], epoch: u64) -> Result<PathBuf> {
    targets::ensure(target)?;
    let home = std::env::var("CARGO_HOME").map(PathBuf::from).or_else(|_| {
        let home = std::env::home_dir().context("there is no home folder")?;
        anyhow::Ok(home.join(".cargo"))
    })?;
    let sysroot = read(&mut program("rustc", ["--print", "sysroot"]))?;
    let mut all = vec![
        format!("--remap-path-prefix={}/lib/rustlib/src/rust=/rust", sysroot.trim()),
        format!("--remap-path-prefix={}=/bilayer", root().display()),
        format!("--remap-path-prefix={}=/cargo", home.display()),
    ];
    all.extend(flags.iter().map(|flag| (*flag).to_owned()));
    let mut build = cargo(["build", "--release", "--package", "bilayer-cli", "--target", target]);
    build.env("CARGO_ENCODED_RUSTFLAGS", all.join("\x1f")).env("SOURCE_DATE_EPOCH", epoch.to_string());
    run(targets::optimise_at_link(&mut build, target)?)?;
    Ok(root().join("target").join(target).join("release"))
}

/// Gives every file below a folder the same time.
fn date(folder: &Path, epoch: u64) -> Result<()> {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(epoch);
    for file in files_below(folder)? {
        fs::File::options().append(true).open(folder.join(file))?.set_modified(time)?;
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
        text.push_str(&format!("{}  {name}\n", hex(&digest)));
        println!("{} ({} KiB)", file.display(), file.metadata()?.len() / 1024);
    }
    fs::write(out.join("SHA256SUMS"), text)?;
    Ok(())
}

/// Two lower-case digits for each byte.
fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
