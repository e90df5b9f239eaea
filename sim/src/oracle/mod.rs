//! The judge: watches what goes into the core and what comes out of it, and knows nothing else of either side.
//!
//! - `track`: what is known of one instance, and the restart policy, written a second time.
//! - `told`: what the core was told of sessions, configuration and machine, and what should run by that.
//! - `actions`: whether an action may be taken now.
//! - `review`: whether everything that should have been done was done.

mod actions;
mod review;
mod told;
mod track;
mod violation;

use bilayer_core::{
    Command, Event, Exit, FailureKind, Instance, InstanceKey, RestartOn, Spec, SpecId, Supervisor, Time,
};

pub(crate) use violation::Verdict;
pub use violation::{Rule, Violation};

use crate::grid::Grid;
use crate::world::NEVER;
use told::{Mode, Told};
use track::{After, Down, Phase, Track, nanos};

/// After how many events, at least, everything is looked at on the next tick.
const REVIEW_EVERY: u32 = 32;

/// What an event was about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    /// Time.
    Time,
    /// One instance, by its track.
    One(usize),
    /// A process that is gone, or an instance that is not there: nothing may come of it.
    Nothing,
    /// Everything.
    All,
}

/// The judge of one core.
pub(crate) struct Oracle {
    grid: Grid,
    told: Vec<Told>,
    stamp: u32,
    /// Every spec; one that was removed stays as it was, for the instances that are left of it.
    configured: Vec<Spec>,
    removed: Vec<bool>,
    sessions_known: bool,
    /// How many the latest enumeration had.
    sessions_told: usize,
    configuration_known: bool,
    keep: bool,
    mode: Mode,
    finished: bool,
    tracks: Vec<Track>,
    /// How many of them have a process.
    processes: usize,
    now: u64,
    /// `now` without the time between each `Suspend` and `Resume`.
    clock: u64,
    /// Since when the clock stands still.
    frozen_since: Option<u64>,
    /// Since when the machine sleeps, or is about to. The clock goes on all the same when everything is to end.
    suspended_since: Option<u64>,
    paused: u64,
    scope: Scope,
    tick: bool,
    heartbeat: bool,
    /// Whether a process is gone, for which another may have waited.
    freed: bool,
    command: Option<Command>,
    /// What a stale event must leave as it is.
    frozen: Option<(InstanceKey, Option<Instance>, Option<Time>)>,
    since_review: u32,
}

impl Oracle {
    pub(crate) fn new(places: usize, grid: Grid) -> Self {
        Self {
            grid,
            told: vec![Told::default(); places],
            stamp: 0,
            configured: vec![Spec::new(""); grid.width()],
            removed: vec![true; grid.width()],
            sessions_known: false,
            sessions_told: 0,
            configuration_known: false,
            keep: false,
            mode: Mode::Serving,
            finished: false,
            tracks: vec![Track::NONE; places * grid.width()],
            processes: 0,
            now: 0,
            clock: 0,
            frozen_since: None,
            suspended_since: None,
            paused: 0,
            scope: Scope::Nothing,
            tick: false,
            heartbeat: false,
            freed: false,
            command: None,
            frozen: None,
            since_review: 0,
        }
    }

    /// A new core knows nothing.
    pub(crate) fn begin_life(&mut self) {
        let (places, grid) = (self.told.len(), self.grid);
        *self = Self::new(places, grid);
    }

