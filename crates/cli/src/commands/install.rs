//! `bilayer install`

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

use bilayer::chain;
use bilayer::config::Config;
use bilayer::manager::{
    self, Account, Installation, Installed, MANAGER_WORDS, Password, RunState, Services, installed_services,
};
use bilayer_platform::{Dirs, EventLog};

use super::config::{load, rendered};
use super::needed;
use crate::failure::Failure;
use crate::installation::{Progress, explain, of_service};
use crate::screen::{self, Screen};
use crate::target::quoted;

/// Who is asked for the password of an account that has one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Asks {
    /// Whoever gave the command.
    Person,
    /// Nobody is there. A service that is installed keeps the password that it has.
    Nobody,
}

pub(super) async fn run(given: Option<&Path>, asks: Asks, screen: &Screen) -> Result<(), Failure> {
    let file = needed(given)?;
    // By the rules of a privileged service: what it would refuse at its start is refused now.
    let loaded = load(file, true, screen)?;
    if !loaded.warnings.is_empty() {
        screen::warn(&rendered(&loaded.warnings, screen));
    }
    let config = loaded.config;
    let what = installation(&config)?;
    warn_of_own_files(&what);
    let password = match asks {
        _ if !what.account.needs_password() => None,
        Asks::Person => Some(ask_password(&what)?),
        Asks::Nobody if installed_services().iter().any(|known| known.name == what.name) => None,
        Asks::Nobody => {
            return Err(Failure::usage(format!(
                "the account {} has a password, and nobody is there to type it; from an elevated console: bilayer install -c {}",
                what.account,
                quoted(file)
            )));
        }
    };
    let installed = install(&what, password.as_ref(), file).await?;
    Dirs::system(&what.name).ensure().map_err(|error| Failure::failed(chain(&error)))?;
    if let Err(error) = EventLog::register_source(&what.name) {
        screen::warn(&format!("warning: {}; its entries are shown with a complaint", chain(&error)));
    }
    if !installed.warnings.is_empty() {
        let lines = installed.warnings.iter();
        let lines: Vec<_> = lines.map(|what| format!("warning: this system does not take {what}")).collect();
        screen::warn(&lines.join("\n"));
    }
    for note in &installed.notes {
        screen::warn(&format!("note: {}", screen::visible(note)));
    }
    screen::print(&summary(&what, &installed, file, is_running(&what.name).await))
}

/// The service manager will start this very program. Whoever could exchange it would act as the account of the service.
fn installation(config: &Config) -> Result<Installation, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find out where this program is: {error}")))?;
    let writable = bilayer_platform::writable_by_others(&program);
    match writable {
        Ok(None) => {}
        Ok(Some(who)) => {
            return Err(Failure::failed(format!(
                "{who}, and whoever can write this program decides what runs as {}; copy it to a folder such as \
                 {} and install it from there",
                account_name(&config.service.account),
                of_service(MANAGER_WORDS.programs, &config.service.display_name)
            )));
        }
        Err(error) => {
            return Err(Failure::failed(format!(
                "cannot find out who may write {}: {error}",
                program.display()
            )));
        }
    }
    let source = config.source.to_str().ok_or_else(|| {
        Failure::usage(format!("the path {} is not valid Unicode; rename it", config.source.display()))
    })?;
    let arguments = vec!["service".to_owned(), "-c".to_owned(), source.to_owned()];
    Ok(manager::installation(config, program, arguments))
}

/// An administrator's own account is nobody else to this command, and somebody else to the service.
fn warn_of_own_files(what: &Installation) {
    for (path, outcome) in [
        (&what.program, "every program that you start, elevated or not, can replace what the service runs"),
        (&what.config, "the service will refuse it"),
    ] {
        if let Ok(Some(who)) = bilayer_platform::writable_without_elevation(path) {
            let advice = format!("icacls \"{}\" /setowner *S-1-5-32-544", path.display());
            screen::warn(&format!(
                "warning: {who}: {outcome}; move it to a folder of the administrators, or give it to them: {advice}"
            ));
        }
    }
}

async fn install(
    what: &Installation,
    password: Option<&Password>,
    file: &Path,
) -> Result<Installed, Failure> {
    let mut progress = Progress::new();
    let waiting = || progress.show(&format!("{} was deleted and is still held open; waiting…", what.name));
    manager::install(what, password, waiting).await.map_err(|error| explain(&error, Some(file)))
}

/// From the terminal, where it is not shown, or the first line of standard input: never from an argument, which every user of the
/// machine could read.
fn ask_password(what: &Installation) -> Result<Password, Failure> {
    let stdin = std::io::stdin();
    let mut line = String::new();
    let read = if stdin.is_terminal() {
        let mut err = std::io::stderr();
        // Nobody is left to ask if standard error is gone.
        let _ = write!(err, "Password of {}: ", what.account).and_then(|()| err.flush());
        crate::password::read_hidden(&mut line)
    } else {
        stdin.lock().read_line(&mut line).map(|_| ())
    };
    read.map_err(|error| Failure::failed(format!("cannot read the password of {}: {error}", what.account)))?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(Password::new(line))
}

fn account_name(account: &Account) -> String {
    match account {
        Account::LocalSystem => MANAGER_WORDS.system_account.to_owned(),
        other => other.to_string(),
    }
}

async fn is_running(name: &str) -> bool {
    let Ok(manager) = Services::open().await else { return false };
    manager.status(name).await.is_ok_and(|status| status.state == RunState::Running)
}

fn summary(what: &Installation, installed: &Installed, file: &Path, running: bool) -> String {
    let name = &what.name;
    let mut text = match (installed.created, installed.changes.is_empty()) {
        (true, _) => format!("{name} is installed, as {}\n", account_name(&what.account)),
        (false, true) => format!("{name} was installed like this already\n"),
        (false, false) => format!("{name} is brought up to date:\n"),
    };
    for change in &installed.changes {
        text.push_str(&format!("  {}\n", screen::visible(change)));
    }
    let (verb, meaning) =
        if running { ("restart", "for what changed to take effect") } else { ("start", "start it") };
    text.push_str(&format!("Next:\n  bilayer {verb} -c {}   {meaning}\n", quoted(file)));
    text
}
