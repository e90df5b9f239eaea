//! The package for Debian and its like, packed by `dpkg-deb`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::contents::{Content, Family, Kind, Made, Piece, pieces};
use super::{Architecture, DESCRIPTION, MAINTAINER, SUMMARY, filled, time, tree, wrapped};
use crate::dist::{Release, files_below};
use crate::process::{read, run};
use crate::root;

const DOC: &str = "/usr/share/doc/bilayer";

/// How much is done for a small file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Packing {
    /// What everybody can unpack and is smallest.
    Small,
    /// Nothing: it is for a test.
    Fast,
}

/// Builds the package in the folder `out`.
pub(super) fn deb(release: &Release, made: &Made, out: &Path, packing: Packing) -> Result<PathBuf> {
    let (version, architecture) = (version(&release.version), Architecture::of_this_machine()?.debian);
    let name = format!("bilayer_{version}_{architecture}");
    let folder = out.join(&name);
    let all: Vec<Piece> =
        pieces(release, made, Family::Debian).into_iter().chain(documents(release, &version)?).collect();
    let planted = tree::plant(&folder, &all, release.epoch)?;
    let control = folder.join("DEBIAN");
    fs::create_dir_all(&control)?;
    let size = size_kib(&folder)?.to_string();
    let depends = dependencies(&folder.join("usr/bin/bilayer"), out)?;
    let values = [
        ("VERSION", version.as_str()),
        ("ARCHITECTURE", architecture),
        ("MAINTAINER", MAINTAINER),
        ("SIZE", &size),
        ("DEPENDS", &depends),
        ("SUMMARY", SUMMARY),
        ("DESCRIPTION", &description()),
    ];
    // Before the folder of the control files has any: they are not among them.
    fs::write(control.join("md5sums"), digests(&folder, &planted)?)?;
    fs::write(control.join("control"), filled("deb/control", &values)?)?;
    let config = planted.iter().filter(|(_, kind)| *kind == Kind::Config);
    fs::write(control.join("conffiles"), config.map(|(path, _)| format!("{path}\n")).collect::<String>())?;
    for script in ["preinst", "postinst", "prerm", "postrm"] {
        // They are executable in the repository, and stay so.
        fs::copy(root().join("packaging/linux/deb").join(script), control.join(script))?;
    }
    tree::finish(&control, release.epoch)?;
    let file = out.join(format!("{name}.deb"));
    let packed = if packing == Packing::Small { ["-Zxz", "-z9"] } else { ["-Znone", "-z0"] };
    let mut dpkg = Command::new("dpkg-deb");
    dpkg.args(["--root-owner-group", "--build"])
        .args(packed)
        .env("SOURCE_DATE_EPOCH", release.epoch.to_string());
    run(dpkg.arg(&folder).arg(&file))?;
    fs::remove_dir_all(folder)?;
    Ok(file)
}

/// A version as Debian orders them: what comes before 1.2.3 is `1.2.3~rc.1`. The number after the hyphen counts packages of one
/// version.
fn version(version: &str) -> String {
    format!("{}-1", version.replacen('-', "~", 1))
}

/// What Debian wants to find in the folder of the package's documents.
fn documents(release: &Release, version: &str) -> Result<Vec<Piece>> {
    let when = time(release.epoch, "+%a, %d %b %Y %T +0000")?;
    let news = format!(
        "bilayer ({version}) unstable; urgency=medium\n\n  * What is new is in changelog.gz.\n\n -- {MAINTAINER}  {when}\n"
    );
    let text =
        |name: &str, kind, text| Piece { path: format!("{DOC}/{name}"), kind, content: Content::Text(text) };
    let licence = fs::read_to_string(root().join("LICENSE-MIT"))?;
    let licence: Vec<String> =
        licence.lines().skip_while(|line| line.starts_with("Copyright")).skip(1).map(indented).collect();
    Ok(vec![
        text("changelog.Debian", Kind::Packed, news),
        text("changelog", Kind::Packed, fs::read_to_string(root().join("CHANGELOG.md"))?),
        text("copyright", Kind::Licence, filled("deb/copyright", &[("MIT", &licence.join("\n"))])?),
        text("README.Debian", Kind::Doc, filled("deb/README.Debian", &[])?),
        Piece {
            path: "/usr/share/lintian/overrides/bilayer".to_owned(),
            kind: Kind::Data,
            content: Content::Text(filled("deb/lintian-overrides", &[])?),
        },
    ])
}

/// A line of a text below a field.
fn indented(line: &str) -> String {
    if line.is_empty() { " .".to_owned() } else { format!(" {line}") }
}

/// The paragraphs below the first line of the description.
fn description() -> String {
    DESCRIPTION
        .map(|paragraph| wrapped(paragraph).iter().map(|line| indented(line)).collect::<Vec<_>>().join("\n"))
        .join("\n .\n")
}

/// The libraries that the program is linked with, and since which version of each: `libc6 (>= 2.34)`.
fn dependencies(program: &Path, out: &Path) -> Result<String> {
    let folder = out.join("shlibdeps");
    fs::create_dir_all(folder.join("debian"))?;
    // It asks for no more, but without it it does not work.
    fs::write(folder.join("debian/control"), "Source: bilayer\n\nPackage: bilayer\nArchitecture: any\n")?;
    let mut shlibdeps = Command::new("dpkg-shlibdeps");
    let said = read(shlibdeps.current_dir(&folder).arg("-O").arg(fs::canonicalize(program)?))?;
    fs::remove_dir_all(&folder)?;
    let found = said.trim().strip_prefix("shlibs:Depends=").map(str::to_owned);
    found.with_context(|| format!("dpkg-shlibdeps answered {said:?}"))
}

/// The sum that dpkg can check an installation with later.
fn digests(folder: &Path, planted: &[(String, Kind)]) -> Result<String> {
    let files = planted.iter().filter(|(_, kind)| *kind != Kind::Config);
    let mut files: Vec<&str> = files.map(|(path, _)| path.trim_start_matches('/')).collect();
    files.sort_unstable();
    read(Command::new("md5sum").current_dir(folder).arg("--").args(files))
}

/// What it takes on a disk.
fn size_kib(folder: &Path) -> Result<u64> {
    let mut bytes = 0;
    for file in files_below(folder)? {
        bytes += folder.join(file).metadata()?.len().next_multiple_of(1024);
    }
    Ok(bytes / 1024)
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn what_comes_before_a_version_is_older() {
        assert_eq!(version("1.2.3"), "1.2.3-1");
        assert_eq!(version("1.2.3-rc.1"), "1.2.3~rc.1-1");
    }

    #[test]
    fn a_description_is_what_debian_reads() {
        let text = description();
        assert!(
            text.lines().all(|line| line.starts_with(' ') && line.len() <= super::super::WIDTH + 1),
            "{text}"
        );
        assert_eq!(text.lines().filter(|line| *line == " .").count(), 1);
    }
}
