//! `bilayer uninstall`

use std::path::Path;
use std::time::Duration;

use bilayer::chain;
use bilayer::manager::{self, InstalledService, ManagerError};
use bilayer_ipc::control::{AgentStatus, Selector, StatusReport};
use bilayer_ipc::method;
use bilayer_platform::{Dirs, EventLog, left_by_hand};

use super::stop;
use crate::client::Client;
use crate::failure::Failure;
use crate::installation::{Progress, explain, find};
use crate::screen;

/// How often a service is asked whether its agents have ended.
const ASK_EVERY: Duration = Duration::from_millis(100);

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
    stop_for_good(&service).await?;
    remove(&service).await
}

/// Stops a service that is about to be removed, and all its agents: those that outlive it would have nobody to end them.
pub(super) async fn stop_for_good(service: &InstalledService) -> Result<(), Failure> {
    let (name, dirs) = (&service.name, Dirs::system(&service.name));
    let warn = |why: &str| screen::warn(&format!("warning: agents of {name} may live on: {why}"));
    let ended = end_agents(&dirs).await;
    stop::stop(service).await?;
    if let Err(Failure::Said(_, message)) = ended {
        warn(&message);
    }
    // It may have been stopped before, and its agents not. A `bilayer run` of the same name has its own to look after.
    if Client::open(&dirs).await?.is_none()
        && let Err(error) = manager::end_what_outlived(&dirs)
    {
        warn(&error.to_string());
    }
    Ok(())
}

/// Ends all agents of a service, and waits until they have. None of them is longer about it than its grace.
async fn end_agents(dirs: &Dirs) -> Result<(), Failure> {
    let Some(client) = Client::open(dirs).await? else { return Ok(()) };
    let lives = |status: &StatusReport| status.agents.iter().any(|agent| agent.pid.is_some());
    let mut status = client.status().await?;
    if !status.agents.is_empty() {
        let all = Selector { agent: None, session: None, user: None, all: true };
        let _: Vec<AgentStatus> = client.call(method::AGENTS_STOP, &all).await?;
    }
    let mut progress = Progress::new();
    while lives(&status) {
        progress.show("the agents are asked to leave…");
        tokio::time::sleep(ASK_EVERY).await;
        status = client.status().await?;
    }
    Ok(())
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
    for path in left_by_hand(name) {
        text.push_str(&format!("  made by hand   {}\n", path.display()));
    }
    text
}