    /// Whether the core has no trace of a session at this place.
    pub(crate) fn is_free(&self, place: usize) -> bool {
        let tracks = &self.tracks[self.grid.at(place)];
        !self.is_told(place) && tracks.iter().all(|track| !track.exists)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    fn index(&self, key: InstanceKey) -> usize {
        self.grid.index(key)
    }

    fn key(&self, index: usize) -> InstanceKey {
        InstanceKey { logon: self.tracks[index].logon, spec: SpecId(self.grid.number(index) as u32) }
    }

    fn spec(&self, index: usize) -> &Spec {
        &self.configured[self.grid.number(index)]
    }

    /// Takes in what is about to be told to the core.
    #[inline]
    pub(crate) fn before(&mut self, now: Time, event: &Event, core: &Supervisor) -> Verdict {
        self.now = now.as_nanos();
        self.clock = self.frozen_since.unwrap_or(self.now) - self.paused;
        (self.tick, self.heartbeat) = (false, false);
        self.command = None;
        self.frozen = None;
        self.freed = false;
        self.scope = match event {
            Event::Tick => {
                self.tick = true;
                Scope::Time
            }
            Event::Sessions(_)
            | Event::Configured { .. }
            | Event::Suspend
            | Event::Resume
            | Event::ShutdownAnnounced(_)
            | Event::ShutdownCalledOff
            | Event::Stop(..) => {
                if self.hear(event) {
                    Scope::All
                } else {
                    Scope::Nothing
                }
            }
            Event::Operator(key, command) => {
                let scope = self.operated(*key, *command);
                if scope == Scope::Nothing {
                    self.freeze(*key, core);
                }
                scope
            }
            Event::Adopted { instance, generation, fingerprint } => {
                let (index, clock) = (self.index(*instance), self.clock);
                self.tracks[index] = Track::NONE;
                self.tracks[index].begin(instance.logon, clock);
                let track = &mut self.tracks[index];
                (track.generation, track.fingerprint) = (*generation, *fingerprint);
                // Whether it was ready is not known, and nobody waits for it.
                track.launched(clock, false);
                self.processes += 1;
                Scope::One(index)
            }
            Event::Launched(key, generation)
            | Event::LaunchFailed(key, generation, _)
            | Event::Exited(key, generation, _)
            | Event::Connected(key, generation)
            | Event::Disconnected(key, generation)
            | Event::Ready(key, generation)
            | Event::Heartbeat(key, generation)
            | Event::Goodbye(key, generation, _) => {
                let index = self.index(*key);
                let track = &self.tracks[index];
                if track.logon == key.logon && track.generation == *generation && track.phase != Phase::None {
                    self.process(index, event);
                    Scope::One(index)
                } else {
                    self.freeze(*key, core);
                    Scope::Nothing
                }
            }
        };
        Ok(())
    }

    /// What follows must leave an instance as it is.
    fn freeze(&mut self, key: InstanceKey, core: &Supervisor) {
        self.frozen = Some((key, core.instance(key).copied(), core.next_deadline()));
    }

    fn operated(&mut self, key: InstanceKey, command: Command) -> Scope {
        let (index, clock) = (self.index(key), self.clock);
        let track = &mut self.tracks[index];
        if !track.exists || track.logon != key.logon {
            return Scope::Nothing;
        }
        if self.mode.is_final() {
            return Scope::One(index);
        }
        self.command = Some(command);
        match (track.phase, command) {
            (Phase::None, Command::Start | Command::Restart) => track.start_over(clock),
            (Phase::None, Command::Stop) => track.down = Down::Held,
            (Phase::Live, Command::Start) if track.stop.is_none() => track.forget(),
            (Phase::Live, Command::Restart) if track.stop.is_none() => {
                track.forget();
                track.after = After::Settle;
            }
            (Phase::Live, Command::Stop) if track.stop.is_none() => track.after = After::Hold,
            (Phase::Launching | Phase::Live, Command::Start | Command::Restart) => {
                track.forget();
                track.after = After::Settle;
            }
            (Phase::Launching | Phase::Live, Command::Stop) => {
                let gone = self.want(index).is_gone();
                self.tracks[index].after = if gone { After::Settle } else { After::Hold };
            }
        }
        Scope::One(index)
    }

    /// Something about a process that is there.
    #[inline]
    fn process(&mut self, index: usize, event: &Event) {
        let clock = self.clock;
        let spec = &self.configured[self.grid.number(index)];
        let track = &mut self.tracks[index];
        match *event {
            Event::Heartbeat(..) => {
                self.heartbeat = true;
                if track.heard != NEVER {
                    track.heard = clock;
                }
            }
            Event::Connected(..) => {
                track.connected = true;
                if track.stop.is_none() {
                    track.heard = clock;
                    track.silence = spec.heartbeat.map_or(NEVER, nanos);
                }
            }
            Event::Disconnected(..) => track.connected = false,
            Event::Ready(..) => track.awaited = false,
            Event::Goodbye(_, _, goodbye) if track.stop.is_none() => track.goodbye = Some(goodbye),
            Event::Launched(..) => track.launched(clock, spec.ready_within.is_some()),
            Event::LaunchFailed(_, _, failure) => self.launch_failed(index, failure.kind),
            Event::Exited(_, _, exit) => self.exited(index, exit),
            _ => {}
        }
    }

    fn launch_failed(&mut self, index: usize, kind: FailureKind) {
        (self.processes, self.freed) = (self.processes - 1, true);
        let (clock, gone, must_stop) = (self.clock, self.want(index).is_gone(), self.must_stop(index));
        let spec = &self.configured[self.grid.number(index)];
        let is_worker = self.is_worker(index);
        let track = &mut self.tracks[index];
        let after = track.ended(clock);
        track.swept = true;
        if gone {
            track.remove();
        } else if after == After::Hold {
            track.down = Down::Held;
        } else if !must_stop {
            match kind {
                // It waits for its account, which another configuration may change.
                FailureKind::NotReady | FailureKind::Gone if is_worker => {
                    track.launch_failed(clock, &spec.restart, true);
                }
                FailureKind::NotReady => track.launch_failed(clock, &spec.restart, false),
                FailureKind::Busy => track.launch_failed(clock, &spec.restart, true),
                FailureKind::Gone => track.session_gone(clock),
                FailureKind::Wrong => track.down = Down::ForNow,
            }
        }
    }

    fn exited(&mut self, index: usize, exit: Exit) {
        (self.processes, self.freed) = (self.processes - 1, true);
        let (clock, now, gone, must_stop) =
            (self.clock, self.now, self.want(index).is_gone(), self.must_stop(index));
        let spec = &self.configured[self.grid.number(index)];
        let track = &mut self.tracks[index];
        let outdated = track.fingerprint != spec.fingerprint;
        let stopped = track.stop.is_some();
        let after = track.ended(clock);
        if gone {
            track.remove();
            track.swept = false;
            return;
        }
        if outdated && stopped {
            track.forget();
        }
        match after {
            After::Hold => track.down = Down::Held,
            After::Settle if !stopped && !must_stop => track.left(clock, now, spec, exit),
            After::Fail if !outdated && spec.restart.on == RestartOn::Never => track.down = Down::Released,
            After::Fail if !outdated => track.fail(clock, now, &spec.restart, 0),
            After::Settle | After::Fail => {}
        }
    }
}
