//! The system's service manager, from the side of a command: which service is meant, and what to say of it.

use std::collections::VecDeque;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use bilayer::manager::{
    InstalledService, MANAGER_WORDS, ManagerError, RunEnd, RunState, RunStatus, installed_services,
};
use bilayer::{chain, log};
use bilayer_platform::{Dirs, Exit};

use crate::failure::Failure;
use crate::log_file::{Follower, last_lines};
use crate::screen::visible;
use crate::target::{quoted, service_name};

/// Lines of the log that are shown when a start or a stop failed.
const LINES_MAX: usize = 10;

/// The installed service that is meant: the one of the configuration, or the only one.
pub(crate) fn find(config: Option<&Path>) -> Result<InstalledService, Failure> {
    match config {
        Some(file) => {
            let name = service_name(file)?;
            let known = installed_services().into_iter().find(|service| service.name == name);
            // One that is not known may still be there, somebody else's; the manager says which.
            Ok(known.unwrap_or_else(|| InstalledService {
                name,
                config: file.to_owned(),
                is_packaged: false,
            }))
        }
        None => only_one(installed_services()),
    }
}

fn only_one(mut installed: Vec<InstalledService>) -> Result<InstalledService, Failure> {
    match installed.len() {
        0 => Err(Failure::no_such(
            "no service is installed here; install one with `bilayer install -c FILE`, its configuration",
        )),
        1 => Ok(installed.remove(0)),
        count => {
            let line = |service: &InstalledService| {
                format!("\n  -c {}  ({})", quoted(&service.config), visible(&service.name))
            };
            let list: String = installed.iter().map(line).collect();
            Err(Failure::usage(format!(
                "{count} services are installed; say which one with `-c FILE`, its configuration:{list}"
            )))
        }
    }
}

/// What an answer of the service manager means to a person. `config` is the file to name in what to do next.
pub(crate) fn explain(error: &ManagerError, config: Option<&Path>) -> Failure {
    let file = config.map_or_else(|| "FILE".to_owned(), quoted);
    match error {
        ManagerError::NoManager => Failure::failed(format!(
            "{error}; `bilayer run -c {file}` runs in the foreground, and whatever starts services here can start that"
        )),
        ManagerError::Unreachable { .. } => Failure::failed(format!(
            "{}; is the system's message bus running? `bilayer run -c {file}` runs in the foreground without",
            chain(error)
        )),
        ManagerError::Packaged { .. } => Failure::failed(format!(
            "{error}; `bilayer stop -c {file}` stops it, and removing the package removes it"
        )),
        ManagerError::PackagedOther { .. } => Failure::failed(format!(
            "{error}; choose another `name` in [service] of {file}, for a service beside that one"
        )),
        ManagerError::NotPermitted { action, .. } => Failure::not_permitted(format!(
            "{error}; {}: bilayer {} -c {file}",
            MANAGER_WORDS.with_rights,
            if *action == "look at" { "status" } else { action }
        )),
        ManagerError::NotInstalled { .. } => {
            Failure::no_such(format!("{error}; install it with `bilayer install -c {file}`"))
        }
        ManagerError::NotOurs { name } => Failure::failed(format!(
            "{error}; choose another `name` in [service], or remove that service first (`{}` shows whose it is)",
            of_service(MANAGER_WORDS.show, name)
        )),
        ManagerError::MarkedForDeletion { .. } => Failure::failed(format!(
            "{error} and is still held open; close the list of services, the event viewer and the like, or restart the machine, \
             and try again"
        )),
        ManagerError::Locked { .. } => Failure::failed(format!(
            "{error}; the machine is still starting, or an installer is at work: try again when it is done (`sc.exe querylock` says \
             who it is)"
        )),
        ManagerError::AlreadyRunning { .. } => {
            Failure::failed(format!("{error}; `bilayer restart -c {file}` starts it anew"))
        }
        ManagerError::NotRunning { .. } => {
            Failure::not_running(format!("{error}; start it with `bilayer start -c {file}`"))
        }
        ManagerError::Disabled { name } => {
            Failure::failed(format!("{error}; {} allows it again", of_service(MANAGER_WORDS.allow, name)))
        }
        ManagerError::NotNow { .. } => {
            Failure::failed(format!("{error}; try again, `bilayer status -c {file}` shows when"))
        }
        ManagerError::NoAnswer { .. } => Failure::failed(format!(
            "{error}: the program that it is installed with did not become a service; `bilayer install -c {file}` writes its path \
             anew, and {} has what went wrong",
            MANAGER_WORDS.log
        )),
        ManagerError::DisplayNameTaken { .. } => {
            Failure::failed(format!("{error}; choose another `display_name` in [service]"))
        }
        ManagerError::Account { .. } => Failure::failed(format!(
            "{}; check `account` in [service] and the password, and install it again",
            chain(error)
        )),
        other => Failure::failed(chain(other)),
    }
}

