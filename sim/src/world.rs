//! The world around one core: its clock, its plan of what comes next, and the way an event takes.

use std::sync::Arc;

use bilayer_core::{
    Action, Event, InstanceKey, Logon, OnServiceStop, Session, Spec, SpecId, Supervisor, Time,
};

use crate::coverage::Coverage;
use crate::faults::{self, Fault};
use crate::grid::Grid;
use crate::oracle::{Oracle, Verdict, Violation};
use crate::plan::{self, People, Plan};
use crate::processes::Process;
use crate::rng::Rng;
use crate::schedule::{Schedule, What};
use crate::sessions::{Enumeration, Place};
use crate::trace::Trace;

pub(crate) const MS: u64 = 1_000_000;
pub(crate) const SEC: u64 = 1_000 * MS;
pub(crate) const NEVER: u64 = u64::MAX;

/// How often the service enumerates sessions without having been told that something changed.
const RECONCILE: u64 = 30 * SEC;
/// How long a world that is left alone may take to settle: a lost wake-up (2 min and a reconcile), then a slow restart
/// (1 min) after a wait for a logoff that never came (30 s), after the longest grace (20 s).
const SETTLE: u64 = 300 * SEC;
/// How many steps of a world may pass without an event; more is a plan that runs in circles.
const IDLE_STEPS_MAX: u32 = 1_000_000;

/// No instance.
const NOBODY: InstanceKey = InstanceKey { logon: Logon(0), spec: SpecId(0) };

/// Bits of a logon's number that name its place; the rest counts logons.
const PLACE_BITS: u32 = 11;

/// The service's own state, as the machine sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    /// It runs.
    Up,
    /// It was told to stop and has not finished.
    Stopping,
}

/// Whether the world goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// It does.
    Goes,
    /// It settled and its service stopped.
    Over,
}

/// Users, sessions, processes and time around one core, and an oracle that watches it.
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) rng: Rng,
    pub(crate) people: People,
    pub(crate) now: u64,
    pub(crate) schedule: Schedule,
    pub(crate) core: Supervisor,
    pub(crate) oracle: Oracle,
    /// What was seen so far.
    pub coverage: Coverage,
    pub(crate) trace: Option<Trace>,
    pub(crate) rates: [u16; faults::COUNT],
    pub(crate) grid: Grid,
    pub(crate) places: Vec<Place>,
    pub(crate) serial: u32,
    pub(crate) enumeration: Enumeration,
    pub(crate) processes: Vec<Process>,
    pub(crate) stale: [(InstanceKey, u32); 8],
    pub(crate) stale_next: u8,
    pub(crate) specs: Vec<Option<Arc<Spec>>>,
    pub(crate) fingerprint: u64,
    pub(crate) on_service_stop: OnServiceStop,
    pub(crate) service: Service,
    pub(crate) asleep: bool,
    pub(crate) shutdown: bool,
    events: u64,
    deadline: Option<Time>,
    tick_at: u64,
    calm_since: Option<u64>,
    settled: bool,
    over: bool,
}

impl World {
    /// The world of a plan before its first moment.
    pub fn new(plan: Plan, tracing: bool) -> Self {
        let mut rng = Rng::new(plan.seed ^ 0x776f_726c_6400);
        let grid = Grid::new(plan.ids * 2, plan.specs);
        let places = vec![Place::EMPTY; grid.places()];
        let processes = vec![Process::NONE; places.len() * grid.width()];
        let mut world = Self {
            people: People::new(&plan),
            now: 3_600 * SEC,
            schedule: Schedule::default(),
            core: Supervisor::new(rng.bits()),
            oracle: Oracle::new(places.len(), grid),
            coverage: Coverage::default(),
            trace: tracing.then(Trace::default),
            rates: core::array::from_fn(|fault| plan.faults.rate(Fault::ALL[fault])),
            grid,
            places,
            serial: 0,
            enumeration: Enumeration::default(),
            processes,
            stale: [(NOBODY, 0); 8],
            stale_next: 0,
            specs: Vec::new(),
            fingerprint: 0,
            on_service_stop: plan::on_service_stop(&mut rng),
            service: Service::Up,
            asleep: false,
            shutdown: false,
            events: 0,
            deadline: None,
            tick_at: NEVER,
            calm_since: None,
            settled: false,
            over: false,
            rng,
            plan,
        };
        for number in 0..world.plan.specs {
            let spec = world.any_spec(number);
            world.specs.push(Some(Arc::new(spec)));
        }
        world.schedule.push(world.now + RECONCILE, What::Reconcile);
        world.schedule.push(world.now, What::Life);
        world
    }

