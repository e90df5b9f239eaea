//! For Linux: a package for Debian and its like, one for distributions with RPM, and a portable archive.
//!
//! [`contents`] says once what is installed and where; each format writes that into a tree of its own ([`tree`]) and lets its
//! distribution's own tool pack it. [`manual`] makes the pages that are not made from the command line.

mod contents;
mod deb;
mod manual;
mod markdown;
mod rpm;
mod tar;
mod tree;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use self::contents::Made;
use super::Release;
use crate::process::{program, read};
use crate::{root, setup};

const SUMMARY: &str = "supervisor of programs in every user's session";
const DESCRIPTION: [&str; 2] = [
    "One privileged service keeps one agent, any program, running in the session of every user, as that user: started at logon, \
     started again when it crashes, stopped at logoff, through locks, switches of users, suspends and upgrades.",
    "The service talks with its agents over an authenticated local socket that any language can use, and with its administrator \
     through the command bilayer.",
];
/// The lines of a description are at most this long.
const WIDTH: usize = 78;
const MAINTAINER: &str = "The Bilayer contributors <bilayer@packages.invalid>";

/// How the two worlds call the processor that this machine builds for.
#[derive(Clone, Copy, Debug)]
struct Architecture {
    debian: &'static str,
    rpm: &'static str,
    archive: &'static str,
}

impl Architecture {
    fn of_this_machine() -> Result<Architecture> {
        match std::env::consts::ARCH {
            "x86_64" => Ok(Architecture { debian: "amd64", rpm: "x86_64", archive: "x64" }),
            "aarch64" => Ok(Architecture { debian: "arm64", rpm: "aarch64", archive: "arm64" }),
            other => bail!("no package was ever built for the processor {other}; name it in {}", file!()),
        }
    }
}

/// The packages and the archive, in the folder `out`.
pub(super) fn dist(release: &Release, out: &Path) -> Result<Vec<PathBuf>> {
    setup::ensure(&setup::DIST_LINUX)?;
    let made = Made::new(release)?;
    Ok(vec![
        deb::deb(release, &made, out, deb::Packing::Small)?,
        rpm::rpm(release, &made, out)?,
        tar::tar(release, &made, out)?,
    ])
}

/// The program, built for this machine's kind of processor.
pub(super) fn release_build(epoch: u64) -> Result<PathBuf> {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    // A package carries no symbols; what a crash was is in the log.
    Ok(super::release_build(&target, &["-Cstrip=symbols"], epoch)?.join("bilayer"))
}

/// Two packages of one program for the tests of upgrades, into the folder that it is in.
pub(crate) fn packages_for_tests(program: &Path) -> Result<()> {
    setup::ensure(&setup::DEB)?;
    let folder = program.parent().context("a program is in a folder")?;
    for (name, version) in [("package-older", "0.1.0"), ("package-newer", "0.2.0")] {
        // Any time will do.
        let release =
            Release { program: program.to_owned(), version: version.to_owned(), epoch: 1_600_000_000 };
        let built = deb::deb(&release, &Made::new(&release)?, folder, deb::Packing::Fast)?;
        fs::rename(built, folder.join(name).with_extension("deb"))?;
    }
    Ok(())
}

/// A template of packaging/linux with its `@NAMES@` filled in.
fn filled(template: &str, values: &[(&str, &str)]) -> Result<String> {
    let file = root().join("packaging/linux").join(template);
    let mut text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    for (name, value) in values {
        let name = format!("@{name}@");
        if !text.contains(&name) {
            bail!("{} has no {name}", file.display());
        }
        text = text.replace(&name, value);
    }
    Ok(text)
}

/// A time as `date` prints it, in UTC and English.
fn time(epoch: u64, format: &str) -> Result<String> {
    let mut date = program("date", ["-u", "-d", &format!("@{epoch}"), format]);
    Ok(read(date.env("LC_ALL", "C"))?.trim().to_owned())
}

/// The lines of a paragraph.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is a line from the start");
        match (line.is_empty(), line.len() + 1 + word.len() <= WIDTH) {
            (true, _) => line.push_str(word),
            (false, true) => line.extend([" ", word]),
            (false, false) => lines.push(word.to_owned()),
        }
    }
    lines
}