/// Words of the service manager about this service.
pub(crate) fn of_service(words: &str, name: &str) -> String {
    words.replace("{name}", name)
}

/// What a service does, in two words or a few more.
pub(crate) fn state(status: &RunStatus) -> String {
    let stopped = match status.state {
        RunState::Retrying => "about to be started again",
        _ => "stopped",
    };
    match (status.state, status.ended) {
        (RunState::Running, _) => "running".to_owned(),
        (RunState::Starting, _) => "starting".to_owned(),
        (RunState::Stopping, _) => "stopping".to_owned(),
        (RunState::Paused, _) => "paused".to_owned(),
        (RunState::Stopped | RunState::Retrying, end) => match end {
            None | Some(RunEnd::Clean) => stopped.to_owned(),
            Some(RunEnd::Code(code)) => format!("{stopped}, with exit code {code}{}", meaning(code)),
            Some(RunEnd::Signal(number)) => format!("{stopped}, {}", Exit::Signal(number)),
            Some(RunEnd::Hung) => format!("{stopped}, since it hung"),
            Some(RunEnd::TimedOut) => format!("{stopped}, since it took too long"),
            Some(RunEnd::System(error)) => {
                let text = std::io::Error::from_raw_os_error(error.cast_signed());
                format!("{stopped}: {text}")
            }
        },
    }
}

/// The exit codes with which systemd itself ends what it cannot execute: systemd.exec(5), "Process Exit Codes". A service of
/// Bilayer has none of them.
fn meaning(code: u32) -> &'static str {
    match code {
        200..=202 | 204..=245 => " (the service manager could not prepare its process)",
        203 => " (its program could not be executed)",
        _ => "",
    }
}

/// Where the log of an installed service is, as far as its configuration can be read.
pub(crate) fn log_of(service: &InstalledService) -> PathBuf {
    let own = Dirs::system(&service.name).log;
    let table = configuration_of(service);
    let directory = table.get("log").and_then(|log| log.get("directory")).and_then(toml::Value::as_str);
    log::file_in(directory.map_or(&own, Path::new), &service.name)
}

/// Whether the agents of an installed service outlive it, as far as its configuration can be read.
pub(crate) fn keeps(service: &InstalledService) -> bool {
    let table = configuration_of(service);
    let keep = table.get("service").and_then(|service| service.get("on_service_stop"));
    keep.and_then(toml::Value::as_str) == Some("keep")
}

/// Its file as it is: also one with mistakes is read for what is said here.
fn configuration_of(service: &InstalledService) -> toml::Table {
    let text = std::fs::read_to_string(&service.config).unwrap_or_default();
    text.parse().unwrap_or_default()
}

/// A place in the log of a service, from which on something is looked for in it.
pub(crate) struct Mark {
    path: PathBuf,
    /// `None` if there is no log yet, or none that this user may read.
    follower: Option<Follower>,
}

impl Mark {
    /// The end of the log as it is now.
    pub(crate) fn at_end_of(service: &InstalledService) -> Self {
        let path = log_of(service);
        let follower = last_lines(&path, 0, |_| true).ok().map(|(_, follower)| follower);
        Self { path, follower }
    }

