//! Every session of the machine, as systemd-logind tracks them.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::Semaphore;

use super::followed::{Followed, Identity};
use crate::system::confinement;
use crate::system::logind::{Follower, Hints};
use crate::{Error, Hint, SessionInfo};

/// How many users' environments are read at a time: each costs a process for some milliseconds.
const READERS_MAX: usize = 8;
/// After how many enumerations without any event the environments are read again, in case that something set a variable and
/// told nobody. At one every 30 s this is every 10 minutes.
const QUIET_ENUMERATIONS: u32 = 20;

/// The sessions and what is known about each beyond what logind says.
pub(super) struct Machine {
    follower: Follower,
    hints: Hints,
    readers: Arc<Semaphore>,
    followed: HashMap<Identity, Followed>,
    /// logind's objects of the sessions of the last enumeration, also of those that are not followed.
    known: Vec<String>,
    /// Whether logon screens are sessions to list.
    greeters: bool,
    /// A hint was given out since the last enumeration.
    hinted: bool,
    quiet: u32,
}

impl Machine {
    pub(super) async fn open(service: &str) -> Machine {
        confinement::warn();
        let hints = Hints::default();
        let follower = Follower::start(hints.clone(), service).await;
        Machine {
            follower,
            hints,
            readers: Arc::new(Semaphore::new(READERS_MAX)),
            followed: HashMap::new(),
            known: Vec::new(),
            greeters: false,
            hinted: true,
            quiet: 0,
        }
    }

    pub(super) async fn hint(&mut self) -> Hint {
        let hint = self.hints.next().await;
        self.hinted = true;
        hint
    }

    pub(super) fn list_greeters(&mut self, listed: bool) {
        self.greeters = listed;
    }

    pub(super) fn release_shutdown(&self) {
        self.follower.release_shutdown();
    }

    pub(super) async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        let logind = self.follower.logind()?;
        let mut sessions = match logind.sessions(&self.known).await {
            Ok(sessions) => sessions,
            Err(error) => return Err(logind.explain(error).await),
        };
        self.known = sessions.iter().map(|facts| facts.path.clone()).collect();
        // A logon screen that nobody asks for is not even looked at: it is there all the time that nobody is.
        sessions.retain(|facts| facts.is_a_persons() || self.greeters && facts.is_greeter());
        sessions.sort_by(|a, b| a.path.cmp(&b.path));
        let everything_again = self.is_time_to_look_again();

        let mut graphical: HashMap<u32, usize> = HashMap::new();
        for facts in sessions.iter().filter(|facts| facts.is_graphical()) {
            *graphical.entry(facts.uid).or_default() += 1;
        }
        let mut before = std::mem::take(&mut self.followed);
        let mut listed = Vec::with_capacity(sessions.len());
        for facts in sessions {
            let identity = Identity::of(&facts);
            let shares_manager = graphical.get(&facts.uid).is_some_and(|count| *count > 1);
            let followed = match before.remove(&identity).filter(|known| known.is_same_logon()) {
                Some(mut known) => {
                    known.learn(facts, shares_manager, everything_again);
                    known
                }
                None => Followed::begin(facts, shares_manager, &self.hints, &self.readers),
            };
            listed.push(followed.describe());
            self.followed.insert(identity, followed);
        }
        Ok(listed)
    }

    fn is_time_to_look_again(&mut self) -> bool {
        self.quiet = if std::mem::take(&mut self.hinted) { 0 } else { self.quiet + 1 };
        self.quiet >= QUIET_ENUMERATIONS && {
            self.quiet = 0;
            true
        }
    }
}
