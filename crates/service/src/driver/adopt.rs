//! Agents that outlived an earlier life of the service: written down while they run, found again at the start.
//!
//! A launch is written down before its process is there, and again with the process once it is; so whenever this program dies,
//! the next one knows where to look. It takes over what it finds to be the very process, and ends whatever else lives where
//! its agents live, before it launches anything: there may be an agent too few for a moment, and never one too many.

use std::collections::HashSet;
use std::sync::Arc;

use bilayer_core::{Event, InstanceKey, Logon, OnServiceStop, Survivors};
use bilayer_platform::{ENDPOINT_PER, EndpointPer, Outputs, Process, ProcessRecord, User};

use super::runs::{Kept, Run};
use super::watch::{self, Prints};
use super::workers::Post;
use super::{Driver, Note};
use crate::output::Origin;
use crate::state::Record;

/// Where kept agents print to, below the state folder.
const OUTPUT: &str = "output";

impl Driver {
    /// Takes over what an earlier life left running, and ends what cannot be taken over. Before the first sessions are told.
    pub(super) fn adopt(&mut self) {
        let mut told = HashSet::new();
        for record in self.records.read() {
            told.insert(record.label.clone());
            match record.process.adopt() {
                Ok(Some(process)) => self.take_over(record, process),
                Ok(None) => self.clear_away(&record),
                Err(error) => {
                    let (agent, session) = (&record.agent, &record.session.id);
                    tracing::warn!(%agent, %session, "cannot find out whether an earlier start's process lives: {error}; it is ended");
                    self.clear_away(&record);
                }
            }
        }
        let has_files = self.dirs.state.join(OUTPUT).is_dir();
        if has_files && let Some(outputs) = self.outputs() {
            for label in outputs.labels().into_iter().filter(|label| !told.contains(label)) {
                let origin = origin_of(&label);
                tokio::spawn(watch::read_rest(outputs.clone(), label, origin));
            }
        }
    }

    fn take_over(&mut self, record: Record, process: Process) {
        let session = &record.session;
        let spec = self.spec_id(&record.agent);
        let logon = if session.is_machine() {
            let user = User { name: session.user.clone(), id: session.user_id.clone() };
            self.posts.insert(spec, Post::of(user));
            Logon::MACHINE
        } else {
            self.logons.intern(&session.id, &session.logon, &session.user_id)
        };
        let instance = InstanceKey { logon, spec };
        let generation = record.generation;
        let origin = Origin {
            agent: record.agent.clone(),
            session: session.id.clone(),
            user: session.user.clone(),
            pid: process.pid(),
        };
        let Origin { agent, session, user, pid } = &origin;
        tracing::info!(%agent, %session, %user, pid, generation, "taken over from an earlier start of the service");
        let prints = match self.outputs().map(|outputs| (outputs.resume(&record.label), outputs)) {
            Some((Ok(Some((stdout, stderr))), outputs)) => {
                let ends = [stdout.end(), stderr.end()];
                Some(Prints { stdout, stderr, ends, files: Some((outputs, record.label.clone())) })
            }
            Some((Err(error), _)) => {
                tracing::warn!(%agent, %session, "cannot read what it prints: {error}");
                None
            }
            Some((Ok(None), _)) | None => None,
        };
        let process = Arc::new(process);
        let watched = Arc::clone(&process);
        tokio::spawn(watch::watch(instance, generation, watched, prints, origin, self.news.clone()));
        self.notes.insert(instance, Note { since: record.since(), ..Note::default() });
        let fingerprint = record.fingerprint;
        let run = Run {
            generation,
            process,
            secrets: record.secrets.clone(),
            wire: None,
            endpoint: None,
            kept: Some(Box::new(Kept { record, is_saved: true, is_cut_off: false })),
        };
        self.runs.insert(instance, run);
        self.pending.push_back(Event::Adopted { instance, generation, fingerprint });
    }

