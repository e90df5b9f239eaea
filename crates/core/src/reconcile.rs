//! Desired against actual: what an enumeration, a configuration or an adoption changes.
//!
//! A session event of the operating system is only a hint; the caller answers each with a whole enumeration. Here it is
//! compared with the one before, and only the sessions that differ are looked at: nothing changed costs one comparison.

use alloc::vec::Vec;
use core::cmp::Ordering;
use core::time::Duration;

use crate::instance::{Input, Slot, Surroundings};
use crate::mode::Mode;
use crate::serve::{Want, want, want_of_machine};
use crate::supervisor::Entry;
use crate::{Action, InstanceKey, Logon, OnServiceStop, Serve, Session, Spec, SpecId, Supervisor};

/// How long after a suspension was announced an enumeration proves that the machine is awake, by a clock that does not
/// count time asleep.
const RESUME_MISSED: Duration = Duration::from_secs(120);

impl Supervisor {
    /// A fresh enumeration. A session that is missing from it is gone.
    pub(crate) fn enumerated(&mut self, mut fresh: Vec<Session>) {
        if self.suspended.is_some_and(|since| self.now - since > RESUME_MISSED) {
            self.resume();
        }
        fresh.sort_by_key(|session| session.logon);
        fresh.dedup_by_key(|session| session.logon);
        fresh.pop_if(|session| session.logon.is_machine());
        if !core::mem::replace(&mut self.enumerated, true) {
            self.sessions = fresh;
            self.review_all();
            return;
        }
        if fresh == self.sessions {
            return;
        }
        let old = core::mem::replace(&mut self.sessions, fresh);
        let specs: Vec<SpecId> = self.specs.keys().collect();
        let changes = differences(&old, &self.sessions);
        for &(logon, _) in &changes {
            self.presume_blocking(logon);
        }
        for (logon, change) in changes {
            self.review_session(logon, &specs, change);
        }
    }

    /// A fresh configuration. A spec that is missing from it was removed.
    pub(crate) fn configured(&mut self, specs: Vec<(SpecId, Spec)>, on_service_stop: OnServiceStop) {
        self.configured = true;
        self.on_service_stop = on_service_stop;
        for entry in self.specs.values_mut() {
            entry.retired = true;
        }
        for (id, spec) in specs {
            match self.specs.get_mut(id) {
                Some(entry) => (entry.spec, entry.retired) = (spec, false),
                None => self.specs.insert(id, Entry::new(spec)),
            }
        }
        let unused = |(_, entry): &(SpecId, &Entry)| entry.retired && entry.instances == 0;
        let unused: Vec<SpecId> = self.specs.iter().filter(unused).map(|(id, _)| id).collect();
        for id in unused {
            self.specs.remove(id);
        }
        self.count_blocking();
        self.review_all();
    }

    /// A process of an earlier life of the service. Only before the first enumeration, and a worker's before the first
    /// configuration: later, an instance of its own may have been started, and there must never be two.
    pub(crate) fn adopt(&mut self, key: InstanceKey, generation: u32, fingerprint: u64) {
        let too_late = if key.logon.is_machine() { self.configured } else { self.enumerated };
        if too_late || self.slots.contains_key(key) {
            return;
        }
        // Until the configuration says what it is, it is treated by the defaults.
        if !self.specs.contains_key(key.spec) {
            self.specs.insert(key.spec, Entry { retired: true, ..Entry::new(Spec::new("")) });
        }
        self.insert(key, Slot::adopted(self.now, self.clock(), generation, fingerprint));
        self.actions.push_back(Action::Changed(key));
        self.drive(key, Input::Review(Want::Unknown));
        self.update_end();
    }

    pub(crate) fn session(&self, logon: Logon) -> Option<&Session> {
        let at = self.sessions.binary_search_by_key(&logon, |session| session.logon).ok()?;
        Some(&self.sessions[at])
    }

    /// Compares desired and actual for the machine and every session.
    fn review_all(&mut self) {
        let specs: Vec<SpecId> = self.specs.keys().collect();
        let mut logons: Vec<Logon> = self.sessions.iter().map(|session| session.logon).collect();
        logons.extend(self.slots.keys().map(|key| key.logon));
        logons.push(Logon::MACHINE);
        logons.sort_unstable();
        logons.dedup();
        for logon in logons {
            self.review_session(logon, &specs, Change::UNTOLD);
        }
    }

