//! Whether a program can be trusted.

use std::path::Path;
use std::{fs, io};

use super::refusal;
use crate::{LaunchError, LaunchErrorKind};

/// Makes sure that a program is there, is a file, and is one that can be started without an interpreter.
pub fn check_program(program: &Path, _trust_writable: bool) -> Result<(), LaunchError> {
    let refused = |advice: &str| {
        LaunchError::refused("execute", program.display().to_string(), LaunchErrorKind::Wrong, advice)
    };
    if !program.is_absolute() {
        return Err(refused("it is not an absolute path; name the drive and every folder"));
    }
    // cmd.exe would parse the command line by rules of its own, and an argument could become a command (CVE-2024-24576).
    let batch =
        |extension: &str| extension.eq_ignore_ascii_case("bat") || extension.eq_ignore_ascii_case("cmd");
    if program.extension().and_then(|extension| extension.to_str()).is_some_and(batch) {
        return Err(refused(
            "it is a batch file, whose arguments cannot be passed safely; name the program that it starts",
        ));
    }
    match fs::metadata(program) {
        Ok(found) if found.is_file() => Ok(()),
        Ok(_) => Err(refused("it is not a file")),
        Err(error) => Err(refusal::launch(program, error)),
    }
}

/// Says which path and who, if somebody other than administrators can write the file or a folder above it.
///
/// Nobody is looked for yet: in a console the program runs with the rights of the developer, who could start anything
/// anyway. The service, which would give away its own, checks.
pub fn writable_by_others(_path: &Path) -> io::Result<Option<String>> {
    Ok(None)
}
