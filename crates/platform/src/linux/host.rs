//! Life under a service manager: not on this system yet.

use std::convert::Infallible;
use std::time::Duration;

use crate::{HostError, Notice};

/// The service manager that started this program. There is none yet, and so there is no value of this type.
#[derive(Clone, Debug)]
pub struct ServiceHost(Infallible);

impl ServiceHost {
    /// The name that the service manager knows this service by.
    pub fn name(&self) -> &str {
        match self.0 {}
    }

    /// What the manager wants next. Cancel safe.
    pub async fn next(&self) -> Notice {
        match self.0 {}
    }

    /// Tells the manager that the service is up.
    pub fn running(&self) {
        match self.0 {}
    }

    /// Tells the manager that the service stops: so many processes are left, and `left` is the longest it can take.
    pub fn stopping(&self, _remaining: u32, _left: Duration) {
        match self.0 {}
    }
}

/// Runs `body` as the service that the manager started this process for.
///
/// # Errors
///
/// [`HostError::Unsupported`], always.
pub fn run_as_service(_body: impl FnOnce(ServiceHost) -> u8 + Send + 'static) -> Result<u8, HostError> {
    Err(HostError::Unsupported)
}
