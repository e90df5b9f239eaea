//! A home of its own for each test, so that tests find their own services and nobody else's.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up fails")]
#![allow(dead_code, reason = "not every test uses all of it")]

pub(crate) mod service;

use std::fs;
use std::process::{Command, Output};
use std::rc::Rc;

use tempfile::TempDir;

/// A folder that goes when the test ends.
pub(crate) struct Home(Rc<TempDir>);

impl Home {
    pub(crate) fn new(name: &str) -> Self {
        // Its user's alone, as XDG_RUNTIME_DIR has to be.
        Self(Rc::new(tempfile::Builder::new().prefix(&format!("bilayer-{name}-")).tempdir().unwrap()))
    }

    /// The same home for another service.
    pub(crate) fn share(&self) -> Self {
        Self(Rc::clone(&self.0))
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// `bilayer` with these arguments, with nothing of the environment that could lead it elsewhere.
    pub(crate) fn command(&self, line: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bilayer"));
        command.args(line).current_dir(self.0.path());
        command.env_remove("BILAYER_CONFIG").env_remove("NOTIFY_SOCKET").env_remove("XDG_STATE_HOME");
        command.env("HOME", self.0.path()).env("XDG_RUNTIME_DIR", self.0.path());
        command
    }

    pub(crate) fn run(&self, line: &[&str]) -> Output {
        self.command(line).output().unwrap()
    }
}

pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap_or(-1)
}

pub(crate) fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}
