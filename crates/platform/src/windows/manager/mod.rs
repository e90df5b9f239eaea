//! The Service Control Manager, from the outside: what it keeps, and what it is asked for.
//!
//! <https://learn.microsoft.com/windows/win32/services/service-control-manager>

mod account;
mod features;
mod handle;
mod install;
mod marker;
mod registry;
mod settings;

use std::io;
use std::time::Duration;

use windows_sys::Win32::Foundation::{
    ERROR_DEPENDENT_SERVICES_RUNNING, ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR,
};
use windows_sys::Win32::System::Services::{
    SC_MANAGER_CONNECT, SERVICE_CONTINUE_PENDING, SERVICE_CONTROL_PARAMCHANGE, SERVICE_CONTROL_STOP,
    SERVICE_PAUSE_CONTINUE, SERVICE_PAUSE_PENDING, SERVICE_PAUSED, SERVICE_QUERY_CONFIG,
    SERVICE_QUERY_STATUS, SERVICE_START, SERVICE_START_PENDING, SERVICE_STATUS_PROCESS, SERVICE_STOP,
    SERVICE_STOP_PENDING, SERVICE_STOPPED,
};

use self::handle::{Database, Service, refused};
use super::host::Limits;
use crate::{
    Installation, Installed, InstalledService, ManagerError, ManagerWords, Password, RunEnd, RunState,
    RunStatus, Uninstalled,
};

/// `ERROR_SERVICE_NEVER_STARTED`: the exit code that a service has before its first life.
const NEVER_STARTED: u32 = 1077;

/// What people are told of this service manager.
pub const MANAGER_WORDS: ManagerWords = ManagerWords {
    system_account: "LocalSystem",
    with_rights: "from an elevated console (\"Run as administrator\")",
    show: "sc.exe qc {name}",
    allow: "`bilayer install`, with the start that its configuration says, or `sc.exe config {name} start= demand`",
    log: "the system's event log",
    programs: r"C:\Program Files\{name}",
};

/// Whether a service can depend on one of this name, whether or not there is one: CreateServiceW, `lpServiceName`.
///
/// # Errors
///
/// What would be a name, for a person.
pub fn check_dependency(name: &str) -> Result<(), String> {
    match name.is_empty() || name.contains(['/', '\\']) || name.encode_utf16().count() > 256 {
        true => Err("the short name, such as `RpcSs`; `sc query` lists them".into()),
        false => Ok(()),
    }
}

/// A connection to the service manager.
pub struct Services(Database);

impl Services {
    /// Connects. Anybody may; what is done then may need more.
    pub async fn open() -> Result<Services, ManagerError> {
        Database::open(SC_MANAGER_CONNECT).map(Services).map_err(refused("look for", "manager"))
    }

    /// Installs a service, or brings one that Bilayer installed up to date.
    ///
    /// # Errors
    ///
    /// Among others: it is there and not Bilayer's, and then nothing was touched; it is marked for deletion, and then
    /// trying again a little later helps.
    pub async fn install(
        &self,
        what: &Installation,
        password: Option<&Password>,
    ) -> Result<Installed, ManagerError> {
        install::install(what, password)
    }

    /// Removes a service that Bilayer installed. One that still runs is only marked: it goes when it has stopped.
    pub async fn uninstall(&self, name: &str) -> Result<Uninstalled, ManagerError> {
        install::uninstall(self, name).map(|()| Uninstalled::Removed)
    }

    /// Asks for a start of a service that Bilayer installed; it goes on when this returns.
    pub async fn start(&self, name: &str) -> Result<(), ManagerError> {
        let failed = refused("start", name);
        let service = self.ours(name, SERVICE_START, &failed)?;
        service.start().map_err(failed)
    }

    /// Asks for a stop of a service that Bilayer installed; it goes on when this returns.
    pub async fn stop(&self, name: &str) -> Result<(), ManagerError> {
        let failed = refused("stop", name);
        let service = self.ours(name, SERVICE_STOP, &failed)?;
        service.control(SERVICE_CONTROL_STOP).map_err(|error| {
            match error.raw_os_error().map(i32::cast_unsigned) {
                Some(ERROR_DEPENDENT_SERVICES_RUNNING) => {
                    let advice = "other services that need it still run; stop them first";
                    ManagerError::Failed {
                        action: "stop",
                        name: name.to_owned(),
                        source: io::Error::other(advice),
                    }
                }
                _ => failed(error),
            }
        })
    }

