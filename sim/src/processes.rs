//! The processes of the world: what they do by themselves, and how they take being stopped.

use bilayer_core::{Event, Exit, Failure, FailureKind, Goodbye, InstanceKey, Logon};

use crate::faults::Fault;
use crate::oracle::{Rule, Verdict, Violation};
use crate::plan::ODD_EXITS;
use crate::rng::Rng;
use crate::schedule::What;
use crate::world::{MS, NEVER, SEC, World};

/// Where a process stands, in truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// There is none.
    None,
    /// It is being launched.
    Launching,
    /// It lives.
    Alive,
    /// It is dead, and the service does not know yet.
    Dead,
}

/// What a process does next, in the order in which it happens at one and the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
enum Next {
    Launch,
    Connect,
    Ready,
    Beat,
    Goodbye,
    Disconnect,
    Exit,
}

const NEXT: [Next; 7] =
    [Next::Launch, Next::Connect, Next::Ready, Next::Beat, Next::Goodbye, Next::Disconnect, Next::Exit];

/// A process, or the place for one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(crate) logon: Logon,
    pub(crate) generation: u32,
    pub(crate) phase: Phase,
    /// Tells the current plan from those before it.
    token: u32,
    /// What it does next by that plan.
    next: Next,
    at: [u64; 7],
    exit: Exit,
    beat: u64,
    hangs_at: u64,
    connected: bool,
    stopping: bool,
    stays: bool,
    ignores_ask: bool,
    ignores_terminate: bool,
    adopted: bool,
    abandoned: bool,
    fingerprint: u64,
    /// Until when the program at this place is broken. Outlives the process.
    broken_until: u64,
}

impl Process {
    pub(crate) const NONE: Self = Self {
        logon: Logon(0),
        generation: 0,
        phase: Phase::None,
        token: 0,
        next: Next::Exit,
        at: [NEVER; 7],
        exit: Exit::Code(0),
        beat: NEVER,
        hangs_at: NEVER,
        connected: false,
        stopping: false,
        stays: false,
        ignores_ask: false,
        ignores_terminate: false,
        adopted: false,
        abandoned: false,
        fingerprint: 0,
        broken_until: 0,
    };

    fn plan(&mut self, next: Next, at: u64) {
        self.at[next as usize] = at;
    }

    fn next(&self) -> (u64, Next) {
        let mut first = (NEVER, Next::Exit);
        for next in NEXT {
            if self.at[next as usize] < first.0 {
                first = (self.at[next as usize], next);
            }
        }
        first
    }
}

impl World {
    /// The launcher was asked for a process.
    pub(crate) fn launch(&mut self, key: InstanceKey, generation: u32) -> Verdict {
        let index = self.index(key);
        let before = self.processes[index];
        if before.phase != Phase::None {
            return Err(Violation::new(
                Rule::OneProcess,
                Some(key),
                "a second process was launched beside a living one",
            ));
        }
        let spec = self.specs[key.spec.0 as usize].as_ref();
        let fingerprint = spec.map_or(0, |spec| spec.fingerprint);
        let takes = if self.strikes(Fault::SlowLaunch) {
            self.rng.span(100 * MS, 20 * SEC)
        } else {
            self.rng.pick(&[0, 0, 400_000, 3 * MS])
        };
        let mut process = Process {
            logon: key.logon,
            generation,
            phase: Phase::Launching,
            token: before.token,
            fingerprint,
            broken_until: before.broken_until,
            ..Process::NONE
        };
        process.plan(Next::Launch, self.now + takes);
        self.processes[index] = process;
        self.schedule_process(index);
        Ok(())
    }

    /// `agent/stop` reached the agent.
    pub(crate) fn asked_to_stop(&mut self, key: InstanceKey, generation: u32) {
        let index = self.index(key);
        let process = self.processes[index];
        if process.generation == generation && process.phase == Phase::Alive && !process.ignores_ask {
            self.leave_politely(index);
        }
    }