    /// Ends what is left of an agent that is not there any more, or not as it was.
    fn clear_away(&mut self, record: &Record) {
        let (agent, session) = (&record.agent, &record.session.id);
        // What was about to be started, perhaps was, and is no survivor of anything.
        let leaves = record.process.root.is_some() && self.leaves_survivors(agent);
        let outcome = end_leftover(&record.process, leaves);
        match outcome {
            Ok(0) => tracing::info!(%agent, %session, "ended while the service was away"),
            Ok(left) => {
                tracing::info!(%agent, %session, "ended while the service was away; killed {left} processes that were left");
            }
            Err(error) => {
                tracing::warn!(%agent, %session, "cannot end what an earlier start left: {error}");
            }
        }
        self.records.forget(record);
        if let Some(outputs) = self.outputs() {
            let session = &record.session;
            let origin = Origin {
                agent: record.agent.clone(),
                session: session.id.clone(),
                user: session.user.clone(),
                pid: record.process.root.map_or(0, |root| root.pid),
            };
            tokio::spawn(watch::read_rest(outputs, record.label.clone(), origin));
        }
    }

    /// A session was found: what is known of earlier lives is put right in it.
    pub(super) fn settle_in(&mut self, logon: Logon) {
        let Some(seat) = self.seats.get(&logon) else { return };
        let (station, session, tag) = (seat.info.station.clone(), seat.info.id.clone(), seat.tag.clone());
        for (rest, left) in station.leftovers(&self.group_of("")) {
            let mut parts = rest.split('.');
            let agent = parts.next().unwrap_or_default();
            let of_another_session = parts.next().is_some_and(|other| other != tag);
            // In a console workers live where agents do.
            if of_another_session || self.is_worker(agent) || self.is_kept(&left) {
                continue;
            }
            // Where agents are kept, one of which nothing is written down may be among them.
            let leaves = !self.keeps() && self.leaves_survivors(agent);
            end_and_say(&left, leaves, agent, &session);
        }
    }

    /// Whether this is what is known of an agent that was taken over.
    pub(super) fn is_kept(&self, left: &ProcessRecord) -> bool {
        let kept = self.runs.iter().filter_map(|(_, run)| run.kept.as_ref());
        let mut known = kept.map(|kept| &kept.record.process);
        known.any(
            |known| if left.group.is_some() { known.group == left.group } else { known.mark == left.mark },
        )
    }

    /// Listens where the agents that were taken over will look for the service, as soon as their sessions are known. What cannot
    /// be opened now is tried again with the next enumeration.
    pub(super) fn listen_again(&mut self) {
        let shared = |key: &InstanceKey| {
            let seat = self.seats.get(&key.logon).filter(|seat| !seat.gone).map(|seat| &seat.endpoint);
            let post =
                self.posts.get(&key.spec).filter(|post| post.station.is_some()).map(|post| &post.endpoint);
            if key.logon.is_machine() { post } else { seat }
        };
        let is_open = |key: &InstanceKey, run: &Run| match (ENDPOINT_PER, shared(key)) {
            (EndpointPer::Session, Some(endpoint)) => endpoint.is_some(),
            (EndpointPer::Launch, Some(_)) => run.endpoint.is_some(),
            // There is no session to come back from, or the account is not known yet.
            (EndpointPer::Session | EndpointPer::Launch, None) => true,
        };
        let kept = self.runs.iter().filter_map(|(key, run)| Some((key, run, run.kept.as_ref()?)));
        let closed = kept.filter(|(key, run, _)| !is_open(key, run));
        let closed: Vec<_> =
            closed.map(|(key, _, kept)| (key, kept.record.endpoint.clone(), kept.is_cut_off)).collect();
        for (instance, address, is_cut_off) in closed {
            let opened = match (ENDPOINT_PER, address) {
                (EndpointPer::Session, _) => self.door_of(instance).map(|_| None),
                (EndpointPer::Launch, Some(address)) => self.door_at(instance, &address).map(Some),
                (EndpointPer::Launch, None) => continue,
            };
            if let Err(error) = &opened
                && !is_cut_off
            {
                let (agent, session) = (self.name_of(instance), self.session_of(instance));
                tracing::warn!(%agent, %session, "the agent cannot connect again yet: {}", crate::chain(error));
            }
            let Some(run) = self.runs.current_mut(instance) else { continue };
            if let Some(kept) = &mut run.kept {
                kept.is_cut_off = opened.is_err();
            }
            run.endpoint = opened.ok().flatten();
        }
    }

