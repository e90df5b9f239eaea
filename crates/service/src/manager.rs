//! Services as the system's service manager keeps them: installing, starting and stopping one.
//!
//! `bilayer install` and its like are thin shells around this module, and a product with a layer 0 of its own uses it in the same
//! way. Nothing here is decided for longer than a command lasts.

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bilayer_core::OnServiceStop;
use bilayer_platform::Dirs;
pub use bilayer_platform::{
    Account, Installation, Installed, InstalledService, MANAGER_WORDS, ManagerError, ManagerWords, Password,
    RunEnd, RunState, RunStatus, Services, StartType, Uninstalled, installed_services, service_file,
};

use crate::config::Config;
use crate::state::Records;

/// How often the manager is asked while something is waited for.
const ASK_EVERY: Duration = Duration::from_millis(100);

/// How long a service that was deleted may take to go. It stays as long as somebody has it open, an administrator's list of
/// services for example.
const DELETED_WITHIN: Duration = Duration::from_secs(30);

/// How long somebody may keep the list of services locked.
const LOCKED_WITHIN: Duration = Duration::from_secs(30);

/// The installation of the service that a configuration describes: `program` is started with `arguments`, and must then call
/// [`run_as_service`](crate::run_as_service).
pub fn installation(config: &Config, program: PathBuf, arguments: Vec<String>) -> Installation {
    let service = &config.service;
    Installation {
        name: service.name.clone(),
        display_name: service.display_name.clone(),
        description: service.description.clone(),
        program,
        arguments,
        config: config.source.clone(),
        account: service.account.clone(),
        start: service.start,
        dependencies: service.dependencies.clone(),
        preshutdown_timeout: config.preshutdown_timeout(),
        keeps: service.on_service_stop == OnServiceStop::Keep,
    }
}

/// Installs a service, or brings one that Bilayer installed up to date. One of the same name that was deleted and has not gone
/// yet is waited out; `waiting` is called once before that.
///
/// # Errors
///
/// The manager's. A service that Bilayer did not install is not touched.
pub async fn install(
    what: &Installation,
    password: Option<&Password>,
    waiting: impl FnOnce(),
) -> Result<Installed, ManagerError> {
    let manager = Services::open().await?;
    let (until, mut waiting) = (Instant::now() + DELETED_WITHIN, Some(waiting));
    loop {
        match unlocked(async || manager.install(what, password).await).await {
            Err(ManagerError::MarkedForDeletion { .. }) if Instant::now() < until => {
                if let Some(tell) = waiting.take() {
                    tell();
                }
                tokio::time::sleep(ASK_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}

/// Asks the manager, again while somebody has its list locked.
async fn unlocked<T>(mut ask: impl AsyncFnMut() -> Result<T, ManagerError>) -> Result<T, ManagerError> {
    let until = Instant::now() + LOCKED_WITHIN;
    loop {
        match ask().await {
            Err(ManagerError::Locked { .. }) if Instant::now() < until => {
                tokio::time::sleep(ASK_EVERY).await;
            }
            outcome => return outcome,
        }
    }
}

/// Starts a service and follows it until it runs, has ended, or has made no progress for as long as it said it needs.
/// `progress` is called for each change.
///
/// # Errors
///
/// The manager's. A service that was started and ended at once is no error here: the status says so.
pub async fn start(name: &str, progress: impl FnMut(&RunStatus)) -> Result<RunStatus, ManagerError> {
    let manager = Services::open().await?;
    unlocked(async || manager.start(name).await).await?;
    follow(&manager, name, RunState::Starting, progress).await
}

/// Stops a service and follows it until it has stopped, or has made no progress for as long as it said it needs.
///
/// # Errors
///
/// The manager's.
pub async fn stop(name: &str, progress: impl FnMut(&RunStatus)) -> Result<RunStatus, ManagerError> {
    let manager = Services::open().await?;
    match manager.stop(name).await {
        // Somebody else asked before, and it is waited for all the same.
        Err(ManagerError::NotNow { .. }) if manager.status(name).await?.state == RunState::Stopping => {}
        outcome => outcome?,
    }
    follow(&manager, name, RunState::Stopping, progress).await
}

/// What a removal came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The service has gone.
    Gone,
    /// Somebody has it open, and it goes when they close it.
    HeldOpen,
    /// The service of this name that came with a package, and that it had hidden, is in its place.
    Packaged,
}

/// Removes a service that Bilayer installed and that has stopped, and waits until it has gone.
///
/// # Errors
///
/// The manager's. A service that Bilayer did not install is not touched.
pub async fn uninstall(name: &str) -> Result<Removal, ManagerError> {
    let manager = Services::open().await?;
    match unlocked(async || manager.uninstall(name).await).await {
        Ok(Uninstalled::Packaged) => return Ok(Removal::Packaged),
        Ok(Uninstalled::Removed) | Err(ManagerError::MarkedForDeletion { .. }) => {}
        Err(error) => return Err(error),
    }
    let until = Instant::now() + DELETED_WITHIN / 10;
    while Instant::now() < until {
        match manager.status(name).await {
            Err(ManagerError::NotInstalled { .. }) => return Ok(Removal::Gone),
            Ok(_) | Err(_) => tokio::time::sleep(ASK_EVERY).await,
        }
    }
    Ok(Removal::HeldOpen)
}

/// Kills the agents and workers that outlived a service which does not run any more, with what they started, and says how many
/// processes there were. For a removal: no later start will take them over.
///
/// # Errors
///
/// The first of what could not be ended; the others are.
pub fn end_what_outlived(dirs: &Dirs) -> io::Result<usize> {
    let records = Records::of(dirs);
    let (mut killed, mut failed) = (0, None);
    for record in records.read() {
        match record.process.sweep() {
            Ok(count) => {
                killed += count;
                records.forget(&record);
            }
            Err(error) => failed = failed.or(Some(error)),
        }
    }
    failed.map_or(Ok(killed), Err)
}

/// Asks until the service has left the state that passes. It is given up when nothing has changed for longer than its own
/// report allows.
async fn follow(
    manager: &Services,
    name: &str,
    passing: RunState,
    mut progress: impl FnMut(&RunStatus),
) -> Result<RunStatus, ManagerError> {
    /// Also for a service that said nothing of the time it needs: the manager's own limit.
    const PATIENCE_MIN: Duration = Duration::from_secs(30);
    let mut last: Option<(RunStatus, Instant)> = None;
    loop {
        let status = manager.status(name).await?;
        let since = match last {
            Some((known, since)) if known == status => since,
            _ => {
                progress(&status);
                Instant::now()
            }
        };
        last = Some((status, since));
        // A stop is asked for before it is reported: until then the service still says what it did before.
        let passes = match passing {
            RunState::Stopping => status.state != RunState::Stopped,
            _ => status.state == passing,
        };
        if !passes || since.elapsed() > status.wait_hint.max(PATIENCE_MIN) {
            return Ok(status);
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_list_that_is_locked_is_asked_again_and_nothing_else_is() {
        let locked = || ManagerError::Locked { action: "start", name: "acme".to_owned() };
        let mut asked = 0;
        let ask = async || {
            asked += 1;
            if asked < 3 { Err(locked()) } else { Ok("started") }
        };
        assert_eq!(unlocked(ask).await.unwrap(), "started");
        assert_eq!(asked, 3);

        let mut asked = 0;
        let ask = async || -> Result<(), _> {
            asked += 1;
            Err(ManagerError::Disabled { name: "acme".to_owned() })
        };
        assert!(matches!(unlocked(ask).await, Err(ManagerError::Disabled { .. })));
        assert_eq!(asked, 1);
    }
}
