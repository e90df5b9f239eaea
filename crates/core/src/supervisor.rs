//! The supervisor: events in, actions out.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use crate::backoff::Jitter;
use crate::instance::{Context, Fate, Input, Instance, Slot, State};
use crate::mode::Mode;
use crate::table::Table;
use crate::timers::Timers;
use crate::{Action, Event, InstanceKey, Logon, OnServiceStop, Session, Spec, SpecId, Time, WaitReason};

/// Decides what should be done about sessions, agents and their processes.
///
/// Feed it with [`handle`](Self::handle), drain it with [`poll_action`](Self::poll_action), and call it with
/// [`Event::Tick`] when [`next_deadline`](Self::next_deadline) has come. It never fails and never blocks; an event that
/// makes no sense (of an old generation, of an unknown instance, a second answer to one launch) changes nothing.
///
/// It relies on this of its caller: every `Launch` is answered once, with `Launched` or `LaunchFailed`; every process that
/// was launched or adopted ends with one `Exited`.
#[derive(Clone, Debug)]
pub struct Supervisor {
    /// The latest time that was heard of.
    pub(crate) now: Time,
    pub(crate) mode: Mode,
    pub(crate) slots: Table<InstanceKey, Slot>,
    pub(crate) specs: Table<SpecId, Entry>,
    /// The latest enumeration, in the order of logons.
    pub(crate) sessions: Vec<Session>,
    /// Whether there was an enumeration.
    pub(crate) enumerated: bool,
    /// Whether there was a configuration.
    pub(crate) configured: bool,
    pub(crate) on_service_stop: OnServiceStop,
    /// The last generation of instances that are gone while their session, or the machine, lives. As many as it had instances.
    pub(crate) generations: BTreeMap<InstanceKey, u32>,
    /// What is left of that once the session is gone, should its logon come back: the highest such logon and generation.
    pub(crate) departed: Option<(Logon, u32)>,
    pub(crate) timers: Timers,
    /// Since when timers stand still.
    pub(crate) frozen: Option<Time>,
    /// Since when the machine is suspended, or about to be.
    pub(crate) suspended: Option<Time>,
    pub(crate) end: crate::ending::End,
    /// How many instances have a process.
    pub(crate) live: u32,
    /// The instances that wait for a handover.
    heirs: BTreeSet<(SpecId, Logon)>,
    /// The specs that may have something to hand over once the event is dealt with: before that, not every instance knows
    /// yet what the event means to it.
    vacant: Vec<SpecId>,
    pub(crate) actions: VecDeque<Action>,
    jitter: Jitter,
}

/// A spec with what is counted of it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) spec: Spec,
    /// It is not in the configuration any more and only its last instances need it.
    pub(crate) retired: bool,
    pub(crate) instances: u32,
    /// How many of its agents must end before another session's may start. Counted for `Serve::Console` only.
    pub(crate) blocking: u32,
}

impl Entry {
    pub(crate) fn new(spec: Spec) -> Self {
        Self { spec, retired: false, instances: 0, blocking: 0 }
    }
}

impl Supervisor {
    /// A supervisor that knows of no session and no spec. `seed` decides the jitter of its delays and nothing else.
    pub fn new(seed: u64) -> Self {
        Self {
            now: Time::ZERO,
            mode: Mode::Serving,
            slots: Table::new(),
            specs: Table::new(),
            sessions: Vec::new(),
            enumerated: false,
            configured: false,
            on_service_stop: OnServiceStop::default(),
            generations: BTreeMap::new(),
            departed: None,
            timers: Timers::default(),
            frozen: None,
            suspended: None,
            end: crate::ending::End::default(),
            live: 0,
            heirs: BTreeSet::new(),
            vacant: Vec::new(),
            actions: VecDeque::new(),
            jitter: Jitter::new(seed),
        }
    }

