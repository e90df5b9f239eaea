//! The text of a configuration file, or a clear word on why there is none.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{Loading, Report};

/// No configuration of a thousand agents is this long; a device or a log given by mistake is.
const BYTES_MAX: u64 = 1 << 20;

/// A file's text and where it came from.
#[derive(Clone, Debug)]
pub(super) struct Source {
    /// The file, absolute.
    pub(super) path: PathBuf,
    /// Its text, without a byte-order mark.
    pub(super) text: String,
}

impl Source {
    /// `text` as if `path` held it.
    pub(super) fn new(path: &Path, text: &str) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        Self { path, text: text.strip_prefix('\u{feff}').unwrap_or(text).to_owned() }
    }

    /// The folder that relative paths of the file start from.
    pub(super) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }
}

/// Reads the file, after its place and permissions were looked at: once nobody else can write to it or to a folder above
/// it, nobody can exchange it between the look and the read.
pub(super) fn read(path: &Path, how: &Loading<'_>) -> Result<Source, Report> {
    let refuse = |message: String, hint: &str| Err(Report::refused(path, message, hint));
    let shown = path.display();
    let found = match fs::metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return refuse(
                format!("there is no configuration file at `{shown}`"),
                "`bilayer config init` writes one to start from; `-c FILE` names another",
            );
        }
        Err(error) => {
            return refuse(
                format!("the configuration file `{shown}` cannot be looked at: {error}"),
                "check that you may read it and enter the folders above it",
            );
        }
    };
    if found.is_dir() {
        return refuse(
            format!("`{shown}` is a folder, not a configuration file"),
            "name the file in it with `-c FILE`",
        );
    }
    if !found.is_file() {
        return refuse(
            format!("`{shown}` is not a regular file"),
            "a configuration is read from a regular file only",
        );
    }
    if found.len() > BYTES_MAX {
        return refuse(
            format!("`{shown}` has {} bytes; a configuration has at most {BYTES_MAX}", found.len()),
            "check that this is the file you meant",
        );
    }
    if how.privileged {
        match how.checks.writable_by_others(path) {
            Ok(None) => {}
            Ok(Some(who)) => {
                return refuse(
                    format!("the configuration file could be changed by somebody else: {who}"),
                    "whoever can write it decides what runs as every user; let only root or the administrators write it \
                     and the folders above it",
                );
            }
            Err(error) => {
                return refuse(
                    format!("who can write to the configuration file `{shown}` cannot be found out: {error}"),
                    "a privileged service reads only a file that nobody else can write",
                );
            }
        }
    }
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) => {
            return refuse(
                format!("the configuration file `{shown}` cannot be read: {error}"),
                "check that you may read it",
            );
        }
    };
    decode(path, bytes)
}

fn decode(path: &Path, bytes: Vec<u8>) -> Result<Source, Report> {
    let shown = path.display();
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(Report::refused(path, format!("`{shown}` is UTF-16 text"), "save it as UTF-8"));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + valid.iter().filter(|&&byte| byte == b'\n').count();
            let message = format!("`{shown}` is not UTF-8 text: line {line} has a byte that is none");
            return Err(Report::refused(path, message, "save it as UTF-8"));
        }
    };
    Ok(Source::new(path, &text))
}