    /// SIGTERM, `WM_CLOSE` or `CTRL_BREAK` reached the process.
    pub(crate) fn terminated(&mut self, key: InstanceKey, generation: u32) {
        let index = self.index(key);
        let process = self.processes[index];
        if process.generation == generation && process.phase == Phase::Alive && !process.ignores_terminate {
            self.leave_politely(index);
        }
    }

    fn leave_politely(&mut self, index: usize) {
        let at = self.now + self.rng.span(MS / 4, 4 * SEC);
        let exit =
            self.rng.pick(&[Exit::Code(0), Exit::Code(0), Exit::Signal(15), Exit::Code(1), Exit::Code(66)]);
        self.exit_by(index, at, exit);
    }

    /// Everything of the instance was killed.
    pub(crate) fn killed(&mut self, key: InstanceKey, generation: u32) {
        let index = self.index(key);
        let process = self.processes[index];
        if process.generation == generation && process.phase == Phase::Alive {
            let takes = if self.strikes(Fault::SlowKill) {
                self.rng.span(500 * MS, 5 * SEC)
            } else {
                self.rng.span(MS / 8, 8 * MS)
            };
            self.exit_by(index, self.now + takes, Exit::Signal(9));
        }
    }

    /// The service let go of the process.
    pub(crate) fn abandoned(&mut self, key: InstanceKey, generation: u32) {
        let index = self.index(key);
        let process = &mut self.processes[index];
        if process.generation == generation {
            process.abandoned = true;
            process.connected = false;
        }
    }

    /// Plans an end no later than this.
    pub(crate) fn exit_by(&mut self, index: usize, at: u64, exit: Exit) {
        let process = &mut self.processes[index];
        process.stopping = true;
        if at < process.at[Next::Exit as usize] {
            process.exit = exit;
            process.plan(Next::Exit, at);
            self.schedule_process(index);
        }
    }

    fn schedule_process(&mut self, index: usize) {
        let process = &mut self.processes[index];
        process.token = process.token.wrapping_add(1);
        let (at, next) = process.next();
        process.next = next;
        if at != NEVER {
            self.schedule.push(at, What::Process { index: index as u32, token: process.token });
        }
    }

    pub(crate) fn process_goes_on(&mut self, index: usize, token: u32) -> Verdict {
        if self.processes[index].token != token {
            return Ok(());
        }
        let next = self.processes[index].next;
        let (key, generation) = (self.key(index), self.processes[index].generation);
        let process = &mut self.processes[index];
        process.plan(next, NEVER);
        let unheard = process.abandoned;
        match next {
            Next::Launch => return self.launched(index),
            Next::Exit => return self.die(index),
            Next::Connect => {
                process.connected = true;
                if process.beat != NEVER {
                    process.plan(Next::Beat, self.now + process.beat);
                }
                self.schedule_process(index);
                if !unheard {
                    self.tell(Event::Connected(key, generation))?;
                }
            }
            Next::Ready => {
                self.schedule_process(index);
                if !unheard && self.processes[index].connected {
                    self.tell(Event::Ready(key, generation))?;
                }
            }
            Next::Beat => {
                if self.now < process.hangs_at && process.connected {
                    process.plan(Next::Beat, self.now + process.beat);
                }
                let beats = process.connected;
                self.schedule_process(index);
                if !unheard && beats {
                    self.tell(Event::Heartbeat(key, generation))?;
                }
            }
            Next::Goodbye => {
                let leaves = !process.stays;
                let connected = process.connected;
                if leaves {
                    let at = self.now + self.rng.span(MS / 4, SEC);
                    let exit =
                        self.rng.pick(&[Exit::Code(0), Exit::Code(1), Exit::Signal(15), Exit::Unknown]);
                    self.exit_by(index, at, exit);
                }
                self.schedule_process(index);
                if !unheard && connected {
                    let why = [Goodbye::Restart, Goodbye::Hold, Goodbye::Release, Goodbye::LoggingOff];
                    let why = self.rng.pick(&why);
                    self.tell(Event::Goodbye(key, generation, why))?;
                }
            }
            Next::Disconnect => {
                let was = std::mem::replace(&mut process.connected, false);
                process.plan(Next::Beat, NEVER);
                if self.rng.per_mille(700) {
                    process.plan(Next::Connect, self.now + self.rng.span(10 * MS, 10 * SEC));
                }
                self.schedule_process(index);
                if !unheard && was {
                    self.tell(Event::Disconnected(key, generation))?;
                }
            }
        }
        Ok(())
    }