    /// What has been logged since, the last lines of it and indented; or where the log is, if it does not say.
    pub(crate) fn since(mut self) -> String {
        let mut lines = VecDeque::new();
        let keep = |line| {
            lines.push_back(line);
            if lines.len() > LINES_MAX {
                lines.pop_front();
            }
        };
        let read = match &mut self.follower {
            Some(follower) => follower.lines(keep),
            None => last_lines(&self.path, LINES_MAX, |_| true).map(|(all, _)| lines.extend(all)),
        };
        if read.is_err() || lines.is_empty() {
            return format!("; its log is {}", self.path.display());
        }
        let lines: String = lines.iter().map(|line| format!("\n  {}", visible(line))).collect();
        format!("; its log, {}, says:{lines}", self.path.display())
    }
}

/// One line on a terminal that says what is being waited for, written over until it is dropped.
pub(crate) struct Progress {
    terminal: bool,
    shown: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), shown: false }
    }

    /// Shows this in place of what was shown before.
    pub(crate) fn show(&mut self, text: &str) {
        if self.terminal {
            // Nobody is left to tell if standard error is gone.
            let _ = write!(std::io::stderr(), "\r\x1b[K{}", visible(text));
            self.shown = true;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::failure::Code;

    fn service(name: &str) -> InstalledService {
        InstalledService {
            name: name.to_owned(),
            config: format!("/etc/{name}/{name} x.toml").into(),
            is_packaged: false,
        }
    }

    fn said(failure: Failure) -> (Code, String) {
        match failure {
            Failure::Said(code, text) => (code, text),
            Failure::ReaderLeft => panic!("it is said"),
        }
    }

    #[test]
    fn the_only_one_is_meant_and_of_several_the_list_can_be_typed() {
        assert_eq!(only_one(vec![service("acme")]).unwrap(), service("acme"));
        assert_eq!(said(only_one(Vec::new()).unwrap_err()).0, Code::NoSuch);
        let (code, text) = said(only_one(vec![service("acme"), service("beta")]).unwrap_err());
        assert_eq!(code, Code::Usage);
        assert!(text.contains("\n  -c \"/etc/beta/beta x.toml\"  (beta)"), "{text}");
    }

    #[test]
    fn refusals_say_what_to_do_and_tell_the_shell() {
        let name = || "acme".to_owned();
        let file = Path::new("acme.toml");
        let explained = |error| said(explain(&error, Some(file)));
        let (code, text) = explained(ManagerError::NotPermitted { action: "install", name: name() });
        assert_eq!(code, Code::NotPermitted);
        assert!(
            text.ends_with(&format!("{}: bilayer install -c acme.toml", MANAGER_WORDS.with_rights)),
            "{text}"
        );
        assert_eq!(explained(ManagerError::NotInstalled { name: name() }).0, Code::NoSuch);
        assert_eq!(explained(ManagerError::NotRunning { name: name() }).0, Code::NotRunning);
        for error in [
            ManagerError::NotOurs { name: name() },
            ManagerError::MarkedForDeletion { name: name() },
            ManagerError::Locked { action: "start", name: name() },
            ManagerError::Disabled { name: name() },
            ManagerError::NoAnswer { name: name() },
        ] {
            let short = error.to_string();
            let (code, text) = explained(error);
            assert_eq!(code, Code::Failed);
            assert!(text.starts_with(&short) && text.len() > short.len() + 20, "{text}");
        }
    }

    #[test]
    fn states_in_words() {
        let status =
            |state, ended| RunStatus { state, pid: None, ended, checkpoint: 0, wait_hint: Duration::ZERO };
        assert_eq!(state(&status(RunState::Running, None)), "running");
        assert_eq!(state(&status(RunState::Stopped, Some(RunEnd::Clean))), "stopped");
        assert_eq!(state(&status(RunState::Stopped, Some(RunEnd::Code(2)))), "stopped, with exit code 2");
    }
}
