//! Why a command did not do what it was asked, and what the shell is told about it.

use std::fmt;
use std::io;
use std::process::ExitCode;

/// A command's way of ending without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to tell a person on standard error, and the exit code that tells a program.
    Said(Code, String),
    /// Whoever read our standard output has left (`bilayer logs | head`). Not worth a word.
    ReaderLeft,
}

/// The exit codes of `bilayer`, part of its interface. 0 is "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// It was tried and did not work.
    Failed = 1,
    /// The command line or the configuration is wrong. clap uses the same number.
    Usage = 2,
    /// No service is running that the command could talk to.
    NotRunning = 3,
    /// No agent, session or file of that name.
    NoSuch = 4,
    /// The service refused, or the operating system did.
    NotPermitted = 5,
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Said(Code::Failed, message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Said(Code::Usage, message.into())
    }

    pub(crate) fn not_running(message: impl Into<String>) -> Self {
        Self::Said(Code::NotRunning, message.into())
    }

    pub(crate) fn no_such(message: impl Into<String>) -> Self {
        Self::Said(Code::NoSuch, message.into())
    }

    pub(crate) fn not_permitted(message: impl Into<String>) -> Self {
        Self::Said(Code::NotPermitted, message.into())
    }

    /// A file operation that failed: `tried` reads like "cannot read the log /var/log/x".
    pub(crate) fn io(tried: impl fmt::Display, error: &io::Error) -> Self {
        let code = match error.kind() {
            io::ErrorKind::PermissionDenied => Code::NotPermitted,
            io::ErrorKind::NotFound => Code::NoSuch,
            _ => Code::Failed,
        };
        Self::Said(code, format!("{tried}: {error}"))
    }

    /// What the shell is told; `None` where nothing failed.
    pub(crate) fn code(&self) -> Option<Code> {
        match self {
            Self::Said(code, _) => Some(*code),
            Self::ReaderLeft => None,
        }
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Said(code, _) => ExitCode::from(*code as u8),
            Self::ReaderLeft => ExitCode::SUCCESS,
        }
    }
}