    /// Takes in what happened at `now`. A time before that of an earlier event counts as that event's.
    pub fn handle(&mut self, now: Time, event: Event) {
        self.now = self.now.max(now);
        match event {
            Event::Tick => self.fire(),
            Event::Sessions(sessions) => self.enumerated(sessions),
            Event::Configured { specs, on_service_stop } => self.configured(specs, on_service_stop),
            Event::Operator(key, command) => self.drive(key, Input::Operator(command)),
            Event::Adopted { instance, generation, fingerprint } => {
                self.adopt(instance, generation, fingerprint);
            }
            Event::Launched(key, generation) => self.report(key, generation, Input::Launched),
            Event::LaunchFailed(key, generation, failure) => {
                self.report(key, generation, Input::LaunchFailed(failure));
            }
            Event::Exited(key, generation, exit) => self.report(key, generation, Input::Exited(exit)),
            Event::Connected(key, generation) => self.report(key, generation, Input::Connected),
            Event::Disconnected(key, generation) => self.report(key, generation, Input::Disconnected),
            Event::Ready(key, generation) => self.report(key, generation, Input::Ready),
            Event::Heartbeat(key, generation) => self.report(key, generation, Input::Heartbeat),
            Event::Goodbye(key, generation, goodbye) => self.report(key, generation, Input::Goodbye(goodbye)),
            Event::Suspend => self.suspend(),
            Event::Resume => self.resume(),
            Event::ShutdownAnnounced(within) => self.shutdown_announced(within),
            Event::ShutdownCalledOff => self.shutdown_called_off(),
            Event::Stop(why, within) => self.stop(why, within),
        }
        while let Some(spec) = self.vacant.pop() {
            self.hand_over(spec);
        }
        self.report_progress();
    }

    /// The next thing to do, in order; `None` when all is done.
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// When to call with [`Event::Tick`] if nothing else happens before. It may be early, and is in the past only until
    /// that call. `None` while nothing is due by time alone, also while timers stand still between suspend and resume.
    pub fn next_deadline(&self) -> Option<Time> {
        match self.frozen {
            Some(_) => None,
            None => self.timers.first(),
        }
    }

    /// What is known about an instance.
    pub fn instance(&self, key: InstanceKey) -> Option<&Instance> {
        self.slots.get(key).map(|slot| &slot.view)
    }

    /// Every instance, those of one session together.
    pub fn instances(&self) -> impl Iterator<Item = (InstanceKey, &Instance)> {
        self.slots.iter().map(|(key, slot)| (key, &slot.view))
    }

    /// Whether a launch that is not answered yet is of use. One that takes time can be answered with `LaunchFailed` as soon as it is
    /// not: its process would only be stopped again.
    pub fn wants_launch(&self, key: InstanceKey, generation: u32) -> bool {
        let slot = self.slots.get(key).filter(|slot| slot.view.generation == generation);
        slot.zip(self.specs.get(key.spec))
            .is_some_and(|(slot, entry)| slot.wants_launch(&self.mode, &entry.spec))
    }

    /// A spec of the configuration, or one that was removed from it while the last of its instances end.
    pub fn spec(&self, id: SpecId) -> Option<&Spec> {
        self.specs.get(id).map(|entry| &entry.spec)
    }

    /// The time by which timers go.
    pub(crate) fn clock(&self) -> Time {
        self.frozen.unwrap_or(self.now)
    }

    /// Whether the desired state of what belongs to this logon can be told: the configuration is known and, for a session, the
    /// sessions are.
    pub(crate) fn is_settled(&self, logon: Logon) -> bool {
        self.configured && (self.enumerated || logon.is_machine())
    }

    fn fire(&mut self) {
        if self.frozen.is_some() {
            return;
        }
        while let Some(key) = self.timers.due(self.now) {
            self.drive(key, Input::Due);
        }
    }

    /// Hands an instance something that was said about the process of one generation.
    fn report(&mut self, key: InstanceKey, generation: u32, input: Input) {
        self.drive_if(key, Some(generation), input);
    }

    /// Hands an instance an input.
    pub(crate) fn drive(&mut self, key: InstanceKey, input: Input) {
        self.drive_if(key, None, input);
    }

