//! From what the engine reports, in its own small numbers, to what people call it.

use std::collections::BTreeMap;

use bilayer::Observation;
use bilayer_core::{Action, Event, Exit, InstanceKey, Logon, SpecId};

use super::model::{Fact, What, Who};

/// Remembers what the numbers stand for.
#[derive(Default)]
pub(super) struct Translator {
    agents: BTreeMap<SpecId, String>,
    /// Session and user.
    logons: BTreeMap<Logon, (String, String)>,
}

impl Translator {
    /// What an observation says about an instance, if that is what it is about.
    pub(super) fn read(&mut self, observation: &Observation) -> Option<Fact> {
        let (key, what) = match observation {
            Observation::Event(event) => return self.event(event),
            Observation::Action(Action::AskToStop { instance, reason, .. }) => {
                (*instance, What::AskedToStop { why: reason.to_string() })
            }
            Observation::Action(Action::Terminate(instance, _)) => (*instance, What::Terminated),
            Observation::Action(Action::Kill(instance, _)) => (*instance, What::Killed),
            Observation::Removed(instance) => (*instance, What::Removed),
            Observation::Agent(status) => {
                let who = Who {
                    session: status.session.clone().unwrap_or_default(),
                    agent: status.agent.clone(),
                    user: status.user.name.clone(),
                };
                let what = What::Changed {
                    state: status.state,
                    reason: status.reason.text.clone(),
                    pid: status.pid,
                };
                return Some(Fact { who, what });
            }
            Observation::Action(_) | Observation::Finished => return None,
        };
        Some(Fact { who: self.who(key)?, what })
    }

    fn event(&mut self, event: &Event) -> Option<Fact> {
        let (key, what) = match event {
            Event::Configured { specs, .. } => {
                self.agents = specs.iter().map(|(id, spec)| (*id, spec.name.to_string())).collect();
                return None;
            }
            Event::Sessions(sessions) => {
                for session in sessions {
                    let names = (session.who.session.clone(), session.who.user.clone());
                    self.logons.insert(session.logon, names);
                }
                return None;
            }
            Event::Launched(key, _) => (*key, What::Launched),
            Event::Ready(key, _) => (*key, What::Ready),
            Event::Exited(key, _, exit) => (*key, What::Exited { how: words(*exit) }),
            _ => return None,
        };
        Some(Fact { who: self.who(key)?, what })
    }

    fn who(&self, key: InstanceKey) -> Option<Who> {
        let (session, user) = self.logons.get(&key.logon)?.clone();
        Some(Who { session, agent: self.agents.get(&key.spec)?.clone(), user })
    }
}

fn words(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => bilayer_platform::Exit::Code(code),
        Exit::Signal(signal) => bilayer_platform::Exit::Signal(signal),
        Exit::Unknown => bilayer_platform::Exit::Unknown,
    }
    .to_string()
}
