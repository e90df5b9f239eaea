//! `bilayer start`

use std::path::Path;

use bilayer::manager::{self, InstalledService, ManagerError, RunState};

use crate::failure::Failure;
use crate::installation::{Mark, Progress, explain, find, state};
use crate::screen;
use crate::target::quoted;

pub(super) async fn run(config: Option<&Path>) -> Result<(), Failure> {
    let service = find(config)?;
    start(&service).await
}

/// Starts a service and waits until it runs.
pub(super) async fn start(service: &InstalledService) -> Result<(), Failure> {
    let name = &service.name;
    let (mut progress, mark) = (Progress::new(), Mark::at_end_of(service));
    let started =
        manager::start(name, |status| progress.show(&format!("{name} is {}…", state(status)))).await;
    drop(progress);
    let status = match started {
        Err(ManagerError::AlreadyRunning { .. }) => return screen::print(&format!("{name} runs already\n")),
        started => started.map_err(|error| explain(&error, Some(&service.config)))?,
    };
    match status.state {
        RunState::Running => {
            screen::print(&format!("{name} runs; `bilayer status -c {}` shows it\n", quoted(&service.config)))
        }
        RunState::Stopped | RunState::Retrying => {
            Err(Failure::failed(format!("{name} was started and is {}{}", state(&status), mark.since())))
        }
        _ => Err(Failure::failed(format!(
            "{name} is still {} and makes no progress{}",
            state(&status),
            mark.since()
        ))),
    }
}
