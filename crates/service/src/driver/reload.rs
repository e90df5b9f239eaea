//! The configuration, given to the core for the first time and again.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use bilayer_core::{Command, Event, HoldReason, SpecId, State};
use bilayer_ipc::control::{ConfigurationErrors, Reloaded};
use bilayer_ipc::rpc::{RpcError, code};

use super::control::Answer;
use super::news::News;
use super::{Driver, translate};
use crate::builder::Unusable;
use crate::config::Config;
use crate::log::id;
use crate::manager;

impl Driver {
    /// Reads the configuration again, off the loop: the file may lie on a slow disk.
    pub(super) fn read_config(&mut self, answer: Option<Answer>) {
        if std::mem::replace(&mut self.reading, true) {
            // Two at once could end in the wrong order, the older file last.
            match answer {
                Some(answer) => answer.send(Err::<(), _>(RpcError::new(
                    code::NOT_NOW,
                    "the configuration is being read at this moment; try again",
                ))),
                None => self.read_again = true,
            }
            return;
        }
        if let Some(host) = &self.host {
            host.reloading();
        }
        let (loader, news) = (self.loader.clone(), self.news.clone());
        tokio::spawn(async move {
            let read = tokio::task::spawn_blocking(move || loader.load()).await;
            let read = read.unwrap_or_else(|_| Err("reading the configuration failed".into()));
            // A service that ends reads nothing.
            let _ = news.send(News::Reloaded(read.map(Box::new), answer)).await;
        });
    }

    /// Takes the new configuration, or stays with the old one if there is a mistake in it.
    pub(super) fn hear_reloaded(&mut self, read: Result<Box<Config>, Unusable>, answer: Option<Answer>) {
        self.reading = false;
        if std::mem::take(&mut self.read_again) {
            self.read_config(None);
        }
        let outcome = match read {
            Ok(config) if config.service.name == self.config.service.name => {
                let changes = self.configure(*config);
                self.try_again();
                tracing::info!(
                    event = id::RELOADED, changed = ?changes.changed, added = ?changes.added, removed = ?changes.removed,
                    unchanged = changes.unchanged, "configuration reloaded"
                );
                Ok(changes)
            }
            Ok(config) => Err(self.renamed(&config.service.name).into()),
            Err(unusable) => Err(unusable),
        };
        let outcome = outcome.map_err(|Unusable { rendered, lines }| {
            // A line each: a line break within a record is shown escaped.
            for line in lines.lines().filter(|line| !line.trim().is_empty()) {
                tracing::error!(event = id::NOT_RELOADED, "{line}");
            }
            tracing::error!(
                event = id::NOT_RELOADED,
                "the configuration was not reloaded, the old one stays in force"
            );
            RpcError::new(code::NOT_NOW, "the configuration has mistakes, the old one stays in force")
                .with_data(&ConfigurationErrors { rendered })
        });
        if let (Some(host), false) = (&self.host, self.reading) {
            host.running();
        }
        if let Some(answer) = answer {
            self.settle();
            answer.send(outcome);
        }
    }

    /// Why a configuration of another name is not taken, and what to do. An installed service is started by its name, and ends
    /// where its configuration has another one.
    fn renamed(&self, name: &str) -> String {
        let advice = match self.host {
            Some(_) => "set it back, or install a service of the new name with `bilayer install`",
            None => "set it back, or end this service and start it again",
        };
        let was = &self.config.service.name;
        format!(
            "service.name is now {name:?} and was {was:?}, which directories and endpoints are named after; {advice}"
        )
    }

    /// What could not be started as configured is tried again, also where the configuration has not changed: what was in the way
    /// may lie outside of it, a disk that was not mounted or a mode, and whoever reloads asks for all to be looked at again.
    fn try_again(&mut self) {
        let held = State::Held(HoldReason::LaunchFailed);
        let failed = self.core.instances().filter(|(_, instance)| instance.state == held);
        self.pending.extend(failed.map(|(key, _)| Event::Operator(key, Command::Start)));
    }

    /// Makes this configuration the one in force.
    pub(super) fn configure(&mut self, config: Config) -> Reloaded {
        let changes = changes(&self.config, &config);
        (self.agents, self.workers) = (HashMap::new(), HashMap::new());
        let mut specs = Vec::with_capacity(config.agents.len() + config.workers.len());
        for agent in &config.agents {
            let id = self.spec_id(&agent.name);
            specs.push((id, translate::spec(&agent.spec)));
            self.agents.insert(id, agent.clone());
        }
        for worker in &config.workers {
            let id = self.spec_id(&worker.name);
            specs.push((id, translate::spec(&worker.spec)));
            self.workers.insert(id, worker.clone());
        }
        // The log and the endpoints are open; taking other limits for some connections only would help nobody.
        for (section, differs) in
            [("wire", config.wire != self.config.wire), ("log", config.log != self.config.log)]
        {
            if differs {
                tracing::warn!(
                    "[{section}] was changed; that takes effect when the service is started again"
                );
            }
        }
        let kept = |config| manager::installation(config, PathBuf::new(), Vec::new());
        if self.host.is_some() && kept(&config) != kept(&self.config) {
            tracing::warn!(
                "[service] or the grace of an agent was changed in what the service manager keeps; `bilayer install` tells it"
            );
        }
        let greeters = self.agents.values().any(|agent| agent.spec.greeter);
        // Whoever enumerates is told only of a change.
        self.greeters.send_if_modified(|listed| std::mem::replace(listed, greeters) != greeters);
        let on_service_stop = config.service.on_service_stop;
        self.config = config;
        self.pending.push_back(Event::Configured { specs, on_service_stop });
        changes
    }

    /// The number of a name: the same across reloads.
    pub(super) fn spec_id(&mut self, name: &str) -> SpecId {
        let next = SpecId(
            u32::try_from(self.spec_ids.len()).expect("a configuration file holds fewer names than that"),
        );
        *self.spec_ids.entry(name.to_owned()).or_insert(next)
    }
}

/// What is different in a new configuration, by names.
fn changes(old: &Config, new: &Config) -> Reloaded {
    let fingerprints = |config: &Config| -> BTreeMap<String, u64> {
        config.supervised().map(|(name, spec)| (name.to_owned(), spec.fingerprint)).collect()
    };
    let (old, new) = (fingerprints(old), fingerprints(new));
    let mut changes = Reloaded::default();
    for (name, fingerprint) in &new {
        match old.get(name) {
            None => changes.added.push(name.clone()),
            Some(was) if was != fingerprint => changes.changed.push(name.clone()),
            Some(_) => changes.unchanged += 1,
        }
    }
    changes.removed = old.into_keys().filter(|name| !new.contains_key(name)).collect();
    changes
}