    fn launched(&mut self, index: usize) -> Verdict {
        let (key, generation) = (self.key(index), self.processes[index].generation);
        let place = self.grid.place(index);
        let gone = self.logon(place) != key.logon;
        let token_at = self.places[place].token_at;
        let failure = if gone && self.rng.per_mille(900) {
            Some(FailureKind::Gone)
        } else if token_at > self.now {
            Some(FailureKind::NotReady)
        } else if self.strikes(Fault::LaunchFails) {
            let kinds = [
                FailureKind::Busy,
                FailureKind::Busy,
                FailureKind::NotReady,
                FailureKind::Gone,
                FailureKind::Wrong,
            ];
            Some(self.rng.pick(&kinds))
        } else {
            None
        };
        if let Some(kind) = failure {
            self.processes[index].phase = Phase::None;
            self.remember_stale(key, generation);
            return self.tell(Event::LaunchFailed(key, generation, Failure { kind, os_error: 11 }));
        }
        self.processes[index].phase = Phase::Alive;
        self.plan_process(index);
        self.schedule_process(index);
        self.tell(Event::Launched(key, generation))
    }

    /// Draws what a new process will do.
    fn plan_process(&mut self, index: usize) {
        let now = self.now;
        let spec = self.specs[self.grid.number(index)].clone();
        let mut process = self.processes[index];
        process.ignores_ask = self.strikes(Fault::IgnoreStop);
        process.ignores_terminate = self.strikes(Fault::IgnoreTerminate);
        process.beat =
            spec.as_ref().and_then(|spec| spec.heartbeat).map_or(NEVER, |limit| limit.as_nanos() as u64 / 3);
        if !self.strikes(Fault::Silent) {
            let connects = now + self.rng.span(MS, 300 * MS);
            process.plan(Next::Connect, connects);
            if !self.strikes(Fault::NeverReady) {
                process.plan(Next::Ready, connects + self.rng.below(200 * MS));
            }
            if self.strikes(Fault::Hang) {
                process.hangs_at = connects + self.rng.span(MS, 100 * SEC);
            }
            if self.strikes(Fault::Disconnect) {
                process.plan(Next::Disconnect, connects + self.rng.span(MS, 100 * SEC));
            }
            if self.strikes(Fault::Goodbye) {
                process.plan(Next::Goodbye, connects + self.rng.span(MS, 100 * SEC));
            } else if self.strikes(Fault::GoodbyeAndStay) {
                process.stays = true;
                process.plan(Next::Goodbye, connects + self.rng.span(MS, 100 * SEC));
            }
        }
        if self.strikes(Fault::CrashLoop) {
            process.broken_until = now + self.rng.span(SEC, 300 * SEC);
        }
        let (after, exit) = if process.broken_until > now {
            (self.rng.span(MS, 20 * MS), Exit::Code(1))
        } else if self.strikes(Fault::Crash) {
            (self.rng.span(MS, 300 * SEC), self.rng.pick(&[Exit::Code(1), Exit::Signal(11), Exit::Unknown]))
        } else if self.strikes(Fault::CleanExit) {
            (self.rng.span(MS, 100 * SEC), Exit::Code(0))
        } else if self.strikes(Fault::OddExit) {
            (self.rng.span(MS, 100 * SEC), self.rng.pick(&ODD_EXITS))
        } else {
            (NEVER, Exit::Code(1))
        };
        process.exit = exit;
        process.plan(Next::Exit, now.saturating_add(after));
        self.processes[index] = process;
    }

