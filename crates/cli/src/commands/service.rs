//! `bilayer service`, which the system's service manager runs and nobody else

use std::path::Path;

use bilayer::{HostError, chain};

use super::needed;
use crate::failure::{Code, Failure};
use crate::target::quoted;

pub(super) fn run(given: Option<&Path>) -> Result<(), Failure> {
    let file = needed(given)?;
    match bilayer::run_as_service(file, |builder| builder) {
        Ok(0) => Ok(()),
        // One service manager has it from the status that it was told, and another from the process.
        Ok(code) => Err(Failure::Said(
            if code == Code::Usage as u8 { Code::Usage } else { Code::Failed },
            format!("the service ended with exit code {code}; its log says why"),
        )),
        Err(HostError::NotStartedByManager) => Err(Failure::usage(format!(
            "`bilayer service` is what the service manager of the system runs, and it did not start this one; in a console: \
             `bilayer run -c {0}`, or as a service: `bilayer install -c {0}` and `bilayer start -c {0}`",
            quoted(file)
        ))),
        Err(error) => Err(Failure::failed(chain(&error))),
    }
}
