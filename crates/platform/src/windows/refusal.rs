//! What the system's answers to a launch mean.

use std::io;
use std::path::Path;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ACCESS_DISABLED_BY_POLICY, ERROR_BAD_EXE_FORMAT, ERROR_BAD_FORMAT,
    ERROR_BAD_PATHNAME, ERROR_CTX_WINSTATION_NOT_FOUND, ERROR_DIRECTORY, ERROR_ELEVATION_REQUIRED,
    ERROR_EXE_MACHINE_TYPE_MISMATCH, ERROR_FILE_NOT_FOUND, ERROR_FILENAME_EXCED_RANGE, ERROR_INVALID_NAME,
    ERROR_INVALID_PARAMETER, ERROR_NO_SUCH_LOGON_SESSION, ERROR_NO_TOKEN, ERROR_PATH_NOT_FOUND,
    ERROR_VIRUS_INFECTED, WIN32_ERROR,
};

use crate::{LaunchError, LaunchErrorKind};

/// A launch that the system refused, classified and with what to do about it.
pub(super) fn launch(program: &Path, source: io::Error) -> LaunchError {
    let code = source.raw_os_error().unwrap_or(0).cast_unsigned();
    let error = LaunchError::system("execute", program.display().to_string(), kind(code), source);
    match advice(code) {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

/// The class of an error code. What is not known may pass: it is tried again, with growing delays.
fn kind(code: WIN32_ERROR) -> LaunchErrorKind {
    match code {
        ERROR_NO_TOKEN => LaunchErrorKind::NotReady,
        ERROR_CTX_WINSTATION_NOT_FOUND | ERROR_NO_SUCH_LOGON_SESSION => LaunchErrorKind::Gone,
        ERROR_FILE_NOT_FOUND
        | ERROR_PATH_NOT_FOUND
        | ERROR_ACCESS_DENIED
        | ERROR_INVALID_NAME
        | ERROR_BAD_PATHNAME
        | ERROR_FILENAME_EXCED_RANGE
        | ERROR_DIRECTORY
        | ERROR_BAD_FORMAT
        | ERROR_BAD_EXE_FORMAT
        | ERROR_EXE_MACHINE_TYPE_MISMATCH
        | ERROR_ELEVATION_REQUIRED
        | ERROR_ACCESS_DISABLED_BY_POLICY
        | ERROR_VIRUS_INFECTED
        | ERROR_INVALID_PARAMETER => LaunchErrorKind::Wrong,
        _ => LaunchErrorKind::Busy,
    }
}

fn advice(code: WIN32_ERROR) -> Option<&'static str> {
    Some(match code {
        ERROR_FILE_NOT_FOUND | ERROR_PATH_NOT_FOUND => {
            "there is no such file; check the path, and that it ends with .exe"
        }
        ERROR_ACCESS_DENIED => "this user may not execute it; check the file's permissions",
        ERROR_DIRECTORY => "its working directory does not exist; check cwd",
        ERROR_BAD_FORMAT | ERROR_BAD_EXE_FORMAT => "it is not a program for this version of Windows",
        ERROR_EXE_MACHINE_TYPE_MISMATCH => "it is built for another processor",
        ERROR_ELEVATION_REQUIRED => {
            "its manifest demands an administrator; agents run with their user's ordinary rights"
        }
        ERROR_ACCESS_DISABLED_BY_POLICY => "a policy of this machine forbids it",
        ERROR_VIRUS_INFECTED => "the virus scanner refused it",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified() {
        assert_eq!(kind(1008), LaunchErrorKind::NotReady);
        assert_eq!(kind(740), LaunchErrorKind::Wrong);
        assert_eq!(kind(193), LaunchErrorKind::Wrong);
        assert_eq!(kind(1450), LaunchErrorKind::Busy);
        assert_eq!(kind(0xFFFF), LaunchErrorKind::Busy);
    }
}
