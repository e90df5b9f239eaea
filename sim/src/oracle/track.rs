//! What the oracle knows about one instance: only what it saw go into the core and come out of it.
//!
//! All times are on the clock that stands still while the machine sleeps and between `Suspend` and `Resume`.

use bilayer_core::{Exit, Goodbye, Logon, Meaning, PastLimit, Restart, RestartOn, Serve, Spec};

use crate::world::{MS, NEVER, SEC};

/// How long a clean exit waits for a logoff.
const CLEAN_WAIT: u64 = 2 * SEC;
/// How long a logoff that was felt is waited for.
const LOGOFF_WAIT: u64 = 30 * SEC;
/// How long a session that is said to be gone is believed to be gone.
const GONE_WAIT: u64 = 30 * SEC;
/// The most failures that any spec's limit allows in this simulation.
const LIMIT_MAX: usize = 10;

/// Where the process stands, as the core was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    None,
    Launching,
    Live,
}

/// Why it stays down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Down {
    No,
    /// For a reason that another configuration may remove.
    ForNow,
    Held,
    Released,
}

/// On what ground it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    None,
    Served,
    Kept,
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum After {
    Settle,
    Fail,
    Hold,
}

/// A stop that is under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    pub(super) began: u64,
    pub(super) deadline: u64,
    pub(super) asked: bool,
    pub(super) terminated: bool,
    /// When it was last killed; 0 for not yet.
    pub(super) killed: u64,
}

/// One instance, or room for one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    pub(super) logon: Logon,
    pub(super) exists: bool,
    pub(super) phase: Phase,
    pub(super) down: Down,
    pub(super) claim: Claim,
    pub(super) after: After,
    pub(super) swept: bool,
    pub(super) connected: bool,
    /// Whether it is waited for to be ready.
    pub(super) awaited: bool,
    pub(super) generation: u32,
    pub(super) fingerprint: u64,
    pub(super) stop: Option<Stop>,
    pub(super) goodbye: Option<Goodbye>,
    /// It may be started from here on.
    pub(super) earliest: u64,
    /// It should be started by then, if it is wanted and nothing is in its way.
    pub(super) latest: u64,
    /// Whether the delay that runs is the program's own doing, which another program is not punished for.
    pub(super) blamed: bool,
    /// Whether what is waited for is the session, which was not ready for a launch.
    unready: bool,
    pub(super) started: u64,
    pub(super) heard: u64,
    pub(super) silence: u64,
    streak: u32,
    launches: u32,
    /// The times of the latest failures, newest last.
    failures: [u64; LIMIT_MAX],
    failed: u8,
    pub(super) looping: bool,
    left_cleanly: bool,
    /// What it looked like when it was last looked at; 0 for absent.
    pub(super) seen: u16,
}

impl Track {
    pub(super) const NONE: Self = Self {
        logon: Logon(0),
        exists: false,
        phase: Phase::None,
        down: Down::No,
        claim: Claim::None,
        after: After::Settle,
        swept: true,
        connected: false,
        awaited: false,
        generation: 0,
        fingerprint: 0,
        stop: None,
        goodbye: None,
        earliest: 0,
        latest: 0,
        blamed: false,
        unready: false,
        started: 0,
        heard: NEVER,
        silence: NEVER,
        streak: 0,
        launches: 0,
        failures: [0; LIMIT_MAX],
        failed: 0,
        looping: false,
        left_cleanly: false,
        seen: 0,
    };

    /// A new instance. Generations go on: a late event of an earlier one is never taken for one of this.
    pub(super) fn begin(&mut self, logon: Logon, clock: u64) {
        let generation = if self.logon == logon { self.generation } else { 0 };
        *self = Self {
            logon,
            exists: true,
            generation,
            earliest: clock,
            latest: clock,
            seen: self.seen,
            ..Self::NONE
        };
    }

    pub(super) fn remove(&mut self) {
        *self = Self { logon: self.logon, generation: self.generation, seen: self.seen, ..Self::NONE };
    }

    /// It may start now.
    pub(super) fn start_over(&mut self, clock: u64) {
        self.forget();
        self.down = Down::No;
        self.wait(clock, 0, 0, false);
    }

    pub(super) fn forget(&mut self) {
        self.healthy();
        (self.launches, self.failed) = (0, 0);
    }

    fn healthy(&mut self) {
        (self.streak, self.looping, self.left_cleanly) = (0, false, false);
    }

    pub(super) fn note_health(&mut self, clock: u64, restart: &Restart) {
        if clock >= self.started + nanos(restart.healthy_after) {
            self.healthy();
        }
    }

    pub(super) fn launched(&mut self, clock: u64, awaited: bool) {
        (self.phase, self.started, self.launches, self.awaited) = (Phase::Live, clock, 0, awaited);
    }

    /// There is no process any more. Says what was to follow a stop.
    pub(super) fn ended(&mut self, clock: u64) -> After {
        (self.phase, self.connected, self.swept, self.stop) = (Phase::None, false, false, None);
        self.wait(clock, 0, 0, false);
        std::mem::replace(&mut self.after, After::Settle)
    }

    /// Since the agent was last heard of, the longest silence passed.
    pub(super) fn is_hung(&self, clock: u64, spec: &Spec) -> bool {
        spec.heartbeat.is_some() && self.heard != NEVER && clock >= self.heard.saturating_add(self.silence)
    }

    /// It should have said that it is ready.
    pub(super) fn is_not_ready(&self, clock: u64, spec: &Spec) -> bool {
        self.awaited && spec.ready_within.is_some_and(|within| clock >= self.started + nanos(within))
    }

