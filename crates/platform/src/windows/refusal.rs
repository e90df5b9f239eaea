//! What the system's answers to a launch mean.

use std::io;
use std::path::Path;

use windows_sys::Win32::Foundation::{
    ERROR_ACCESS_DENIED, ERROR_ACCESS_DISABLED_BY_POLICY, ERROR_ALLOTTED_SPACE_EXCEEDED,
    ERROR_BAD_EXE_FORMAT, ERROR_BAD_FORMAT, ERROR_BAD_NET_NAME, ERROR_BAD_NETPATH, ERROR_BAD_PATHNAME,
    ERROR_CANT_ACCESS_FILE, ERROR_CLOUD_FILE_PROVIDER_NOT_RUNNING, ERROR_COMMITMENT_LIMIT,
    ERROR_CTX_WINSTATION_ACCESS_DENIED, ERROR_CTX_WINSTATION_NOT_FOUND, ERROR_DIRECTORY,
    ERROR_ELEVATION_REQUIRED, ERROR_EXE_MACHINE_TYPE_MISMATCH, ERROR_FILE_NOT_FOUND,
    ERROR_FILENAME_EXCED_RANGE, ERROR_INVALID_IMAGE_HASH, ERROR_INVALID_NAME, ERROR_INVALID_PARAMETER,
    ERROR_NO_SUCH_LOGON_SESSION, ERROR_NO_SYSTEM_RESOURCES, ERROR_NO_TOKEN, ERROR_NOT_ENOUGH_MEMORY,
    ERROR_NOT_ENOUGH_QUOTA, ERROR_NOT_READY, ERROR_OUTOFMEMORY, ERROR_PATH_NOT_FOUND,
    ERROR_PRIVILEGE_NOT_HELD, ERROR_SHARING_VIOLATION, ERROR_SHUTDOWN_IN_PROGRESS, ERROR_SXS_CANT_GEN_ACTCTX,
    ERROR_SYSTEM_INTEGRITY_POLICY_VIOLATION, ERROR_TOO_MANY_OPEN_FILES, ERROR_VIRUS_DELETED,
    ERROR_VIRUS_INFECTED, ERROR_WORKING_SET_QUOTA, WIN32_ERROR,
};

use crate::LaunchError;
use crate::LaunchErrorKind::{self, Busy, Gone, NotReady, Wrong};

/// A program that the system did not start, classified and with what to do about it.
pub(super) fn launch(program: &Path, source: io::Error) -> LaunchError {
    system("execute", program.display().to_string(), source)
}

/// Any stage of a launch that the system refused, classified and with what to do about it.
pub(super) fn system(stage: &'static str, subject: impl Into<String>, source: io::Error) -> LaunchError {
    let (kind, advice) = meaning(source.raw_os_error().unwrap_or(0).cast_unsigned());
    let error = LaunchError::system(stage, subject, kind, source);
    match advice {
        Some(advice) => error.with_advice(advice),
        None => error,
    }
}

/// A program that is refused before the system is asked, until a person changes something.
pub(super) fn wrong(program: &Path, advice: &str) -> LaunchError {
    LaunchError::refused("execute", program.display().to_string(), Wrong, advice)
}

/// The class of an error code and what to say of it. What is not known may pass: it is tried again, with growing delays.
fn meaning(code: WIN32_ERROR) -> (LaunchErrorKind, Option<&'static str>) {
    let found = MEANINGS.iter().find(|(codes, ..)| codes.contains(&code));
    found.map_or((Busy, None), |(_, kind, advice)| (*kind, Some(*advice)))
}

