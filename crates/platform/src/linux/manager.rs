//! The service manager: not on this system yet.

use std::convert::Infallible;

use crate::{Installation, Installed, InstalledService, ManagerError, Password, RunStatus};

/// Whether this build installs services here and runs under the service manager.
pub const HAS_SERVICES: bool = false;

/// A connection to the service manager. There is none yet, and so there is no value of this type.
#[derive(Debug)]
pub struct Services(Infallible);

impl Services {
    /// Connects.
    ///
    /// # Errors
    ///
    /// [`ManagerError::Unsupported`], always.
    pub async fn open() -> Result<Services, ManagerError> {
        Err(ManagerError::Unsupported)
    }

    /// Installs a service, or brings one that Bilayer installed up to date.
    pub async fn install(
        &self,
        _what: &Installation,
        _password: Option<&Password>,
    ) -> Result<Installed, ManagerError> {
        match self.0 {}
    }

    /// Removes a service that Bilayer installed and that does not run.
    pub async fn uninstall(&self, _name: &str) -> Result<(), ManagerError> {
        match self.0 {}
    }

    /// Asks for a start; it goes on when this returns.
    pub async fn start(&self, _name: &str) -> Result<(), ManagerError> {
        match self.0 {}
    }

    /// Asks for a stop; it goes on when this returns.
    pub async fn stop(&self, _name: &str) -> Result<(), ManagerError> {
        match self.0 {}
    }

    /// Asks for a reload; it goes on when this returns.
    pub async fn reload(&self, _name: &str) -> Result<(), ManagerError> {
        match self.0 {}
    }

    /// What a service does now.
    pub async fn status(&self, _name: &str) -> Result<RunStatus, ManagerError> {
        match self.0 {}
    }
}

/// Every service that Bilayer installed, by name.
pub fn installed_services() -> Vec<InstalledService> {
    Vec::new()
}
