//! What the driver holds for every process that it started.

use std::collections::HashMap;
use std::sync::Arc;

use bilayer_core::{InstanceKey, Logon};
use bilayer_ipc::Secret;
use bilayer_ipc::peer::Peer as WirePeer;
use bilayer_platform::{Peer, Process};

use super::doors::Endpoint;
use super::news::Hello;
use crate::state::{Record, SecretHash, Secrets};

/// One process, from its launch until what it left behind is dealt with.
pub(super) struct Run {
    pub(super) generation: u32,
    pub(super) process: Arc<Process>,
    /// What proves it at its next handshake.
    pub(super) secrets: Secrets,
    /// The connection, once the handshake is over.
    pub(super) wire: Option<Wire>,
    /// Where endpoints belong to a launch: closed with it.
    pub(super) endpoint: Option<Endpoint>,
    /// It outlives this program. Aside, because few do and it is most of what is held.
    pub(super) kept: Option<Box<Kept>>,
}

/// What is written down of a process that outlives this program.
pub(super) struct Kept {
    pub(super) record: Record,
    /// Whether it is written down as it is.
    pub(super) is_saved: bool,
    /// Whether it was said that it cannot come back, since its endpoint cannot be opened.
    pub(super) is_cut_off: bool,
}

/// The connection of a process.
pub(super) struct Wire {
    /// Tells this connection from an earlier one of the same process.
    pub(super) connection: u64,
    pub(super) peer: WirePeer,
}

/// A launch that was not clear at once: its process may be there, and speak, before the loop has heard so.
struct Underway {
    token: SecretHash,
    /// Who shows the token meanwhile. As many as may be connected to the session's endpoint.
    early: Vec<Hello>,
}

/// Every process that is, by instance.
#[derive(Default)]
pub(super) struct Runs {
    running: HashMap<InstanceKey, Run>,
    /// How many of them are workers'.
    workers: usize,
    underway: HashMap<InstanceKey, Underway>,
}

/// Why a secret was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotTaken {
    #[error(
        "no launch in this session has such a secret: it is wrong, was used already, or belongs to an agent that has ended"
    )]
    Unknown,
    #[error("the secret is right, but the process that shows it was not started as this agent or by it")]
    Stranger,
}

impl Runs {
    pub(super) fn insert(&mut self, instance: InstanceKey, run: Run) {
        if self.running.insert(instance, run).is_none() {
            self.workers += usize::from(instance.logon.is_machine());
        }
    }

    /// Expects a process that will show this token.
    pub(super) fn expect(&mut self, instance: InstanceKey, token: SecretHash) {
        self.underway.insert(instance, Underway { token, early: Vec::new() });
    }

    /// The launch is over. Hands out who showed its token before that was known.
    pub(super) fn expected(&mut self, instance: InstanceKey) -> Vec<Hello> {
        self.underway.remove(&instance).map_or_else(Vec::new, |underway| underway.early)
    }

    /// Keeps somebody whose launch is not over until it is; hands back anybody else.
    pub(super) fn defer(&mut self, hello: Hello) -> Option<Hello> {
        let presented = SecretHash::of(&hello.secret);
        let fits = |(key, underway): &(&InstanceKey, &mut Underway)| {
            key.logon == hello.logon && underway.token == presented
        };
        match self.underway.iter_mut().find(fits) {
            Some((_, underway)) => underway.early.push(hello),
            None => return Some(hello),
        }
        None
    }

    /// The process of this launch; none if it is another launch's.
    pub(super) fn of(&mut self, instance: InstanceKey, generation: u32) -> Option<&mut Run> {
        self.running.get_mut(&instance).filter(|run| run.generation == generation)
    }

    /// The process of this instance, whatever its generation.
    pub(super) fn current_mut(&mut self, instance: InstanceKey) -> Option<&mut Run> {
        self.running.get_mut(&instance)
    }

    /// The process of this instance, whatever its generation.
    pub(super) fn current(&self, instance: InstanceKey) -> Option<&Run> {
        self.running.get(&instance)
    }

    /// Forgets the process of this launch and hands it out.
    pub(super) fn take(&mut self, instance: InstanceKey, generation: u32) -> Option<Run> {
        self.of(instance, generation)?;
        self.workers -= usize::from(instance.logon.is_machine());
        self.running.remove(&instance)
    }

    /// Whether there is no process.
    pub(super) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }

    /// How many processes there are.
    pub(super) fn count(&self) -> usize {
        self.running.len()
    }

    /// How many agents and how many workers run or are being started.
    pub(super) fn count_with_underway(&self) -> (usize, usize) {
        let workers = self.underway.keys().filter(|key| key.logon.is_machine()).count();
        let agents = self.underway.len() - workers;
        (self.running.len() - self.workers + agents, self.workers + workers)
    }

    /// Every process with its instance.
    pub(super) fn iter(&self) -> impl Iterator<Item = (InstanceKey, &Run)> {
        self.running.iter().map(|(&instance, run)| (instance, run))
    }

    /// The groups of the user of a logon, as they were when an agent that outlives this program was launched for them.
    pub(super) fn groups_of(&self, logon: Logon) -> Vec<String> {
        let kept = self.running.iter().filter(|(key, _)| key.logon == logon);
        let groups = kept.filter_map(|(_, run)| Some(&run.kept.as_ref()?.record.session.groups));
        groups.max_by_key(|groups| groups.len()).cloned().unwrap_or_default()
    }

    /// The process for which this secret is good, which is exchanged for the one that is given for it. It is good only for a peer
    /// that is the process or was started by it.
    pub(super) fn redeem(
        &mut self,
        logon: Logon,
        secret: &Secret,
        peer: &Peer,
        given: &Secret,
    ) -> Result<(InstanceKey, u32), NotTaken> {
        let presented = SecretHash::of(secret);
        let fits = |run: &Run| run.secrets.fit(&presented);
        let found = self.running.iter_mut().find(|(key, run)| key.logon == logon && fits(run));
        let (&instance, run) = found.ok_or(NotTaken::Unknown)?;
        if !run.process.owns(peer) {
            return Err(NotTaken::Stranger);
        }
        run.secrets.exchange(presented, SecretHash::of(given));
        Ok((instance, run.generation))
    }
}
