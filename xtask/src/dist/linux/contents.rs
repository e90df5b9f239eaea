//! What is installed, and where: the one description for all formats.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::{manual, time};
use crate::dist::Release;
use crate::process::{cargo, read, run};
use crate::root;

const PROGRAM: &str = "/usr/bin/bilayer";
const CONFIG: &str = "/etc/bilayer/bilayer.toml";
/// What the configuration begins as.
const SAMPLE: &str = "packaging/linux/bilayer.toml";

/// Where distributions differ.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Debian,
    Rpm,
}

/// A file that is installed.
#[derive(Clone, Debug)]
pub(super) struct Piece {
    /// Absolute.
    pub(super) path: String,
    pub(super) kind: Kind,
    pub(super) content: Content,
}

/// What a package says of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Program,
    /// Nothing in particular.
    Data,
    /// The administrator's: an upgrade keeps what was written into it.
    Config,
    Doc,
    Licence,
    /// A text that lies there packed: a manual page, a changelog.
    Packed,
}

#[derive(Clone, Debug)]
pub(super) enum Content {
    File(PathBuf),
    Text(String),
}

/// What is not in the repository but made for a release, once for all formats.
pub(super) struct Made {
    /// Name and text of each manual page.
    pub(super) pages: Vec<(String, String)>,
    /// Of bash, zsh and fish.
    pub(super) completions: [String; 3],
}

impl Made {
    pub(super) fn new(release: &Release) -> Result<Made> {
        let completions = |shell| read(Command::new(&release.program).args(["completions", shell]));
        Ok(Made {
            pages: pages(release)?,
            completions: [completions("bash")?, completions("zsh")?, completions("fish")?],
        })
    }
}

/// Every file of a package of this family.
pub(super) fn pieces(release: &Release, made: &Made, family: Family) -> Vec<Piece> {
    let text = |path: &str, kind, text: &str| Piece {
        path: path.to_owned(),
        kind,
        content: Content::Text(text.to_owned()),
    };
    let file = |path: &str, kind, from: &str| Piece {
        path: path.to_owned(),
        kind,
        content: Content::File(root().join(from)),
    };
    let zsh = match family {
        Family::Debian => "/usr/share/zsh/vendor-completions/_bilayer",
        Family::Rpm => "/usr/share/zsh/site-functions/_bilayer",
    };
    let mut pieces = vec![
        Piece {
            path: PROGRAM.to_owned(),
            kind: Kind::Program,
            content: Content::File(release.program.clone()),
        },
        file(CONFIG, Kind::Config, SAMPLE),
        file("/usr/lib/systemd/system/bilayer.service", Kind::Data, "packaging/linux/bilayer.service"),
        file("/usr/lib/sysusers.d/bilayer.conf", Kind::Data, "packaging/linux/sysusers.conf"),
        file("/usr/lib/tmpfiles.d/bilayer.conf", Kind::Data, "packaging/linux/tmpfiles.conf"),
        text("/usr/share/bash-completion/completions/bilayer", Kind::Data, &made.completions[0]),
        text(zsh, Kind::Data, &made.completions[1]),
        text("/usr/share/fish/vendor_completions.d/bilayer.fish", Kind::Data, &made.completions[2]),
        file("/usr/share/doc/bilayer/README.md", Kind::Doc, "README.md"),
    ];
    for (name, page) in &made.pages {
        let section = name.rsplit('.').next().unwrap_or_default();
        pieces.push(text(&format!("/usr/share/man/man{section}/{name}"), Kind::Packed, page));
    }
    pieces
}

/// The pages of all commands, made from what reads the command line, and the one of the configuration, made from its document.
fn pages(release: &Release) -> Result<Vec<(String, String)>> {
    let date = time(release.epoch, "+%F")?;
    let folder = root().join("target/manual");
    // A command that is gone leaves no page.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder)?;
    let mut example = cargo(["run", "--quiet", "--package", "bilayer-cli", "--example", "manual", "--"]);
    run(example.arg(&folder).arg(&date))?;
    let mut pages = Vec::new();
    for file in crate::dist::files_below(&folder)? {
        let text = fs::read_to_string(folder.join(&file))?;
        pages.push((name_of(&file)?, text));
    }
    let source = format!("bilayer {}", release.version);
    pages.push(("bilayer.toml.5".to_owned(), manual::configuration(&date, &source)?));
    Ok(pages)
}

fn name_of(file: &Path) -> Result<String> {
    Ok(file.file_name().context("a file has a name")?.to_string_lossy().into_owned())
}
