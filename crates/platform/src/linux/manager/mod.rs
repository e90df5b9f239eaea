//! systemd, from the outside: the units that it keeps, and what it is asked for.
//!
//! A service is a unit file in [`files::OWN`] that says in a section of its own that Bilayer made it. What is in it is
//! [`unit`]'s business; systemd is told of it, started and asked over D-Bus, org.freedesktop.systemd1(5).

mod differences;
mod files;
mod install;
mod marker;
mod state;
mod systemd;
mod unit;

use self::systemd::{Systemd, UnitFacts};
pub use self::unit::check_dependency;
use crate::{
    Installation, Installed, InstalledService, ManagerError, ManagerWords, Password, RunState, RunStatus,
    Uninstalled,
};

/// What people are told of this service manager.
pub const MANAGER_WORDS: ManagerWords = ManagerWords {
    system_account: "root",
    with_rights: "as root, for example with sudo",
    show: "systemctl cat {name}.service",
    allow: "`systemctl unmask {name}.service`",
    log: "journalctl -u {name}.service",
    programs: "/usr/local/bin",
};

/// A connection to the service manager.
pub struct Services(Systemd);

impl Services {
    /// Connects. Anybody may; what is done then may need more.
    ///
    /// # Errors
    ///
    /// [`ManagerError::NoManager`] where systemd did not start the machine, [`ManagerError::Unreachable`] where it cannot be
    /// asked.
    pub async fn open() -> Result<Services, ManagerError> {
        if !super::has_session_tracking() {
            return Err(ManagerError::NoManager);
        }
        Systemd::connect().await.map(Services)
    }

    /// Installs a service, or brings one that Bilayer installed up to date. Nobody needs a password here.
    ///
    /// # Errors
    ///
    /// Among others: it is there and not Bilayer's, and then nothing was touched.
    pub async fn install(
        &self,
        what: &Installation,
        _password: Option<&Password>,
    ) -> Result<Installed, ManagerError> {
        install::install(&self.0, what).await
    }

    /// Removes a service that Bilayer installed. One that still runs does so until it is stopped.
    pub async fn uninstall(&self, name: &str) -> Result<Uninstalled, ManagerError> {
        install::uninstall(&self.0, name).await
    }

    /// Asks for a start; it goes on when this returns.
    pub async fn start(&self, name: &str) -> Result<(), ManagerError> {
        const START: &str = "start";
        match self.known(START, name).await?.state().state {
            RunState::Running | RunState::Paused => {
                Err(ManagerError::AlreadyRunning { name: name.to_owned() })
            }
            RunState::Stopped | RunState::Starting | RunState::Stopping | RunState::Retrying => {
                self.0.job(START, "StartUnit", name).await
            }
        }
    }

    /// Asks for a stop; it goes on when this returns.
    pub async fn stop(&self, name: &str) -> Result<(), ManagerError> {
        const STOP: &str = "stop";
        match self.known(STOP, name).await?.state().state {
            RunState::Stopped => Err(ManagerError::NotRunning { name: name.to_owned() }),
            RunState::Running
            | RunState::Paused
            | RunState::Starting
            | RunState::Stopping
            | RunState::Retrying => self.0.job(STOP, "StopUnit", name).await,
        }
    }

    /// Asks for a reload; it goes on when this returns.
    pub async fn reload(&self, name: &str) -> Result<(), ManagerError> {
        const RELOAD: &str = "reload";
        match self.known(RELOAD, name).await?.state().state {
            RunState::Running | RunState::Paused => self.0.job(RELOAD, "ReloadUnit", name).await,
            RunState::Stopped => Err(ManagerError::NotRunning { name: name.to_owned() }),
            RunState::Starting | RunState::Stopping | RunState::Retrying => {
                Err(ManagerError::NotNow { name: name.to_owned() })
            }
        }
    }

    /// What a service does now.
    pub async fn status(&self, name: &str) -> Result<RunStatus, ManagerError> {
        let facts = self.0.facts("look at", name).await?;
        match facts.is_found() {
            true => Ok(facts.state()),
            false => Err(ManagerError::NotInstalled { name: name.to_owned() }),
        }
    }

    /// The facts of a service that Bilayer made and that is not masked: nobody else's is started or stopped.
    async fn known(&self, action: &'static str, name: &str) -> Result<UnitFacts, ManagerError> {
        let facts = self.0.facts(action, name).await?;
        match () {
            () if facts.is_masked() => Err(ManagerError::Disabled { name: name.to_owned() }),
            () if !facts.is_found() => Err(ManagerError::NotInstalled { name: name.to_owned() }),
            () if !files::is_ours(&facts.fragment) => Err(ManagerError::NotOurs { name: name.to_owned() }),
            () => Ok(facts),
        }
    }
}

/// Every service that Bilayer installed, by name.
pub fn installed_services() -> Vec<InstalledService> {
    files::all()
}

/// What people changed of a service by hand, and what a removal of it leaves: drop-ins, and copies of units that were edited.
pub fn left_by_hand(name: &str) -> Vec<std::path::PathBuf> {
    files::by_hand(std::path::Path::new(files::OWN), name)
}

/// The file that the service manager of this system keeps of such a service; `None` where it keeps none. A package puts it
/// where the system has the files of packages.
///
/// # Errors
///
/// Why the installation cannot be written down.
pub fn service_file(what: &Installation) -> Option<std::io::Result<String>> {
    Some(unit::render(what))
}