const MEANINGS: &[(&[WIN32_ERROR], LaunchErrorKind, &str)] = &[
    (&[ERROR_NO_TOKEN], NotReady, "nobody is logged on there yet, or their logon is not complete"),
    (
        &[ERROR_CTX_WINSTATION_NOT_FOUND, ERROR_NO_SUCH_LOGON_SESSION],
        Gone,
        "the session or its logon has ended",
    ),
    (
        &[ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND],
        Wrong,
        "there is no such file; check the path, and that it ends with .exe",
    ),
    (
        &[ERROR_INVALID_NAME, ERROR_BAD_PATHNAME, ERROR_FILENAME_EXCED_RANGE],
        Wrong,
        "its path or its working directory is too long or not one for Windows; use a shorter one",
    ),
    (&[ERROR_ACCESS_DENIED], Wrong, "this user may not execute it; check the file's permissions"),
    (&[ERROR_CANT_ACCESS_FILE], Wrong, "the file cannot be followed to its content; copy it here"),
    (&[ERROR_DIRECTORY], Wrong, "its working directory does not exist; check cwd"),
    (&[ERROR_BAD_FORMAT, ERROR_BAD_EXE_FORMAT], Wrong, "it is not a program for this version of Windows"),
    (&[ERROR_EXE_MACHINE_TYPE_MISMATCH], Wrong, "it is built for another processor"),
    (
        &[ERROR_ELEVATION_REQUIRED],
        Wrong,
        "its manifest demands an administrator, and agents run with their user's ordinary rights; build it with asInvoker, \
         or set elevation = \"linked\"",
    ),
    (
        &[ERROR_ACCESS_DISABLED_BY_POLICY],
        Wrong,
        "a policy of this machine (software restriction or AppLocker) forbids it; have it allowed",
    ),
    (
        &[ERROR_INVALID_IMAGE_HASH, ERROR_SYSTEM_INTEGRITY_POLICY_VIOLATION],
        Wrong,
        "this machine runs only programs with a signature that it trusts; have it signed or allowed",
    ),
    (&[ERROR_VIRUS_INFECTED, ERROR_VIRUS_DELETED], Wrong, "the virus scanner refused it"),
    (
        &[ERROR_SXS_CANT_GEN_ACTCTX],
        Wrong,
        "its manifest names a shared component that is not installed, often a run-time library of its compiler",
    ),
    (
        &[ERROR_PRIVILEGE_NOT_HELD],
        Wrong,
        "this account may not start programs as other users; install the service as LocalSystem",
    ),
    (
        &[ERROR_CTX_WINSTATION_ACCESS_DENIED],
        Wrong,
        "this account may not enter other users' sessions; install the service as LocalSystem",
    ),
    (
        &[ERROR_INVALID_PARAMETER],
        Wrong,
        "the system does not take this program, its arguments or its environment",
    ),
    (&[ERROR_SHARING_VIOLATION], Busy, "somebody is writing the file, perhaps an update"),
    (&[ERROR_NOT_READY], Busy, "its drive is not ready"),
    (&[ERROR_BAD_NETPATH, ERROR_BAD_NET_NAME], Busy, "the machine that it is on cannot be reached"),
    (&[ERROR_CLOUD_FILE_PROVIDER_NOT_RUNNING], Busy, "its content is not on this machine yet"),
    (&[ERROR_SHUTDOWN_IN_PROGRESS], Busy, "the machine is shutting down"),
    (
        &[
            ERROR_NOT_ENOUGH_MEMORY,
            ERROR_OUTOFMEMORY,
            ERROR_NO_SYSTEM_RESOURCES,
            ERROR_COMMITMENT_LIMIT,
            ERROR_WORKING_SET_QUOTA,
            ERROR_NOT_ENOUGH_QUOTA,
            ERROR_ALLOTTED_SPACE_EXCEEDED,
            ERROR_TOO_MANY_OPEN_FILES,
        ],
        Busy,
        "the machine is out of memory or handles for now",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_that_people_meet_has_its_class_and_its_advice() {
        for (code, kind, word) in [
            (1008, NotReady, "logon"),
            (7022, Gone, "ended"),
            (1312, Gone, "ended"),
            (2, Wrong, ".exe"),
            (3, Wrong, ".exe"),
            (5, Wrong, "permissions"),
            (123, Wrong, "shorter"),
            (206, Wrong, "shorter"),
            (193, Wrong, "not a program"),
            (216, Wrong, "processor"),
            (225, Wrong, "virus"),
            (267, Wrong, "cwd"),
            (577, Wrong, "signature"),
            (740, Wrong, "elevation"),
            (1260, Wrong, "policy"),
            (1314, Wrong, "LocalSystem"),
            (4551, Wrong, "signature"),
            (14001, Wrong, "run-time library"),
            (32, Busy, "update"),
            (53, Busy, "reached"),
            (1115, Busy, "shutting down"),
        ]
        .into_iter()
        .chain([4, 8, 14, 1344, 1450, 1453, 1455, 1816].map(|code| (code, Busy, "memory")))
        {
            let error = launch(Path::new(r"C:\a.exe"), io::Error::from_raw_os_error(code));
            assert_eq!(error.kind, kind, "{code}");
            assert_eq!(error.os_error, code);
            assert!(error.to_string().contains(word), "{code}: {error}");
        }
    }

    #[test]
    fn no_code_has_two_meanings() {
        let mut all: Vec<_> = MEANINGS.iter().flat_map(|(codes, ..)| codes.iter()).collect();
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_is_not_known_may_pass() {
        assert_eq!(meaning(0xFFFF), (Busy, None));
    }
}
