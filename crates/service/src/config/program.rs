//! Paths in a configuration: which program is meant, and whether a service may start it.

use std::io;
use std::path::{self, Path, PathBuf};

use super::Loading;
use super::read::{Findings, Node, shown};
use super::source::Source;
use super::value::text;

/// The program that the first element of a `command` names, absolute.
///
/// In a privileged service it has to be absolute already: what a relative one means would depend on the directory and the
/// `PATH` that the service happened to be started with. In console mode one with a separator starts from the folder of the
/// configuration file and one without is looked up in `PATH`.
pub(super) fn program(
    node: Node<'_>,
    trust_writable: bool,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<PathBuf> {
    let named = text(node.clone(), findings)?;
    let has_separator = named.contains(path::is_separator);
    let program = match Path::new(&named) {
        named if named.is_absolute() => named.to_owned(),
        _ if named.starts_with("~/") => {
            node.wrong(
                format!("cannot be `{}`: no shell reads this, so `~` is not expanded", shown(&named)),
                findings,
            )
            .hint("write the whole path of the program");
            return None;
        }
        _ if how.privileged => {
            let finding = node.wrong(
                format!("must be an absolute path in a privileged service, not `{}`", shown(&named)),
                findings,
            );
            match search(&named, how) {
                Some(found) if !has_separator => {
                    finding.hint(format!("write the whole path; `PATH` has one at `{}`", found.display()))
                }
                _ => finding.hint("write the whole path of the program"),
            };
            return None;
        }
        relative if has_separator => absolute(source, relative),
        _ => match search(&named, how) {
            Some(found) => found,
            None => {
                node.wrong(
                    format!("names `{}`, and no folder of `PATH` has such a program", shown(&named)),
                    findings,
                )
                .hint("install it, or write its path; one with a `/` starts from the folder of this file");
                return None;
            }
        },
    };
    check(&node, &program, trust_writable, how, findings)?;
    Some(program)
}

fn check(
    node: &Node<'_>,
    program: &Path,
    trust_writable: bool,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<()> {
    let shown = program.display();
    match how.checks.is_file(program) {
        Ok(true) => {}
        Ok(false) => {
            node.wrong(format!("names `{shown}`, which is not a file"), findings)
                .hint("name the program itself");
            return None;
        }
        Err(error) => {
            let missing = error.kind() == io::ErrorKind::NotFound;
            let why = if missing {
                "which does not exist".to_owned()
            } else {
                format!("which cannot be looked at: {error}")
            };
            let finding = node.wrong(format!("names the program `{shown}`, {why}"), findings);
            match with_arguments(program, how) {
                Some(words) => finding
                    .hint(format!("no shell reads this, so each argument is a text of its own: {words}")),
                None => finding.hint("check the path, or install the program"),
            };
            return None;
        }
    }
    if how.privileged && !trust_writable {
        let hint = "whoever can write it decides what runs as every user: let only root or the administrators write the \
                    program and the folders above it, or set `trust_writable_program = true`";
        match how.checks.writable_by_others(program) {
            Ok(None) => {}
            Ok(Some(who)) => {
                node.wrong(format!("names a program that somebody else could change: {who}"), findings)
                    .hint(hint);
                return None;
            }
            Err(error) => {
                node.wrong(
                    format!("names `{shown}`; who can write to it cannot be found out: {error}"),
                    findings,
                )
                .hint(hint);
                return None;
            }
        }
    }
    if let Err(refusal) = how.checks.executable(program) {
        node.wrong(format!("names `{shown}`, which cannot be started: {refusal}"), findings)
            .hint("name a program that can be started");
        return None;
    }
    Some(())
}

/// A program that is there, followed by arguments in the same text: the texts that were meant.
fn with_arguments(missing: &Path, how: &Loading<'_>) -> Option<String> {
    let (program, arguments) = missing.to_str()?.split_once(' ')?;
    let is_there = how.checks.is_file(Path::new(program)).unwrap_or(false);
    let words = std::iter::once(program).chain(arguments.split_whitespace());
    let words: Vec<String> = words.map(|word| format!("{word:?}")).collect();
    is_there.then(|| shown(&words.join(", ")))
}

/// The first file of this name in the absolute folders of `PATH` that can be started, else the first that cannot.
fn search(name: &str, how: &Loading<'_>) -> Option<PathBuf> {
    let folders = how.checks.search_path()?;
    let suffixed = format!("{name}{}", std::env::consts::EXE_SUFFIX);
    let candidates: Vec<PathBuf> = std::env::split_paths(&folders)
        .filter(|folder| folder.is_absolute())
        .flat_map(|folder| [folder.join(&suffixed), folder.join(name)])
        .filter(|file| how.checks.is_file(file).unwrap_or(false))
        .collect();
    let startable = candidates.iter().find(|file| how.checks.executable(file).is_ok());
    startable.or(candidates.first()).cloned()
}

/// A folder: absolute, or in console mode starting from the folder of the configuration file.
pub(super) fn absolute_folder(
    node: Node<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<PathBuf> {
    let named = text(node.clone(), findings)?;
    let folder = Path::new(&named);
    if folder.is_absolute() {
        return Some(folder.to_owned());
    }
    if how.privileged || named.starts_with("~/") {
        node.wrong(format!("must be an absolute path, not `{}`", shown(&named)), findings)
            .hint("write the whole path of the folder; `~` and variables are not expanded");
        return None;
    }
    Some(absolute(source, folder))
}

fn absolute(source: &Source, relative: &Path) -> PathBuf {
    let joined = source.folder().join(relative);
    path::absolute(&joined).unwrap_or(joined)
}
