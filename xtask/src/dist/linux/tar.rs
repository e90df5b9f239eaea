//! The portable archive: one folder, which holds all that runs from it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::contents::{Content, Kind, Made, Piece};
use super::{Architecture, tree};
use crate::dist::Release;
use crate::process::run;
use crate::root;

/// Builds the archive in the folder `out`.
pub(super) fn tar(release: &Release, made: &Made, out: &Path) -> Result<PathBuf> {
    let name = format!("bilayer-{}-linux-{}", release.version, Architecture::of_this_machine()?.archive);
    let folder = out.join(&name);
    let _ = fs::remove_dir_all(&folder);
    for piece in pieces(release, made) {
        tree::write(&folder, &piece)?;
    }
    tree::finish(&folder, release.epoch)?;
    let archive = out.join(format!("{name}.tar"));
    let mut tar = Command::new("tar");
    tar.args(["--create", "--format=gnu", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    tar.arg(format!("--mtime=@{}", release.epoch)).arg("--file").arg(&archive);
    run(tar.arg("--directory").arg(out).arg(&name))?;
    fs::remove_dir_all(folder)?;
    let packed = out.join(format!("{name}.tar.gz"));
    // The tool does not overwrite.
    let _ = fs::remove_file(&packed);
    tree::pack(&[archive])?;
    Ok(packed)
}

fn pieces(release: &Release, made: &Made) -> Vec<Piece> {
    let piece = |path: &str, kind, content| Piece { path: path.to_owned(), kind, content };
    let file = |path: &str, from: &str| piece(path, Kind::Data, Content::File(root().join(from)));
    let text = |path: &str, text: &str| piece(path, Kind::Data, Content::Text(text.to_owned()));
    let mut pieces = vec![
        piece("bilayer", Kind::Program, Content::File(release.program.clone())),
        file("README.md", "README.md"),
        file("LICENSE-MIT", "LICENSE-MIT"),
        file("LICENSE-APACHE", "LICENSE-APACHE"),
        text("completions/bilayer.bash", &made.completions[0]),
        text("completions/_bilayer", &made.completions[1]),
        text("completions/bilayer.fish", &made.completions[2]),
    ];
    pieces.extend(made.pages.iter().map(|(name, page)| text(&format!("man/{name}"), page)));
    pieces
}
