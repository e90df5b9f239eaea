//! The agents that live, as the kernel and logind show them, and those that should.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::Bed;
use crate::layer0::SOON;
use crate::wait::{throughout, until};

/// A process in the control group of an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Living {
    /// Its name in the configuration.
    pub(crate) agent: String,
    /// logind's id of the session in whose scope it is.
    pub(crate) session: String,
    pub(crate) uid: u32,
    pub(crate) pid: u32,
}

/// What `loginctl show-session` prints, by property.
pub(crate) type Session = BTreeMap<String, String>;

impl Bed {
    /// Every process that lives where agents live, whichever service's they are, in the order of agents and sessions.
    pub(crate) fn agents(&self) -> Result<Vec<Living>> {
        let mut living = Vec::new();
        for entry in fs::read_dir(self.path("/proc"))?.flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let process = self.process(pid);
            let (Ok(cgroup), Ok(uids)) = (process.cgroup(), process.uids()) else { continue };
            let Some((session, agent)) = place(&cgroup) else { continue };
            if !process.is_dead() {
                living.push(Living { agent, session, uid: uids[0], pid });
            }
        }
        living.sort();
        Ok(living)
    }

    /// What `loginctl` says of every session.
    pub(crate) fn loginctl(&self) -> Result<Vec<Session>> {
        let listed = self.run(["loginctl", "list-sessions", "--no-legend"])?;
        let ids: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut show = self.inside(["loginctl", "show-session"]);
        let shown = crate::bed::run(show.args(ids))?;
        let property =
            |line: &str| line.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(shown.split("\n\n").map(|one| one.lines().filter_map(property).collect()).collect())
    }

    /// Waits until exactly those agents live that `is_due` says of a session of `loginctl`, each once and as that session's
    /// user; looks whether it stays so, and returns them.
    pub(crate) fn settled(
        &self,
        when: &str,
        is_due: impl Fn(&Session) -> Vec<&'static str>,
    ) -> Result<Vec<Living>> {
        let due = |session: &Session| -> Result<Vec<(String, String, u32)>> {
            let uid = session.get("User").context("a session has a user")?.parse()?;
            let id = session.get("Id").context("a session has an id")?;
            Ok(is_due(session).into_iter().map(|agent| (agent.to_owned(), id.clone(), uid)).collect())
        };
        let compare = || -> Result<Vec<Living>> {
            let mut expected = Vec::new();
            for session in self.loginctl()? {
                expected.extend(due(&session)?);
            }
            expected.sort();
            let living = self.agents()?;
            let found: Vec<_> =
                living.iter().map(|one| (one.agent.clone(), one.session.clone(), one.uid)).collect();
            ensure!(found == expected, "{found:?} live, and not {expected:?}");
            Ok(living)
        };
        let living = until(&format!("the right agents, {when}"), SOON, || compare().map(Some))?;
        throughout(&format!("the same agents, {when}"), Duration::from_millis(300), || {
            Ok(self.agents()? == living)
        })?;
        Ok(living)
    }
}

/// Session and agent of a control group `…/session-ID.scope/bilayer-SERVICE.AGENT`.
fn place(cgroup: &str) -> Option<(String, String)> {
    let (scope, group) = cgroup.rsplit_once('/')?;
    let (_, agent) = group.strip_prefix("bilayer-")?.split_once('.')?;
    let session = scope.rsplit_once('/')?.1.strip_prefix("session-")?.strip_suffix(".scope")?;
    Some((session.to_owned(), agent.to_owned()))
}
