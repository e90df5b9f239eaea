//! The loop of layer 0.
//!
//! Everything that can happen reaches the loop as [`News`] from the task that saw it, becomes an [`Event`] for the core, and
//! the core's [`Action`]s are executed before the next piece of news is read. The loop decides nothing: who runs, when and
//! why is the core's business, and *how* is the platform's.
//!
//! **Architecture invariants:** there is one loop and it owns all state; nothing in it waits for anything but the next piece
//! of news or the core's next deadline; nothing in it is periodic.

mod adopt;
mod agents;
mod control;
mod doors;
mod endpoint;
mod execute;
mod host;
mod launch;
mod message;
mod news;
mod pace;
mod reload;
mod runs;
mod seats;
mod select;
mod sessions;
mod start;
mod status;
mod translate;
mod watch;
mod workers;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{Event, InstanceKey, Logon, LogonTable, SpecId, StopReason, Supervisor, Time};
use bilayer_ipc::agent::{PowerChanged, PowerEvent};
use bilayer_ipc::control::{Power, ServiceMode};
use bilayer_ipc::{Limits, method};
use bilayer_platform::{Alarm, Dirs, Exit, Outputs, ServiceHost, Signal, Vacated};
use jiff::Timestamp;
use tokio::sync::watch as latest;
use tokio::sync::{Notify, mpsc};

use crate::builder::{Loader, Methods};
use crate::config::{self, Config};
use crate::log::{Held, id};
use crate::observe::{Observation, Observer};
use crate::state::{Records, Session};
use news::News;
use runs::Runs;
use seats::Seat;
use workers::Post;

pub(crate) use start::start;

/// How long everything may take to end when nobody sets a deadline.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(90);

pub(crate) struct Driver {
    core: Supervisor,
    pending: VecDeque<Event>,
    news: mpsc::Sender<News>,

    config: Config,
    /// Console programs show a window.
    console_windows: bool,
    agents: HashMap<SpecId, config::Agent>,
    workers: HashMap<SpecId, config::Worker>,
    spec_ids: BTreeMap<String, SpecId>,
    loader: Loader,

    logons: LogonTable,
    seats: BTreeMap<Logon, Seat>,
    posts: BTreeMap<SpecId, Post>,
    runs: Runs,
    /// Where processes lived that have ended, for those that are started in the same breath.
    vacated: Vec<(InstanceKey, Vacated)>,
    /// Ends that are not in the log yet.
    untold: Vec<(InstanceKey, u32, Exit)>,
    notes: HashMap<InstanceKey, Note>,
    records: Records,
    /// Where kept agents print to, once one did.
    outputs: Option<Outputs>,
    /// It was said that they cannot be had.
    said_no_outputs: bool,

    dirs: Dirs,
    /// Tells this installation, or this run in a console, from others on the machine.
    installation: String,
    identity: String,
    limits: Arc<Limits>,
    methods: Arc<Methods>,
    observer: Option<Observer>,

    /// Why the sessions cannot be enumerated now.
    sessions_error: Option<String>,
    /// The service manager that started this program, if one did.
    host: Option<ServiceHost>,
    /// How many agents, sessions and workers it was told of.
    told: Option<(usize, usize, usize)>,
    mode: ServiceMode,
    since: Timestamp,
    log: Option<String>,
    power: Power,
    /// The configuration is being read, and whether it was changed again meanwhile.
    reading: bool,
    read_again: bool,
    stopping: bool,
    finished: bool,
    /// How many agents live on without the service.
    abandoned: usize,
    /// Told when every agent has ended because the system shuts down.
    all_ended: Arc<Notify>,
    /// Whether an agent serves logon screens, for whoever enumerates the sessions.
    greeters: latest::Sender<bool>,
}

/// What people want to know about an instance and the core does not.
#[derive(Default)]
struct Note {
    /// When it came into its state.
    since: Option<Timestamp>,
    /// When its last process ended.
    exited_at: Option<Timestamp>,
    /// Why its last launch failed.
    error: Option<String>,
    /// What the agent says of itself.
    status: Option<String>,
}

impl Driver {
    /// Supervises until the core says that nothing is left to do. Says how many agents live on.
    async fn run(mut self, mut inbox: mpsc::Receiver<News>, mut alarm: Alarm) -> (Option<Observer>, usize) {
        let mut news = None;
        while !self.answer(news) {
            alarm.set(self.core.next_deadline().map(Time::as_nanos));
            news = tokio::select! {
                biased;
                Some(news) = inbox.recv() => Some(news),
                () = alarm.ring() => None,
            };
        }
        (self.observer, self.abandoned)
    }

    /// Takes a piece of news, if there is one, and does all that follows from it and all that is due. Returns whether nothing
    /// is left to do.
    fn answer(&mut self, news: Option<News>) -> bool {
        let _held = Held::new();
        if let Some(news) = news {
            self.hear(news);
        }
        self.settle();
        // Looked at after every piece of news: whoever brings more and more of it, an agent at the end of its grace for
        // example, must not keep what is due from happening.
        let due = self.core.next_deadline().is_some_and(|at| at.as_nanos() <= bilayer_platform::now());
        if due && !self.finished {
            self.pending.push_back(Event::Tick);
            self.settle();
        }
        self.look_alive();
        self.finished
    }