    /// Hands an instance an input, if it is of this generation, and draws the consequences for everything that is indexed
    /// or counted about it.
    fn drive_if(&mut self, key: InstanceKey, generation: Option<u32>, input: Input) {
        let Some(slot) = self.slots.get_mut(key) else { return };
        if generation.is_some_and(|generation| generation != slot.view.generation) {
            return;
        }
        let entry = self.specs.get_mut(key.spec).expect("a spec stays as long as it has instances");
        let (before, was_looping) = (slot.view.state, slot.view.crash_loop);
        let fate = slot.step(
            &mut Context {
                key,
                now: self.now,
                clock: self.frozen.unwrap_or(self.now),
                spec: &entry.spec,
                mode: &self.mode,
                blocked: entry.blocking > u32::from(slot.blocks),
                actions: &mut self.actions,
                jitter: &mut self.jitter,
            },
            input,
        );
        if input == Input::Heartbeat {
            // Only moves a deadline later. The timer that stands is early then, looks again, and spares the index.
            return;
        }
        let stays = fate == Fate::Stays;
        let after = slot.view.state;
        let changed = !stays || before != after || was_looping != slot.view.crash_loop;

        let deadline = if stays { slot.deadline(&entry.spec) } else { None };
        let may_be_early = matches!(after, State::Running { .. }) && input != Input::Due;
        self.timers.set(key, &mut slot.armed, deadline, may_be_early);
        self.live -= u32::from(before.has_process());
        self.live += u32::from(stays && after.has_process());
        entry.blocking -= u32::from(slot.blocks);
        slot.blocks = stays && slot.is_blocking(&entry.spec);
        entry.blocking += u32::from(slot.blocks);
        match (waits_for_handover(&before), stays && waits_for_handover(&after)) {
            (false, true) => drop(self.heirs.insert((key.spec, key.logon))),
            (true, false) => drop(self.heirs.remove(&(key.spec, key.logon))),
            (true, true) | (false, false) => {}
        }
        if entry.blocking == 0 && !self.heirs.is_empty() {
            self.vacant.push(key.spec);
        }
        if !stays {
            self.remove(key);
        }
        if changed {
            self.actions.push_back(Action::Changed(key));
        }
    }

    pub(crate) fn insert(&mut self, key: InstanceKey, slot: Slot) {
        let entry = self.specs.get_mut(key.spec).expect("an instance is made of a known spec");
        entry.instances += 1;
        self.live += u32::from(slot.view.state.has_process());
        self.slots.insert(key, slot);
    }

    fn remove(&mut self, key: InstanceKey) {
        let Some(slot) = self.slots.remove(key) else { return };
        if key.logon.is_machine() || self.session(key.logon).is_some() {
            self.generations.insert(key, slot.view.generation);
        } else {
            self.depart(key.logon, slot.view.generation);
        }
        if let Some(entry) = self.specs.get_mut(key.spec) {
            entry.instances -= 1;
            if entry.retired && entry.instances == 0 {
                self.specs.remove(key.spec);
            }
        }
    }

    /// The last generation of a new instance of `key`, from which it goes on: a late event of an earlier instance must never
    /// be taken for one of the new.
    pub(crate) fn last_generation(&mut self, key: InstanceKey) -> u32 {
        let departed =
            self.departed.filter(|&(logon, _)| key.logon <= logon).map_or(0, |(_, generation)| generation);
        self.generations.remove(&key).unwrap_or(departed)
    }

    pub(crate) fn depart(&mut self, logon: Logon, generation: u32) {
        let (highest_logon, highest_generation) = self.departed.unwrap_or((logon, generation));
        self.departed = Some((logon.max(highest_logon), generation.max(highest_generation)));
    }

    /// Where the agents of other sessions have ended, the first one that waited for that starts.
    fn hand_over(&mut self, spec: SpecId) {
        if self.specs.get(spec).is_none_or(|entry| entry.blocking > 0) {
            return;
        }
        if let Some(&(spec, logon)) = self.heirs.range((spec, Logon(0))..=(spec, Logon(u32::MAX))).next() {
            self.drive(InstanceKey { logon, spec }, Input::Due);
        }
    }
}

fn waits_for_handover(state: &State) -> bool {
    matches!(state, State::Waiting { why: WaitReason::Handover, .. })
}
