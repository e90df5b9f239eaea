//! Files as they will lie on a machine, below a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::{Content, Kind, Piece};
use crate::dist::date;
use crate::process::read;

/// Writes a file below `tree`, with its folders.
pub(super) fn write(tree: &Path, piece: &Piece) -> Result<PathBuf> {
    let path = tree.join(piece.path.trim_start_matches('/'));
    let folder = path.parent().context("a file lies in a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let written = match &piece.content {
        Content::File(from) => fs::copy(from, &path).map(|_| ()),
        Content::Text(text) => fs::write(&path, text),
    };
    written.with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

/// Writes files below `tree`, manual pages packed as both kinds of distribution want them, each with the same time. Returns
/// where they will lie.
pub(super) fn plant(tree: &Path, pieces: &[Piece], epoch: u64) -> Result<Vec<(String, Kind)>> {
    let _ = fs::remove_dir_all(tree);
    let (mut planted, mut pages) = (Vec::new(), Vec::new());
    for piece in pieces {
        let path = write(tree, piece)?;
        let packed = piece.kind == Kind::Packed;
        planted.push((if packed { format!("{}.gz", piece.path) } else { piece.path.clone() }, piece.kind));
        pages.extend(packed.then_some(path));
    }
    pack(&pages)?;
    finish(tree, epoch)?;
    Ok(planted)
}

/// Replaces files by packed ones, `.gz`, without name and time in them.
pub(super) fn pack(files: &[PathBuf]) -> Result<()> {
    read(Command::new("gzip").args(["-9", "--no-name", "--"]).args(files)).map(|_| ())
}

/// Gives what is below a folder one time, and modes that do not depend on who builds: 644, and 755 for folders and programs.
pub(super) fn finish(folder: &Path, epoch: u64) -> Result<()> {
    date(folder, epoch)?;
    read(Command::new("chmod").args(["--recursive", "u=rwX,go=rX", "--"]).arg(folder)).map(|_| ())
}
