//! `bilayer stop`

use std::path::Path;

use bilayer::manager::{self, InstalledService, ManagerError, RunState};

use crate::failure::Failure;
use crate::installation::{Mark, Progress, explain, find, keeps, state};
use crate::screen;

pub(super) async fn run(config: Option<&Path>) -> Result<(), Failure> {
    let service = find(config)?;
    let said = match (stop(&service).await?, keeps(&service)) {
        (false, _) => "does not run",
        (true, false) => "has stopped, and its agents with it",
        (true, true) => "has stopped; its agents live on, and its next start takes them over",
    };
    screen::print(&format!("{} {said}\n", service.name))
}

/// Stops a service and waits until it has. Returns whether it ran.
pub(super) async fn stop(service: &InstalledService) -> Result<bool, Failure> {
    let name = &service.name;
    let (mut progress, mark) = (Progress::new(), Mark::at_end_of(service));
    let stopped = manager::stop(name, |_| progress.show(&format!("{name} is stopping…"))).await;
    drop(progress);
    let status = match stopped {
        Err(ManagerError::NotRunning { .. }) => return Ok(false),
        stopped => stopped.map_err(|error| explain(&error, Some(&service.config)))?,
    };
    match status.state {
        RunState::Stopped => Ok(true),
        _ => Err(Failure::failed(format!(
            "{name} is still {} and makes no progress{}",
            state(&status),
            mark.since()
        ))),
    }
}
