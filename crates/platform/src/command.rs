//! What to start, and why it could not be.

use std::path::PathBuf;
use std::{error, fmt, io};

use crate::{Keep, LAUNCH_VARIABLE};

/// A program to start at a [`Station`](crate::Station).
#[derive(Clone, Debug)]
pub struct Command {
    /// The program's file, absolute. No shell and no search path take part.
    pub program: PathBuf,
    /// Its arguments, without the program itself.
    pub args: Vec<String>,
    /// Where it runs; by default its user's home folder.
    pub cwd: Option<PathBuf>,
    /// Added last, over the station's environment.
    pub env: Vec<(String, String)>,
    /// `bilayer-NAME.AGENT`: names the control group or job that it is born in.
    pub name: String,
    /// Accept a program that someone other than root or administrators can write, although this process is privileged.
    pub trust_writable_program: bool,
    /// What the program leaves behind when it ends is left alone.
    pub leave_survivors: bool,
    /// It outlives this program; `None`: it is killed when this program ends, however that ends.
    pub keep: Option<Keep>,
    /// With which of the rights that its user has.
    pub elevation: Elevation,
    /// Where its rights come from.
    pub token: TokenSource,
    /// A console program gets a window that its user sees, and prints there and not to [`Launched`](crate::Launched). Read only where [`CONSOLE_WINDOWS`](crate::CONSOLE_WINDOWS) says so.
    pub console_window: bool,
}

impl Command {
    /// A program without arguments, with everything else at its default: nothing added, nothing trusted, nothing elevated.
    pub fn new(program: impl Into<PathBuf>, name: impl Into<String>) -> Command {
        Command {
            program: program.into(),
            args: Vec::new(),
            cwd: None,
            env: Vec::new(),
            name: name.into(),
            trust_writable_program: false,
            leave_survivors: false,
            elevation: Elevation::default(),
            token: TokenSource::default(),
            console_window: false,
            keep: None,
        }
    }

    /// What tells this launch from every other one; empty where nothing does.
    pub(crate) fn mark(&self) -> &str {
        let variable = self.env.iter().rev().find(|(name, _)| name == LAUNCH_VARIABLE);
        variable.map_or("", |(_, mark)| mark)
    }
}

/// With which rights a program runs where its user has two sets of them: on Windows an administrator's everyday programs have
/// a filtered token, linked to another with all rights. On Linux there is one set, and this is ignored:
/// [`HAS_TOKENS`](crate::HAS_TOKENS) says so beforehand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Elevation {
    /// Those of the user's everyday programs.
    #[default]
    Filtered,
    /// All that the user has; no more than the others for a user who is no administrator. The environment is then made of the
    /// system's variables and the folders of the profile alone, since any of the user's programs can write the others.
    Linked,
}

/// Where the rights of a program come from. On Linux there is one source, and this is ignored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TokenSource {
    /// The token that the operating system gives out for the session.
    #[default]
    Session,
    /// The same, and while it is not to be had, that of the session's shell: `%SystemRoot%\explorer.exe`, if it runs there as the
    /// session's user and is not elevated.
    Shell,
}

/// A launch that did not happen. Nothing of it is left running.
#[derive(Debug)]
pub struct LaunchError {
    /// What was being done, as it follows "cannot": `execute`, `change to the user's groups`, …
    pub stage: &'static str,
    /// What it was done to: a path, a user.
    pub subject: String,
    /// What a caller can make of it.
    pub kind: LaunchErrorKind,
    /// What the operating system answered: `errno` or a Windows error code; 0 where it was not asked.
    pub os_error: i32,
    /// What is wrong with the subject and what to do next, where that is known.
    pub advice: Option<String>,
    source: Option<io::Error>,
}

/// What a caller can make of a failed launch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaunchErrorKind {
    /// The session is not complete yet: again later, while it lives.
    NotReady,
    /// The session or its user is gone: stop trying.
    Gone,
    /// It cannot work until a person changes something.
    Wrong,
    /// The machine lacks something for now: again after a while.
    Busy,
}

impl LaunchError {
    /// A launch that the operating system refused.
    pub(crate) fn system(
        stage: &'static str,
        subject: impl Into<String>,
        kind: LaunchErrorKind,
        source: io::Error,
    ) -> Self {
        let os_error = source.raw_os_error().unwrap_or(0);
        LaunchError { stage, subject: subject.into(), kind, os_error, advice: None, source: Some(source) }
    }

    /// A launch that was refused before the operating system was asked.
    pub(crate) fn refused(
        stage: &'static str,
        subject: impl Into<String>,
        kind: LaunchErrorKind,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        LaunchError { stage, subject: subject.into(), kind, os_error: 0, advice, source: None }
    }

    /// The same with a word on what is wrong and what to do.
    pub(crate) fn with_advice(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }
}

impl fmt::Display for LaunchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {} {}", self.stage, self.subject)?;
        self.advice.iter().try_for_each(|advice| write!(f, ": {advice}"))
    }
}

impl error::Error for LaunchError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}