    /// Feeds the core until there is nothing more to tell it. An action may itself cause an event.
    fn settle(&mut self) {
        while let Some(event) = self.pending.pop_front() {
            let now = Time::from_nanos(bilayer_platform::now());
            self.observe(|| Observation::Event(event.clone()));
            self.core.handle(now, event);
            while let Some(action) = self.core.poll_action() {
                self.observe(|| Observation::Action(action));
                self.execute(action);
            }
        }
        self.vacated.clear();
        self.tell_exits();
    }

    /// Takes one piece of news.
    fn hear(&mut self, news: News) {
        match news {
            News::Sessions(sessions) => {
                self.sessions_error = None;
                self.hear_sessions(sessions);
            }
            News::SessionsUnknown(error) => self.sessions_error = Some(error),
            News::Suspend => self.hear_power(Power::Suspending, PowerEvent::Suspend, Event::Suspend),
            News::Resume => self.hear_power(Power::Awake, PowerEvent::Resume, Event::Resume),
            News::ShutdownAnnounced(within) => {
                tracing::info!(
                    event = id::SHUTDOWN,
                    "the system shuts down; agents have {} s",
                    within.as_secs_f32()
                );
                self.pending.push_back(Event::ShutdownAnnounced(within));
                self.settle();
                if self.runs.is_empty() {
                    self.all_ended.notify_one();
                }
            }
            News::ShutdownCalledOff => {
                tracing::info!(event = id::SHUTDOWN_CALLED_OFF, "the shutdown was called off");
                self.pending.push_back(Event::ShutdownCalledOff);
            }
            News::Signal(Signal::Stop) => self.stop(StopReason::ServiceStop, STOP_WITHIN),
            News::Stop(reason, within) => {
                let within = within.unwrap_or_else(|| self.config.longest_grace().max(STOP_WITHIN));
                self.stop(reason, within);
            }
            News::Signal(Signal::Reload) => self.read_config(None),
            News::Account(instance, errand, sought) => self.hear_sought(instance, errand, *sought),
            News::Launched(instance, generation, launching) => {
                self.hear_launched(instance, generation, *launching);
            }
            News::Exited(instance, generation, exit) => self.hear_exit(instance, generation, exit),
            News::Hello(hello) => self.hear_hello(hello),
            News::Agent(instance, generation, said) => self.hear_agent(instance, generation, said),
            News::Control(request) => self.hear_control(request),
            News::Reloaded(read, answer) => self.hear_reloaded(read, answer),
        }
    }

    /// Ends everything. Asking again changes nothing: the agents have their grace, and it is bounded.
    fn stop(&mut self, reason: StopReason, within: Duration) {
        if std::mem::replace(&mut self.stopping, true) {
            let left = self.runs.count();
            tracing::info!(
                "still stopping: {left} agents have not ended; each is killed at the end of its grace"
            );
            return;
        }
        tracing::info!(
            event = id::STOPPING,
            "stopping: {}",
            if self.keeps() && reason == StopReason::ServiceStop {
                "agents live on, as on_service_stop says"
            } else {
                "agents are asked to leave"
            }
        );
        self.pending.push_back(Event::Stop(reason, within));
    }

    fn hear_power(&mut self, power: Power, told: PowerEvent, event: Event) {
        tracing::info!(
            "{}",
            if power == Power::Awake { "the machine woke up" } else { "the machine is about to sleep" }
        );
        self.power = power;
        for (_, run) in self.runs.iter() {
            if let Some(wire) = &run.wire {
                // An agent that cannot be told is cut off by its own connection.
                let _ = wire.peer.notify(method::POWER_CHANGED, &PowerChanged { event: told });
            }
        }
        self.pending.push_back(event);
    }

    fn observe(&mut self, observation: impl FnOnce() -> Observation) {
        if let Some(observer) = &mut self.observer {
            observer(&observation());
        }
    }

    fn name_of(&self, instance: InstanceKey) -> String {
        // One that was taken over has no spec of its own before the configuration is told.
        let spec = self.core.spec(instance.spec).filter(|spec| !spec.name.is_empty());
        spec.map_or_else(|| self.removed_name(instance.spec), |spec| spec.name.to_string())
    }

    /// The name of a spec that is not configured any more.
    fn removed_name(&self, id: SpecId) -> String {
        self.spec_ids
            .iter()
            .find(|(_, known)| **known == id)
            .map_or_else(String::new, |(name, _)| name.clone())
    }

    /// The id of its session; a worker has none.
    fn session_of(&self, instance: InstanceKey) -> String {
        match self.seats.get(&instance.logon) {
            Some(seat) => seat.info.id.clone(),
            None => self.kept_session(instance).map_or_else(String::new, |session| session.id.clone()),
        }
    }

    /// Whose process it is; of a worker the account.
    fn user_of(&self, instance: InstanceKey) -> String {
        if instance.logon.is_machine() {
            return self.posts.get(&instance.spec).map_or_else(String::new, |post| post.user.name.clone());
        }
        match self.seats.get(&instance.logon) {
            Some(seat) => seat.info.user.name.clone(),
            None => self.kept_session(instance).map_or_else(String::new, |session| session.user.clone()),
        }
    }

    /// The session of an agent that was taken over, as it was when that was launched.
    fn kept_session(&self, instance: InstanceKey) -> Option<&Session> {
        self.runs.current(instance)?.kept.as_ref().map(|kept| &kept.record.session)
    }
}
