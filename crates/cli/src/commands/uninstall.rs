//! `bilayer uninstall`

use std::path::Path;

use bilayer::chain;
use bilayer::manager::{self, InstalledService, ManagerError};
use bilayer_platform::{Dirs, EventLog};

use super::stop;
use crate::failure::Failure;
use crate::installation::{explain, find};
use crate::screen;

pub(super) async fn run(config: Option<&Path>) -> Result<(), Failure> {
    let service = find(config)?;
    let name = &service.name;
    if service.is_packaged {
        // Said before it is stopped.
        return Err(explain(&ManagerError::Packaged { name: name.clone() }, Some(&service.config)));
    }
    if !manager::installed_services().contains(&service) {
        // It is not ours, and then it is not stopped either.
        return Err(explain(&not_ours(name).await, Some(&service.config)));
    }
    stop::stop(&service).await?;
    remove(&service).await
}

/// Removes a service that has stopped, and what the system knew of it.
pub(super) async fn remove(service: &InstalledService) -> Result<(), Failure> {
    let name = &service.name;
    let gone = manager::uninstall(name).await.map_err(|error| explain(&error, Some(&service.config)))?;
    if let Err(error) = EventLog::unregister_source(name) {
        screen::warn(&format!("warning: {}", chain(&error)));
    }
    screen::print(&summary(service, gone))
}

/// Why a service that is not among those installed cannot be removed.
async fn not_ours(name: &str) -> ManagerError {
    let looked_at = async { manager::Services::open().await?.status(name).await };
    match looked_at.await {
        Ok(_) => ManagerError::NotOurs { name: name.to_owned() },
        Err(error) => error,
    }
}

fn summary(service: &InstalledService, gone: bool) -> String {
    let name = &service.name;
    let mut text = match gone {
        true => format!("{name} is removed\n"),
        false => {
            format!("{name} is removed once those who have it open close it, such as the list of services\n")
        }
    };
    let dirs = Dirs::system(name);
    text.push_str(&format!("What stays:\n  configuration  {}\n", service.config.display()));
    for (what, folder) in [("state        ", &dirs.state), ("log          ", &dirs.log)] {
        if folder.exists() {
            text.push_str(&format!("  {what}  {}\n", folder.display()));
        }
    }
    text
}