    /// Its process ended without having been asked to.
    pub(super) fn left(&mut self, clock: u64, now: u64, spec: &Spec, exit: Exit) {
        self.note_health(clock, &spec.restart);
        let built_in = matches!(exit, Exit::Code(0x4001_0004 | 0xC000_026B | 0xC000_0142));
        let meaning = match (self.goodbye, spec.exit_codes.get(&exit)) {
            (Some(Goodbye::Restart), _) => Some(Meaning::RestartNow),
            (Some(Goodbye::Hold), _) => Some(Meaning::Hold),
            (Some(Goodbye::Release), _) => Some(Meaning::Release),
            (Some(Goodbye::LoggingOff), _) => Some(Meaning::LoggingOff),
            (None, Some(&meaning)) => Some(meaning),
            (None, None) if built_in => Some(Meaning::LoggingOff),
            (None, None) if exit == Exit::Code(0) && spec.restart.on == RestartOn::Failure => {
                Some(Meaning::Release)
            }
            (None, None) if exit == Exit::Code(0) => None,
            (None, None) => Some(Meaning::Restart),
        };
        let is_worker = spec.serve == Serve::Machine;
        match meaning {
            // Nobody logs off from the machine.
            Some(Meaning::LoggingOff) | None if is_worker && spec.restart.on != RestartOn::Never => {
                self.fail(clock, now, &spec.restart, 0);
            }
            Some(Meaning::Hold) => self.down = Down::Held,
            _ if spec.restart.on == RestartOn::Never => self.down = Down::Released,
            Some(Meaning::Release) => self.down = Down::Released,
            Some(Meaning::LoggingOff) => self.wait(clock, LOGOFF_WAIT, LOGOFF_WAIT, false),
            Some(Meaning::RestartNow) => self.counted(clock, now, &spec.restart, 0, 0),
            Some(Meaning::Restart) => self.fail(clock, now, &spec.restart, 0),
            None if std::mem::replace(&mut self.left_cleanly, true) => {
                self.fail(clock, now, &spec.restart, CLEAN_WAIT);
            }
            None => self.wait(clock, CLEAN_WAIT, CLEAN_WAIT, false),
        }
    }

    /// It failed: the delay grows.
    pub(super) fn fail(&mut self, clock: u64, now: u64, restart: &Restart, at_least: u64) {
        let delay = delay(self.streak, restart);
        self.streak += 1;
        self.counted(clock, now, restart, delay, at_least);
    }

    /// It is started again, which counts towards the limit.
    fn counted(&mut self, clock: u64, now: u64, restart: &Restart, delay: u64, at_least: u64) {
        let past = self.past_limit(now, restart);
        let max = nanos(restart.delay_max);
        match restart.limit.then {
            PastLimit::Hold if past => {
                (self.down, self.looping) = (Down::ForNow, true);
            }
            PastLimit::Slow if past || self.looping => {
                self.looping = true;
                self.wait(clock, (max - max / 10).max(at_least), max.max(at_least), true);
            }
            PastLimit::Hold | PastLimit::Slow => {
                let least = (delay - delay / 10).max(at_least);
                self.wait(
                    clock,
                    least,
                    (delay + delay / 10).min(max).max(at_least),
                    at_least == 0 || delay > at_least,
                );
            }
        }
    }

    /// Whether more failures than allowed, this one among them, lie within the limit's time.
    fn past_limit(&mut self, now: u64, restart: &Restart) -> bool {
        let allowed = usize::from(restart.limit.count);
        assert!(allowed <= LIMIT_MAX, "the simulation's specs allow at most {LIMIT_MAX} failures");
        let known = usize::from(self.failed).min(allowed);
        let kept = usize::from(self.failed) - known;
        self.failures.copy_within(kept..usize::from(self.failed), 0);
        let oldest = self.failures[0];
        if known < allowed {
            self.failures[known] = now;
            self.failed = known as u8 + 1;
            return false;
        }
        self.failures.copy_within(1..allowed, 0);
        self.failures[allowed - 1] = now;
        self.failed = allowed as u8;
        now - oldest <= nanos(restart.limit.within)
    }

    /// The launch failed for a reason that passes.
    pub(super) fn launch_failed(&mut self, clock: u64, restart: &Restart, blamed: bool) {
        self.launches += 1;
        let delay = delay(self.launches, restart);
        self.wait(clock, delay - delay / 10, (delay + delay / 10).min(nanos(restart.delay_max)), blamed);
        self.unready = !blamed;
    }

    /// More is known of the session: it may be ready by now.
    pub(super) fn session_completed(&mut self, clock: u64) {
        if self.unready {
            self.wait(clock, 0, 0, false);
        }
    }

    /// The OS says that the session is gone.
    pub(super) fn session_gone(&mut self, clock: u64) {
        self.wait(clock, GONE_WAIT, GONE_WAIT, false);
    }

    fn wait(&mut self, clock: u64, least: u64, most: u64, blamed: bool) {
        (self.earliest, self.latest, self.blamed) = (clock + least, clock + most, blamed && most > 0);
        self.unready = false;
    }
}

/// The delay after so many failures in a row, without jitter.
fn delay(failures: u32, restart: &Restart) -> u64 {
    if failures == 0 {
        return 0;
    }
    let doubled = (100 * MS).saturating_mul(1 << (failures - 1).min(20));
    doubled.min(nanos(restart.delay_max))
}

pub(super) fn nanos(span: std::time::Duration) -> u64 {
    span.as_nanos() as u64
}
