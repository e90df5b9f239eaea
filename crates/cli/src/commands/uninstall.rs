//! `bilayer uninstall`

use std::path::Path;
use std::time::Duration;

use bilayer::chain;
use bilayer::config::{self, Loading, Unchecked};
use bilayer::manager::{self, InstalledService, ManagerError, Removal};
use bilayer_ipc::control::{AgentStatus, Selector};
use bilayer_ipc::method;
use bilayer_platform::{Dirs, EventLog, left_by_hand};

use super::stop;
use crate::client::Client;
use crate::failure::Failure;
use crate::installation::{Progress, explain, find};
use crate::screen::{self, visible};

/// How often a service is asked whether its agents have ended.
const ASK_EVERY: Duration = Duration::from_millis(100);

const GRACE_UNKNOWN: Duration = Duration::from_secs(90);

/// What an agent that is killed at the end of its grace may take to be gone.
const TO_DIE: Duration = Duration::from_secs(10);

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
    let ended = end_agents(&dirs, longest_grace(service) + TO_DIE).await;
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

/// Ends all agents of a service, and waits until they have, but no longer than this: a process that waits in the kernel, for a disk
/// that is away, dies of no signal, and the system's package tool waits for us.
async fn end_agents(dirs: &Dirs, within: Duration) -> Result<(), Failure> {
    let Some(client) = Client::open(dirs).await? else { return Ok(()) };
    let mut asked = false;
    wait_for_end(within, async || {
        let status = client.status().await?;
        if !asked && !status.agents.is_empty() {
            let all = Selector { agent: None, session: None, user: None, all: true };
            let _: Vec<AgentStatus> = client.call(method::AGENTS_STOP, &all).await?;
            asked = true;
        }
        Ok(status.agents.iter().filter_map(living).collect())
    })
    .await
}

/// Asks who lives until nobody does or the time is up.
async fn wait_for_end(
    within: Duration,
    mut ask: impl AsyncFnMut() -> Result<Vec<String>, Failure>,
) -> Result<(), Failure> {
    let (mut progress, mut left) = (Progress::new(), Vec::new());
    let ended = tokio::time::timeout(within, async {
        loop {
            left = ask().await?;
            if left.is_empty() {
                return Ok(());
            }
            progress.show("the agents are asked to leave…");
            tokio::time::sleep(ASK_EVERY).await;
        }
    });
    ended.await.unwrap_or_else(|_| {
        let who = if left.is_empty() { "the service did not answer".to_owned() } else { left.join(", ") };
        let seconds = within.as_secs();
        Err(Failure::failed(format!("after {seconds} s there are still: {who}")))
    })
}

/// An agent that has a process, for people.
fn living(agent: &AgentStatus) -> Option<String> {
    Some(format!("{} of {} (process {})", visible(&agent.agent), visible(&agent.user.name), agent.pid?))
}

/// How long the most patient agent of a service may take to leave, by its configuration as it is now; where that cannot be read, a
/// grace that few have.
fn longest_grace(service: &InstalledService) -> Duration {
    let how = Loading { privileged: true, checks: &Unchecked };
    config::load(&service.config, &how).map_or(GRACE_UNKNOWN, |loaded| loaded.config.longest_grace())
}

/// Removes a service that has stopped, and what the system knew of it.
pub(super) async fn remove(service: &InstalledService) -> Result<(), Failure> {
    let name = &service.name;
    let removal = manager::uninstall(name).await.map_err(|error| explain(&error, Some(&service.config)))?;
    if let Err(error) = EventLog::unregister_source(name) {
        screen::warn(&format!("warning: {}", chain(&error)));
    }
    screen::print(&summary(service, removal))
}

/// Why a service that is not among those installed cannot be removed.
async fn not_ours(name: &str) -> ManagerError {
    let looked_at = async { manager::Services::open().await?.status(name).await };
    match looked_at.await {
        Ok(_) => ManagerError::NotOurs { name: name.to_owned() },
        Err(error) => error,
    }
}

fn summary(service: &InstalledService, removal: Removal) -> String {
    let name = &service.name;
    let mut text = match removal {
        Removal::Gone => format!("{name} is removed\n"),
        Removal::HeldOpen => {
            format!("{name} is removed once those who have it open close it, such as the list of services\n")
        }
        Removal::Packaged => format!(
            "{name} is removed; the service of this name that came with a package is there again, and is started at boot if this \
             one was; `bilayer start` starts it now\n"
        ),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_agent_that_does_not_end_is_named_and_waited_for_no_longer() {
        let wait = wait_for_end(ASK_EVERY * 3, async || Ok(vec!["desk of alice (process 47)".to_owned()]));
        let outcome = tokio::time::timeout(Duration::from_secs(30), wait).await.expect("it is given up");
        let Err(Failure::Said(_, text)) = outcome else { panic!("it is said") };
        assert!(text.contains("desk of alice (process 47)"), "{text}");

        let mut lives = 3;
        let ends = async || {
            lives -= 1;
            Ok(vec![String::new(); lives])
        };
        assert!(wait_for_end(Duration::from_secs(30), ends).await.is_ok());
        assert_eq!(lives, 0);
    }
}
