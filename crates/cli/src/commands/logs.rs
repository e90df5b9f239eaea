//! `bilayer logs`

use std::path::{Path, PathBuf};
use std::time::Duration;

use bilayer::config::{self, Loading, Unchecked};
use bilayer_platform::Dirs;

use crate::args::Logs;
use crate::client::Client;
use crate::failure::{Code, Failure};
use crate::log_file::last_lines;
use crate::screen;

/// How often `-f` looks for new lines.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub(super) async fn run(config: Option<&Path>, logs: &Logs) -> Result<(), Failure> {
    let file = find(config).await?;
    let wanted = |line: &str| logs.agent.as_deref().is_none_or(|agent| is_about(line, agent));
    let failed = |error| Failure::io(format!("cannot read the log {}", file.display()), &error);
    let (lines, mut follower) = last_lines(&file, logs.lines, wanted).map_err(failed)?;
    print(&lines)?;
    if !logs.follow {
        return Ok(());
    }
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let mut lines = Vec::new();
        follower.lines(|line| lines.extend(wanted(&line).then_some(line))).map_err(failed)?;
        print(&lines)?;
    }
}

fn print(lines: &[String]) -> Result<(), Failure> {
    if lines.is_empty() { Ok(()) } else { screen::print(&(lines.join("\n") + "\n")) }
}

/// The log of the service that runs, or, where none does, of the one that ran last with this configuration.
async fn find(config: Option<&Path>) -> Result<PathBuf, Failure> {
    let not_running = match Client::connect(config).await {
        Ok(client) => {
            let service = client.status().await?.service;
            return service.log.map(PathBuf::from).ok_or_else(|| {
                Failure::no_such(format!(
                    "{} writes no log file; its lines go to its standard error",
                    service.name
                ))
            });
        }
        Err(failure @ Failure::Said(Code::NotRunning, _)) => failure,
        Err(other) => return Err(other),
    };
    let Some(config) = config else { return Err(not_running) };
    let loading = Loading { privileged: false, checks: &Unchecked };
    let Ok(loaded) = config::load(config, &loading) else { return Err(not_running) };
    let name = &loaded.config.service.name;
    let folders = match &loaded.config.log.directory {
        Some(folder) => vec![folder.clone()],
        None => vec![Dirs::console(name, config).log, Dirs::system(name).log],
    };
    let files = folders.iter().map(|folder| bilayer::log::file_in(folder, name));
    files.into_iter().find(|file| file.exists()).ok_or(not_running)
}

/// Whether a line of the log names this agent in its fields, which end where the message begins.
fn is_about(line: &str, agent: &str) -> bool {
    let fields = line.split_once(" | ").map_or(line, |(fields, _)| fields);
    fields.split(' ').any(|field| field.strip_prefix("agent=") == Some(agent))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_agent_prints_does_not_pass_for_a_field() {
        assert!(is_about("2026-03-01T12:00:00.000Z INFO  agent=desk session=2 | ready", "desk"));
        assert!(!is_about("2026-03-01T12:00:00.000Z INFO  agent=desktop session=2 | ready", "desk"));
        assert!(!is_about("2026-03-01T12:00:00.000Z INFO  agent=other | I am agent=desk | really", "desk"));
    }
}