    fn die(&mut self, index: usize) -> Verdict {
        let process = &mut self.processes[index];
        process.phase = Phase::Dead;
        process.at = [NEVER; 7];
        process.token = process.token.wrapping_add(1);
        let token = process.token;
        if process.abandoned {
            process.phase = Phase::None;
            return Ok(());
        }
        if self.strikes(Fault::ExitLate) {
            let at = self.now + self.rng.span(MS, 4 * SEC);
            self.schedule.push(at, What::ExitSeen { index: index as u32, token });
            return Ok(());
        }
        self.exit_seen(index, token)
    }

    pub(crate) fn exit_seen(&mut self, index: usize, token: u32) -> Verdict {
        if self.processes[index].token != token || self.processes[index].phase != Phase::Dead {
            return Ok(());
        }
        let process = self.processes[index];
        let key = self.key(index);
        if process.abandoned {
            self.processes[index].phase = Phase::None;
            return Ok(());
        }
        if process.connected && self.rng.per_mille(500) {
            self.tell(Event::Disconnected(key, process.generation))?;
        }
        self.processes[index].phase = Phase::None;
        self.remember_stale(key, process.generation);
        let exit = if process.adopted { Exit::Unknown } else { process.exit };
        self.tell(Event::Exited(key, process.generation, exit))
    }

    /// Keeps in mind which process is gone, so that something about it can be told again.
    fn remember_stale(&mut self, key: InstanceKey, generation: u32) {
        if self.strikes(Fault::Stale) {
            let slot = self.stale_next % 8;
            self.stale_next = self.stale_next.wrapping_add(1);
            self.stale[slot as usize] = (key, generation);
            let at = self.now + self.rng.span(MS / 16, 30 * SEC);
            self.schedule.push(at, What::Stale { slot });
        }
    }

    pub(crate) fn repeat_stale(&mut self, slot: u8) -> Verdict {
        let (key, generation) = self.stale[slot as usize];
        if generation == 0 {
            return Ok(());
        }
        let event = match self.rng.below(8) {
            0 => Event::Launched(key, generation),
            1 => Event::LaunchFailed(key, generation, Failure { kind: FailureKind::Wrong, os_error: 2 }),
            2 => Event::Exited(key, generation, any_exit(&mut self.rng)),
            3 => Event::Connected(key, generation),
            4 => Event::Disconnected(key, generation),
            5 => Event::Ready(key, generation),
            6 => Event::Heartbeat(key, generation),
            _ => Event::Goodbye(key, generation, Goodbye::Hold),
        };
        self.coverage.stale += 1;
        self.tell(event)
    }

    /// The service died or ended: its process lives on and is found again, or is gone.
    pub(crate) fn survive_service(&mut self, index: usize, keep: bool) -> Verdict {
        let process = self.processes[index];
        if process.phase == Phase::None {
            return Ok(());
        }
        if !keep || process.phase != Phase::Alive {
            let process = &mut self.processes[index];
            process.phase = Phase::None;
            process.token = process.token.wrapping_add(1);
            return Ok(());
        }
        let key = self.key(index);
        let process = &mut self.processes[index];
        (process.adopted, process.abandoned, process.connected) = (true, false, false);
        process.plan(Next::Beat, NEVER);
        process.plan(Next::Disconnect, NEVER);
        process.plan(Next::Goodbye, NEVER);
        let reconnects =
            if self.rng.per_mille(800) { self.now + self.rng.span(10 * MS, 10 * SEC) } else { NEVER };
        process.plan(Next::Connect, reconnects);
        let (generation, fingerprint) = (process.generation, process.fingerprint);
        self.schedule_process(index);
        self.tell(Event::Adopted { instance: key, generation, fingerprint })
    }

    /// From now on nothing dies by itself.
    pub(crate) fn calm_processes(&mut self) {
        for index in 0..self.processes.len() {
            let process = &mut self.processes[index];
            process.broken_until = 0;
            if process.phase == Phase::Alive && !process.stopping {
                process.plan(Next::Exit, NEVER);
                process.plan(Next::Goodbye, NEVER);
                process.plan(Next::Disconnect, NEVER);
                self.schedule_process(index);
            }
        }
    }
}

fn any_exit(rng: &mut Rng) -> Exit {
    if rng.per_mille(500) { rng.pick(&ODD_EXITS) } else { Exit::Code(0) }
}