    /// Asks for a reload (a parameter change) of a service that Bilayer installed; it goes on when this returns.
    pub async fn reload(&self, name: &str) -> Result<(), ManagerError> {
        let failed = refused("reload", name);
        let service = self.ours(name, SERVICE_PAUSE_CONTINUE, &failed)?;
        service.control(SERVICE_CONTROL_PARAMCHANGE).map_err(failed)
    }

    /// What a service does now.
    pub async fn status(&self, name: &str) -> Result<RunStatus, ManagerError> {
        let failed = refused("look at", name);
        let service = self.0.service(name, SERVICE_QUERY_STATUS).map_err(&failed)?;
        service.status().map(|status| run_status(&status)).map_err(failed)
    }

    /// Opens a service for something that is done to it. One of somebody else's is theirs to start and to stop.
    fn ours(
        &self,
        name: &str,
        access: u32,
        failed: &impl Fn(io::Error) -> ManagerError,
    ) -> Result<Service, ManagerError> {
        let service = self.0.service(name, access).map_err(failed)?;
        match marker::read(name) {
            Some(_) => Ok(service),
            None => Err(ManagerError::NotOurs { name: name.to_owned() }),
        }
    }
}

/// Every service that Bilayer installed, by name.
pub fn installed_services() -> Vec<InstalledService> {
    marker::all()
}

/// What people changed of a service by hand, and what a removal of it leaves: nothing.
pub fn left_by_hand(_name: &str) -> Vec<std::path::PathBuf> {
    Vec::new()
}

/// The file that the service manager of this system keeps of such a service: it has a registry instead.
pub fn service_file(_what: &Installation) -> Option<io::Result<String>> {
    None
}

/// How long the system waits for this service when it goes down, from what the manager and the registry say; where they do
/// not, what Windows has by itself.
pub(super) fn time_limits(name: &str) -> Limits {
    let asked = Database::open(SC_MANAGER_CONNECT)
        .and_then(|database| database.service(name, SERVICE_QUERY_CONFIG))
        .and_then(|service| features::preshutdown_timeout(&service));
    let shutdown = registry::Key::local_machine(r"SYSTEM\CurrentControlSet\Control")
        .and_then(|key| key.text("WaitToKillServiceTimeout"))
        .ok()
        .and_then(|text| text.trim().parse().ok());
    Limits {
        preshutdown: asked.unwrap_or(Duration::from_secs(10)),
        shutdown: shutdown.map_or(Duration::from_secs(5), Duration::from_millis),
    }
}

fn run_status(status: &SERVICE_STATUS_PROCESS) -> RunStatus {
    let state = match status.dwCurrentState {
        SERVICE_STOPPED => RunState::Stopped,
        SERVICE_START_PENDING => RunState::Starting,
        SERVICE_STOP_PENDING => RunState::Stopping,
        SERVICE_PAUSED | SERVICE_PAUSE_PENDING | SERVICE_CONTINUE_PENDING => RunState::Paused,
        // Running, and whatever a later system adds.
        _ => RunState::Running,
    };
    let ended = match (state, status.dwWin32ExitCode) {
        (RunState::Stopped, NO_ERROR) => Some(RunEnd::Clean),
        (RunState::Stopped, ERROR_SERVICE_SPECIFIC_ERROR) => {
            Some(RunEnd::Code(status.dwServiceSpecificExitCode))
        }
        (RunState::Stopped, error) if error != NEVER_STARTED => Some(RunEnd::System(error)),
        _ => None,
    };
    RunStatus {
        state,
        pid: (status.dwProcessId != 0).then_some(status.dwProcessId),
        ended,
        checkpoint: status.dwCheckPoint,
        wait_hint: Duration::from_millis(status.dwWaitHint.into()),
    }
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::System::Services::SERVICE_RUNNING;

    use super::*;

    #[test]
    fn ends_in_our_words() {
        let ended = |error, code| {
            let status = SERVICE_STATUS_PROCESS {
                dwCurrentState: SERVICE_STOPPED,
                dwWin32ExitCode: error,
                dwServiceSpecificExitCode: code,
                ..SERVICE_STATUS_PROCESS::default()
            };
            run_status(&status).ended
        };
        assert_eq!(ended(0, 0), Some(RunEnd::Clean));
        assert_eq!(ended(ERROR_SERVICE_SPECIFIC_ERROR, 2), Some(RunEnd::Code(2)));
        assert_eq!(ended(1067, 0), Some(RunEnd::System(1067)));
        assert_eq!(ended(NEVER_STARTED, 0), None);
        let running =
            SERVICE_STATUS_PROCESS { dwCurrentState: SERVICE_RUNNING, dwProcessId: 8, ..Default::default() };
        assert_eq!((run_status(&running).pid, run_status(&running).ended), (Some(8), None));
    }
}