    /// The first moment: the service starts, and in a crowd everyone logs on.
    pub fn begin(&mut self) -> Result<(), Box<Violation>> {
        self.begin_life()?;
        if self.plan.crowd {
            for user in 0..self.plan.users {
                self.log_on(user);
            }
        }
        Ok(())
    }

    /// How many events the core has handled.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The plan that this world follows.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// What happened, where tracing is on.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_ref()
    }

    /// Lets time pass until the next thing happens.
    pub fn step(&mut self) -> Result<Step, Box<Violation>> {
        let next = self.schedule.next();
        if self.tick_at <= next && self.tick_at != NEVER {
            self.now = self.now.max(self.tick_at);
            self.tell(Event::Tick)?;
        } else {
            self.now = self.now.max(next);
            if let Some(what) = self.schedule.pop() {
                self.happen(what)?;
            }
        }
        if self.over {
            return Ok(Step::Over);
        }
        self.settle()?;
        Ok(Step::Goes)
    }

    /// Runs until `events` were handled or the world is over.
    pub fn run(&mut self, events: u64) -> Result<Step, Box<Violation>> {
        let mut idle = 0;
        let mut before = self.events;
        while self.events < events {
            if self.step()? == Step::Over {
                return Ok(Step::Over);
            }
            idle = if self.events == before { idle + 1 } else { 0 };
            assert!(idle < IDLE_STEPS_MAX, "the world of seed {} runs in circles", self.plan.seed);
            before = self.events;
        }
        Ok(Step::Goes)
    }

    fn happen(&mut self, what: What) -> Verdict {
        match what {
            What::Process { index, token } => self.process_goes_on(index as usize, token),
            What::ExitSeen { index, token } => self.exit_seen(index as usize, token),
            What::Stale { slot } => self.repeat_stale(slot),
            What::Enumeration => self.enumerate(),
            What::Reconcile => {
                // Never at the very moment at which a wait for a logoff is over, which is as long.
                let next = self.now + RECONCILE + self.rng.below(MS);
                self.schedule.push(next, What::Reconcile);
                self.enumerate()
            }
            What::Life => self.live(),
            What::SessionGone { place, serial } => {
                self.session_gone(place as usize, serial);
                Ok(())
            }
            What::LogoffSeen { place, serial } => {
                if self.places[place as usize].serial == serial {
                    self.close_session(place as usize);
                }
                Ok(())
            }
            What::EnvironmentKnown { place, serial } => {
                self.environment_known(place as usize, serial);
                Ok(())
            }
            What::SessionComplete { place, serial } => {
                self.session_complete(place as usize, serial);
                Ok(())
            }
            What::Resume => self.resume(),
            What::ShutdownOutcome => self.shutdown_outcome(),
            What::Spurious => self.tell(Event::Tick),
        }
    }

    /// Hands one event to the core, executes what it answers, and has the oracle judge both.
    pub(crate) fn tell(&mut self, event: Event) -> Verdict {
        let now = Time::from_nanos(self.now);
        self.events += 1;
        self.coverage.event(&event);
        if let Some(trace) = &mut self.trace {
            trace.event(self.events, self.now, &event);
        }
        self.oracle.before(now, &event, &self.core)?;
        self.core.handle(now, event);
        while let Some(action) = self.core.poll_action() {
            if let Some(trace) = &mut self.trace {
                trace.action(&action, &self.core);
            }
            self.coverage.action(&action, &self.core);
            self.oracle.action(&action, &self.core)?;
            self.execute(action)?;
        }
        self.oracle.after(&self.core)?;
        let deadline = self.core.next_deadline();
        if deadline != self.deadline {
            self.deadline = deadline;
            self.tick_at = match deadline {
                None => NEVER,
                Some(deadline) if self.strikes(Fault::TickLate) => {
                    deadline.as_nanos() + self.rng.span(1_000, 20 * MS)
                }
                Some(deadline) => deadline.as_nanos(),
            };
        }
        Ok(())
    }

    fn execute(&mut self, action: Action) -> Verdict {
        match action {
            Action::Launch(key, generation) => self.launch(key, generation),
            Action::AskToStop { instance, generation, .. } => {
                self.asked_to_stop(instance, generation);
                Ok(())
            }
            Action::Terminate(key, generation) => {
                self.terminated(key, generation);
                Ok(())
            }
            Action::Kill(key, generation) => {
                self.killed(key, generation);
                Ok(())
            }
            Action::Abandon(key, generation) => {
                self.abandoned(key, generation);
                Ok(())
            }
            Action::Finished => {
                if self.calm_since.is_some() {
                    self.over = true;
                } else {
                    self.schedule.push(self.now, What::Life);
                }
                Ok(())
            }
            Action::Sweep(..)
            | Action::LeaveSurvivors(..)
            | Action::TellSession(..)
            | Action::Changed(_)
            | Action::Progress { .. } => Ok(()),
        }
    }

    /// A new life of the service: everything that it knows, it learns again.
    pub(crate) fn begin_life(&mut self) -> Verdict {
        self.core = Supervisor::new(self.rng.bits());
        self.oracle.begin_life();
        (self.service, self.asleep, self.shutdown) = (Service::Up, false, false);
        (self.deadline, self.tick_at) = (None, NEVER);
        // What was on its way to the service went down with it.
        self.stale = [(NOBODY, 0); 8];
        let keep = self.on_service_stop == OnServiceStop::Keep;
        if self.serial > 0 && self.rng.per_mille(200) {
            self.on_service_stop = plan::on_service_stop(&mut self.rng);
        }
        // Workers need no enumeration: after the configuration it is too late to find one.
        for index in self.grid.at(self.grid.machine()) {
            self.survive_service(index, keep)?;
        }
        let configured_first = self.rng.per_mille(500);
        if configured_first {
            self.tell_configuration()?;
        }
        for index in 0..self.grid.at(self.grid.machine()).start {
            self.survive_service(index, keep)?;
        }
        if !configured_first {
            self.tell_configuration()?;
        }
        self.enumerate()
    }

    pub(crate) fn tell_configuration(&mut self) -> Verdict {
        let specs = self.specs.iter().enumerate();
        let specs = specs
            .filter_map(|(number, spec)| Some((SpecId(number as u32), Spec::clone(spec.as_ref()?))))
            .collect();
        self.tell(Event::Configured { specs, on_service_stop: self.on_service_stop })
    }

    pub(crate) fn any_spec(&mut self, number: usize) -> Spec {
        self.fingerprint += 1;
        plan::spec(&mut self.rng, number, self.fingerprint)
    }

    /// Leaves the world alone once it is old enough, sees that it settles, and stops it.
    fn settle(&mut self) -> Verdict {
        if self.events < self.plan.events || self.service != Service::Up || self.settled {
            return Ok(());
        }
        let Some(since) = self.calm_since else {
            self.calm_since = Some(self.now);
            self.rates = [0; faults::COUNT];
            self.calm_processes();
            return Ok(());
        };
        if self.now - since < SETTLE {
            return Ok(());
        }
        self.settled = true;
        self.coverage.settled += 1;
        let facts: Vec<Session> = self.facts();
        self.oracle.settled(&facts)?;
        self.stop_service()
    }

    /// Whether the world is left alone.
    pub(crate) fn is_calm(&self) -> bool {
        self.calm_since.is_some()
    }

    /// Whether a fault strikes on this occasion.
    #[inline]
    pub(crate) fn strikes(&mut self, fault: Fault) -> bool {
        let strikes = self.rng.per_mille(self.rates[fault as usize]);
        if strikes {
            self.coverage.fault(fault);
        }
        strikes
    }

    pub(crate) fn logon(&self, place: usize) -> Logon {
        if place == self.grid.machine() {
            return Logon::MACHINE;
        }
        logon(self.places[place].serial, place)
    }

    pub(crate) fn index(&self, key: InstanceKey) -> usize {
        self.grid.index(key)
    }

    pub(crate) fn key(&self, index: usize) -> InstanceKey {
        InstanceKey { logon: self.processes[index].logon, spec: SpecId(self.grid.number(index) as u32) }
    }
}

pub(crate) fn logon(serial: u32, place: usize) -> Logon {
    Logon(serial << PLACE_BITS | place as u32)
}

/// Which place a logon's number names.
pub(crate) fn place_of(logon: Logon) -> usize {
    (logon.0 & ((1 << PLACE_BITS) - 1)) as usize
}
