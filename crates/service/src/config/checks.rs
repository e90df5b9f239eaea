//! What only the operating system can say about a configuration.

use std::cell::Cell;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bilayer_platform::Account;

/// Answers about the machine. The service asks its platform; tests make the answers up.
pub trait Checks {
    /// Who other than root or the administrators could change what is at `path`, by writing to it or to a folder above
    /// it; `None` if nobody could. The text names the path and the account: ``"`/opt/acme` is writable by group `staff`"``.
    ///
    /// # Errors
    ///
    /// The operating system's, if the answer cannot be had.
    fn writable_by_others(&self, path: &Path) -> io::Result<Option<String>>;

    /// Whether there is a regular file at `path`; false for anything else that is there.
    ///
    /// # Errors
    ///
    /// The operating system's, `NotFound` among them.
    fn is_file(&self, path: &Path) -> io::Result<bool> {
        Ok(std::fs::metadata(path)?.is_file())
    }

    /// The folders that a program without a path is looked up in, as in the environment variable `PATH`.
    fn search_path(&self) -> Option<OsString> {
        std::env::var_os("PATH")
    }

    /// Whether `program`, an existing file, could be started. Says nothing about who can write to it.
    ///
    /// # Errors
    ///
    /// Why it could not.
    fn executable(&self, program: &Path) -> Result<(), Refusal>;

    /// Whether its service manager can start a service some time after the boot.
    fn has_delayed_start(&self) -> bool {
        bilayer_platform::HAS_DELAYED_START
    }

    /// Whether programs of the machine have their rights from tokens, of which a user can have several.
    fn has_tokens(&self) -> bool {
        bilayer_platform::HAS_TOKENS
    }

    /// Whether the logon screen of the machine is a session.
    fn has_greeters(&self) -> bool {
        bilayer_platform::HAS_GREETERS
    }

    /// Whether a service can wait for one of this name; whether there is one is another question.
    ///
    /// # Errors
    ///
    /// What would be a name, as a hint.
    fn dependency(&self, name: &str) -> Result<(), Refusal> {
        bilayer_platform::check_dependency(name).map_err(Refusal)
    }

    /// Whether a worker of a service, which itself runs as `runs_as`, can run as `account`; whether there is such an account is
    /// another question.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to follow "account `…`, which".
    fn worker_account(&self, account: &str, service: &str, runs_as: &Account) -> Result<(), Refusal> {
        bilayer_platform::check_worker_account(account, service, runs_as).map_err(Refusal)
    }

    /// How long a shutdown of the machine waits for agents at most, where that is not the service's own setting; `None` also if that
    /// cannot be told.
    fn shutdown_delay(&self) -> Option<Duration> {
        None
    }

    /// Whether the machine knows a user of this name or id; `None` if that cannot be told.
    fn knows_user(&self, _user: &str) -> Option<bool> {
        None
    }

    /// Whether the machine knows a group of this name; `None` if that cannot be told.
    fn knows_group(&self, _group: &str) -> Option<bool> {
        None
    }
}

/// Why something was refused, in a sentence without a full stop.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// The machine that this runs on. Asks no name service: on the service's loop nobody waits for a directory server.
#[derive(Clone, Copy, Debug, Default)]
pub struct Machine;

impl Checks for Machine {
    fn writable_by_others(&self, path: &Path) -> io::Result<Option<String>> {
        bilayer_platform::writable_by_others(path)
    }

    fn executable(&self, program: &Path) -> Result<(), Refusal> {
        bilayer_platform::check_program(program, true)
            .map_err(|error| Refusal(error.advice.clone().unwrap_or_else(|| error.to_string())))
    }
}

/// As [`Machine`], and the name service is asked for users and groups: for a person who has a file checked.
#[derive(Clone, Debug, Default)]
pub struct MachineAndAccounts {
    /// It did not answer once, so it is not asked again.
    silent: Cell<bool>,
}

impl Checks for MachineAndAccounts {
    fn writable_by_others(&self, path: &Path) -> io::Result<Option<String>> {
        Machine.writable_by_others(path)
    }

    fn executable(&self, program: &Path) -> Result<(), Refusal> {
        Machine.executable(program)
    }

    fn shutdown_delay(&self) -> Option<Duration> {
        within_patience(bilayer_platform::shutdown_delay).flatten()
    }

    fn knows_user(&self, user: &str) -> Option<bool> {
        self.answer(user, bilayer_platform::knows_user)
    }

    fn knows_group(&self, group: &str) -> Option<bool> {
        self.answer(group, bilayer_platform::knows_group)
    }
}

impl MachineAndAccounts {
    /// What the name service says, if it is not known to be silent.
    fn answer(&self, name: &str, ask: fn(&str) -> Option<bool>) -> Option<bool> {
        if self.silent.get() {
            return None;
        }
        let name = name.to_owned();
        let answer = within_patience(move || ask(&name));
        self.silent.set(answer.is_none());
        answer.flatten()
    }
}

/// What is answered within two seconds. A directory server that is away must not keep a person waiting for a warning; the thread
/// that still asks ends with the answer or with the program.
fn within_patience<T: Send + 'static>(ask: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || tell.send(ask()));
    told.recv_timeout(Duration::from_secs(2)).ok()
}

/// Believes everything: for looking at a configuration that is meant for another machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unchecked;

impl Checks for Unchecked {
    fn is_file(&self, _path: &Path) -> io::Result<bool> {
        Ok(true)
    }

    fn writable_by_others(&self, _path: &Path) -> io::Result<Option<String>> {
        Ok(None)
    }

    fn has_delayed_start(&self) -> bool {
        true
    }

    fn has_tokens(&self) -> bool {
        true
    }

    fn has_greeters(&self) -> bool {
        true
    }

    fn dependency(&self, _name: &str) -> Result<(), Refusal> {
        Ok(())
    }

    fn worker_account(&self, _account: &str, _service: &str, _runs_as: &Account) -> Result<(), Refusal> {
        Ok(())
    }

    fn executable(&self, _program: &Path) -> Result<(), Refusal> {
        Ok(())
    }
}