    /// Compares desired and actual for one session, or for the machine.
    fn review_session(&mut self, logon: Logon, specs: &[SpecId], change: Change) {
        if !self.is_settled(logon) {
            return;
        }
        if change == Change::Gone {
            let all = InstanceKey { logon, spec: SpecId(0) }..=InstanceKey { logon, spec: SpecId(u32::MAX) };
            let gone: Vec<InstanceKey> = self.generations.range(all).map(|(&key, _)| key).collect();
            for key in gone {
                let generation = self.generations.remove(&key).unwrap_or(0);
                self.depart(logon, generation);
            }
        }
        for &spec in specs {
            self.review(InstanceKey { logon, spec }, change);
        }
    }

    fn review(&mut self, key: InstanceKey, change: Change) {
        let session = self.session(key.logon);
        let spec = self.specs.get(key.spec).filter(|entry| !entry.retired).map(|entry| &entry.spec);
        let exists = self.slots.contains_key(key);
        let is_machine = key.logon.is_machine();
        let want = if is_machine { want_of_machine(spec) } else { want(session, spec, exists) };
        let surroundings = match session {
            _ if is_machine => Surroundings::OF_MACHINE,
            Some(session) => Surroundings::of(session),
            None => Surroundings::default(),
        };
        if !exists {
            // A service that ends makes no instances; one that was abandoned would otherwise seem to be back.
            let is_final = matches!(self.mode, Mode::Final { .. });
            if want.claim().is_none() || is_final {
                return;
            }
            let generation = self.last_generation(key);
            self.insert(key, Slot::new(self.now, generation, want, surroundings));
        }
        if let Some(slot) = self.slots.get_mut(key) {
            slot.surroundings = surroundings;
            if let Change::Facts { completed: true, .. } = change {
                slot.session_completed();
            }
            if let Change::Facts { told: true, .. } = change
                && slot.view.connected
            {
                self.actions.push_back(Action::TellSession(key, slot.view.generation));
            }
        }
        self.drive(key, Input::Review(want));
    }

    /// Counts every agent of a session among those that stand in the way of a handover, until the review that follows looks
    /// at each: an agent that was kept may be one to stop now, and nothing may start beside it that is looked at before.
    fn presume_blocking(&mut self, logon: Logon) {
        let all = InstanceKey { logon, spec: SpecId(0) }..=InstanceKey { logon, spec: SpecId(u32::MAX) };
        for (key, slot) in self.slots.range_mut(all) {
            let entry = self.specs.get_mut(key.spec).expect("a spec stays as long as it has instances");
            entry.blocking -= u32::from(slot.blocks);
            slot.blocks = entry.spec.serve == Serve::Console && slot.view.state.has_process();
            entry.blocking += u32::from(slot.blocks);
        }
    }

    /// Counts afresh who stands in the way of a handover, since `sessions` of a spec may have changed. Too many rather than
    /// too few: the review that follows sets each right, and nothing starts too early meanwhile.
    fn count_blocking(&mut self) {
        for entry in self.specs.values_mut() {
            entry.blocking = 0;
        }
        for (key, slot) in self.slots.iter_mut() {
            let entry = self.specs.get_mut(key.spec).expect("a spec stays as long as it has instances");
            slot.blocks = entry.spec.serve == Serve::Console && slot.view.state.has_process();
            entry.blocking += u32::from(slot.blocks);
        }
    }
}

/// How a session differs from what it was in the enumeration before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It is not there any more.
    Gone,
    /// In its facts.
    Facts {
        /// In one that agents are told about.
        told: bool,
        /// In what is known of its user: a token is there, the groups are known.
        completed: bool,
    },
}

impl Change {
    /// New, or different in a way that concerns nobody but us.
    const UNTOLD: Self = Self::Facts { told: false, completed: false };
}

/// The sessions that differ between two enumerations, both in the order of logons.
fn differences(old: &[Session], new: &[Session]) -> Vec<(Logon, Change)> {
    let (mut old, mut new) = (old.iter().peekable(), new.iter().peekable());
    let mut found = Vec::new();
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some(was), Some(is)) => was.logon.cmp(&is.logon),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return found,
        };
        let was = if order.is_le() { old.next() } else { None };
        let is = if order.is_ge() { new.next() } else { None };
        match (was, is) {
            (Some(was), None) => found.push((was.logon, Change::Gone)),
            (None, Some(is)) => found.push((is.logon, Change::UNTOLD)),
            (Some(was), Some(is)) if was != is => {
                let change = Change::Facts { told: told(was) != told(is), completed: was.who != is.who };
                found.push((is.logon, change));
            }
            (Some(_) | None, Some(_) | None) => {}
        }
    }
}

/// The facts of a session that its agents are told about.
fn told(session: &Session) -> impl PartialEq + use<> {
    (session.state, session.kind, session.locked, session.remote)
}