    /// Writes an agent down as it is now. What cannot be written now is tried again with the next enumeration.
    pub(super) fn write_down(&mut self, instance: InstanceKey) {
        let Some(run) = self.runs.current_mut(instance) else { return };
        let Some(kept) = &mut run.kept else { return };
        kept.record.secrets = run.secrets.clone();
        let was_saved = std::mem::replace(&mut kept.is_saved, true);
        if let Err(error) = self.records.save(&kept.record) {
            kept.is_saved = false;
            let record = &kept.record;
            if was_saved {
                let (agent, session) = (&record.agent, &record.session.id);
                tracing::warn!(
                    %agent, %session,
                    "cannot write down an agent that is to outlive the service: {error}; it runs all the same, and is ended \
                     instead of taken over should the service die before this works"
                );
            }
        }
    }

    /// Tries again to write down what could not be.
    pub(super) fn write_down_the_rest(&mut self) {
        let unsaved = |run: &Run| run.kept.as_ref().is_some_and(|kept| !kept.is_saved);
        let unsaved: Vec<InstanceKey> =
            self.runs.iter().filter(|(_, run)| unsaved(run)).map(|(key, _)| key).collect();
        for instance in unsaved {
            self.write_down(instance);
        }
    }

    /// Where kept agents print to; `None`, after it was said once, if that cannot be had.
    pub(super) fn outputs(&mut self) -> Option<Outputs> {
        if self.outputs.is_none() {
            match Outputs::open(&self.dirs.state.join(OUTPUT)) {
                Ok(outputs) => {
                    self.outputs = Some(outputs);
                    self.said_no_outputs = false;
                }
                Err(error) if !std::mem::replace(&mut self.said_no_outputs, true) => tracing::warn!(
                    "cannot have files for what agents print: {}; agents that are started until there are some end with the \
                     service, as if on_service_stop were \"stop\"",
                    crate::chain(&error)
                ),
                Err(_) => {}
            }
        }
        self.outputs.clone()
    }

    /// Whether agents that are launched now outlive the service.
    pub(super) fn keeps(&self) -> bool {
        self.config.service.on_service_stop == OnServiceStop::Keep
    }

    /// The name of the control group or job of an agent: no agent of another installation or run has it.
    pub(super) fn group_of(&self, agent: &str) -> String {
        // Neither name can have a dot.
        format!("bilayer-{}.{agent}", self.installation)
    }

    pub(super) fn leaves_survivors(&self, agent: &str) -> bool {
        let named = self.config.supervised().find(|(name, _)| *name == agent);
        named.is_some_and(|(_, spec)| spec.survivors == Survivors::Leave)
    }
}

/// Ends what an earlier start left and was not taken over.
pub(super) fn end_and_say(left: &ProcessRecord, leaves: bool, agent: &str, session: &str) {
    match end_leftover(left, leaves) {
        Ok(0) => {}
        Ok(count) => {
            tracing::info!(%agent, %session, "killed {count} processes that an earlier start left behind");
        }
        Err(error) => {
            tracing::warn!(%agent, %session, "cannot end what an earlier start left: {error}");
        }
    }
}

fn end_leftover(left: &ProcessRecord, leaves: bool) -> std::io::Result<usize> {
    if leaves { left.release().map(|()| 0) } else { left.sweep() }
}

/// Who printed a file of which nothing else is known: its label is `AGENT.SESSION.LAUNCH`.
fn origin_of(label: &str) -> Origin {
    let mut parts = label.split('.').map(str::to_owned);
    let agent = parts.next().unwrap_or_default();
    Origin { agent, session: parts.next().unwrap_or_default(), user: String::new(), pid: 0 }
}
