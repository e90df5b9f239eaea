//! The rules of the house, as far as a program can check them.
//!
//! A rule sees one file of the repository, as committed or about to be, and names the lines that break it. Rules about code
//! look at it with comments and the content of strings blanked out ([`source`]), so that a text may speak of what code may not do.

mod documents;
mod rules;
mod source;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{program, read};
use crate::root;

/// A file of the repository.
struct File {
    /// Relative to the root, with `/`.
    path: String,
    /// As it is.
    text: String,
    /// For Rust: without comments and the content of strings, with the same lines. Elsewhere empty.
    code: String,
}

impl File {
    fn new(path: &str, text: String) -> Self {
        let code = if path.ends_with(".rs") { source::code_only(&text) } else { String::new() };
        Self { path: path.to_owned(), text, code }
    }

    fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// A file in which everything is a test.
    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.starts_with("e2e/")
    }

    /// Where a foreign interface is met: the platform crate, and the test bed's stand-in for a DLL of the system.
    fn is_foreign(&self) -> bool {
        ["crates/platform/", "e2e/wine/wtsapi32/"].iter().any(|folder| self.path.starts_with(folder))
    }
}

/// What breaks a rule, and where.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    /// Counted from 1; 0 is the file as a whole.
    line: usize,
    says: String,
}

type Rule = fn(&File) -> Vec<Finding>;

pub(crate) fn tidy() -> Result<()> {
    let files = files()?;
    let mut findings = 0;
    for file in &files {
        for rule in rules::ALL.iter().chain(documents::ALL) {
            for Finding { line, says } in rule(file) {
                println!("{}:{line}: {says}", file.path);
                findings += 1;
            }
        }
        hint(file);
    }
    if findings > 0 {
        bail!("{findings} findings in {} files", files.len());
    }
    println!("{} files are tidy", files.len());
    Ok(())
}

/// Not a rule: a file of this length is worth a look.
fn hint(file: &File) {
    let lines = file.text.lines().count();
    if file.is_rust() && (400..=rules::LINES_MAX).contains(&lines) {
        println!("hint: {} has {lines} lines; do two ideas live in it?", file.path);
    }
}

/// Everything that git has or would add, as far as it is text.
fn files() -> Result<Vec<File>> {
    let listed = read(&mut program("git", ["ls-files", "--cached", "--others", "--exclude-standard"]))?;
    let text = |path: &str| -> Option<File> {
        let bytes = std::fs::read(root().join(path)).ok()?;
        Some(File::new(path, String::from_utf8(bytes).ok()?))
    };
    Ok(listed.lines().filter_map(text).collect())
}

/// Where a relative path in a file of the repository leads.
fn beside(path: &str, link: &str) -> PathBuf {
    let folder = Path::new(path).parent().unwrap_or(Path::new(""));
    root().join(folder).join(link)
}
