//! Which instances or sessions a person means.

use bilayer_core::{InstanceKey, Logon, SpecId};
use bilayer_ipc::control::{Candidate, Candidates, Recipients, Selector};
use bilayer_ipc::rpc::{RpcError, code};

use super::{Driver, translate};

impl Driver {
    /// The instances that a selector names: one, or any number with `all`.
    pub(super) fn select(&self, selector: &Selector) -> Result<Vec<InstanceKey>, RpcError> {
        let named =
            |key: &InstanceKey| selector.agent.as_ref().is_none_or(|name| *name == self.name_of(*key));
        let by_name: Vec<InstanceKey> = self.core.instances().map(|(key, _)| key).filter(named).collect();
        let fits = |key: &InstanceKey| {
            let (session, user) = (selector.session.as_deref(), selector.user.as_deref());
            if key.logon.is_machine() {
                session.is_none() && self.post_fits(*key, user)
            } else {
                self.logon_fits(key.logon, session, user)
            }
        };
        let matching: Vec<InstanceKey> = by_name.iter().copied().filter(fits).collect();
        match matching.len() {
            1 => Ok(matching),
            0 => Err(self.no_such_agent(selector, &by_name)),
            _ if selector.all => Ok(matching),
            count => Err(RpcError::new(
                code::AMBIGUOUS,
                format!("{count} agents match; say which session or user is meant, or say that all are"),
            )
            .with_data(&self.candidates(&matching))),
        }
    }

    /// The sessions that a message is for: one, or any number with `all`.
    pub(super) fn recipients(&self, to: &Recipients) -> Result<Vec<Logon>, RpcError> {
        let live: Vec<Logon> =
            self.seats.iter().filter(|(_, seat)| !seat.gone).map(|(&logon, _)| logon).collect();
        let fits = |logon: &Logon| self.logon_fits(*logon, to.session.as_deref(), to.user.as_deref());
        let matching: Vec<Logon> = live.iter().copied().filter(fits).collect();
        let candidates = |logons: &[Logon]| Candidates {
            candidates: logons.iter().filter_map(|&logon| self.candidate(logon, None)).collect(),
        };
        match matching.len() {
            0 if live.is_empty() => Err(RpcError::new(code::NO_SUCH, "nobody is logged on")),
            0 => Err(RpcError::new(code::NO_SUCH, "there is no such session").with_data(&candidates(&live))),
            1 => Ok(matching),
            _ if to.all => Ok(matching),
            count => Err(RpcError::new(
                code::AMBIGUOUS,
                format!("{count} sessions match; say which session or user is meant, or say that all are"),
            )
            .with_data(&candidates(&matching))),
        }
    }

    fn no_such_agent(&self, selector: &Selector, by_name: &[InstanceKey]) -> RpcError {
        let configured = |id: &SpecId| self.agents.contains_key(id) || self.workers.contains_key(id);
        let known = |name: &String| self.spec_ids.get(name).is_some_and(configured);
        let text = match &selector.agent {
            Some(name) if !known(name) => format!("there is no agent {name:?} in the configuration"),
            Some(name) if by_name.is_empty() => format!("the agent {name:?} serves no session now"),
            Some(name) if self.is_worker(name) => {
                format!("the worker {name:?} is in no session, and runs as another user")
            }
            Some(name) => format!("the agent {name:?} does not serve that session or user"),
            None => "no agent matches".to_owned(),
        };
        let every: Vec<InstanceKey> = self.core.instances().map(|(key, _)| key).collect();
        let near = if by_name.is_empty() { &every } else { by_name };
        RpcError::new(code::NO_SUCH, text).with_data(&self.candidates(near))
    }

    fn logon_fits(&self, logon: Logon, session: Option<&str>, user: Option<&str>) -> bool {
        self.seats.get(&logon).is_some_and(|seat| {
            session.is_none_or(|id| id == seat.info.id)
                && user.is_none_or(|user| user == seat.info.user.name || user == seat.info.user.id)
        })
    }

    /// Whether a worker runs as this user, where one is named.
    fn post_fits(&self, key: InstanceKey, user: Option<&str>) -> bool {
        let Some(user) = user else { return true };
        self.posts.get(&key.spec).is_some_and(|post| user == post.user.name || user == post.user.id)
    }

    fn candidates(&self, keys: &[InstanceKey]) -> Candidates {
        let candidates =
            keys.iter().filter_map(|key| self.candidate_of(*key, Some(self.name_of(*key)))).collect();
        Candidates { candidates }
    }

    fn candidate_of(&self, key: InstanceKey, agent: Option<String>) -> Option<Candidate> {
        if key.logon.is_machine() {
            let user = translate::wire_account(&self.posts.get(&key.spec)?.user);
            return Some(Candidate { agent, session: None, user });
        }
        self.candidate(key.logon, agent)
    }

    fn candidate(&self, logon: Logon, agent: Option<String>) -> Option<Candidate> {
        let info = &self.seats.get(&logon)?.info;
        Some(Candidate { agent, session: Some(info.id.clone()), user: translate::wire_user(info) })
    }
}
