//! The package for distributions with RPM, packed by `rpmbuild`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::contents::{Content, Family, Kind, Made, Piece, pieces};
use super::{Architecture, DESCRIPTION, MAINTAINER, SUMMARY, filled, tree, wrapped};
use crate::dist::Release;
use crate::process::run;
use crate::root;

const LICENCES: &str = "/usr/share/licenses/bilayer";

/// Builds the package in the folder `out`.
pub(super) fn rpm(release: &Release, made: &Made, out: &Path) -> Result<PathBuf> {
    let (version, architecture) = (version(&release.version), Architecture::of_this_machine()?.rpm);
    let work = out.join("rpm");
    let tree = work.join("tree");
    let _ = fs::remove_dir_all(&work);
    let all: Vec<Piece> = pieces(release, made, Family::Rpm).into_iter().chain(licences()).collect();
    let planted = tree::plant(&tree, &all, release.epoch)?;
    let values = [
        ("VERSION", version.as_str()),
        ("SUMMARY", SUMMARY),
        ("LICENSE", env!("CARGO_PKG_LICENSE")),
        ("MAINTAINER", MAINTAINER),
        ("DESCRIPTION", &DESCRIPTION.map(|paragraph| wrapped(paragraph).join("\n")).join("\n\n")),
        ("TREE", &tree.display().to_string()),
    ];
    let spec = work.join("bilayer.spec");
    fs::write(&spec, filled("rpm/bilayer.spec", &values)? + &files(&planted))?;
    let mut rpmbuild = Command::new("rpmbuild");
    rpmbuild.args(["-bb", "--quiet", "--target", architecture]);
    rpmbuild.arg("--define").arg(format!("_topdir {}", work.display()));
    rpmbuild.env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    run(rpmbuild.arg(&spec))?;
    let name = format!("bilayer-{version}-1.{architecture}.rpm");
    let file = out.join(&name);
    fs::rename(work.join("RPMS").join(architecture).join(&name), &file)?;
    fs::remove_dir_all(work)?;
    Ok(file)
}

/// A version as RPM orders them: what comes before 1.2.3 is `1.2.3~rc.1`.
fn version(version: &str) -> String {
    version.replacen('-', "~", 1)
}

fn licences() -> impl Iterator<Item = Piece> {
    ["LICENSE-MIT", "LICENSE-APACHE"].into_iter().map(|name| Piece {
        path: format!("{LICENCES}/{name}"),
        kind: Kind::Licence,
        content: Content::File(root().join(name)),
    })
}

/// The list of files, with folders that are the package's own.
fn files(planted: &[(String, Kind)]) -> String {
    let mut text = String::from("%defattr(-,root,root,-)\n%dir /etc/bilayer\n%dir /usr/share/doc/bilayer\n");
    text.push_str(&format!("%dir {LICENCES}\n"));
    for (path, kind) in planted {
        let tag = match kind {
            Kind::Program => "%attr(0755,root,root) ",
            Kind::Config => "%config(noreplace) ",
            Kind::Doc => "%doc ",
            Kind::Licence => "%license ",
            Kind::Data | Kind::Packed => "",
        };
        text.push_str(&format!("{tag}{path}\n"));
    }
    text
}
