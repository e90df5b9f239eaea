//! Putting the loop together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{LogonTable, Supervisor};
use bilayer_ipc::agent::Program;
use bilayer_ipc::control::{Power, ServiceMode};
use bilayer_platform::{Alarm, Dirs, Elevation, Listener, ServiceHost, Signals, TokenSource};
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::control::Admits;
use super::news::News;
use super::runs::Runs;
use super::sessions::RECONCILE_EVERY;
use super::{Driver, STOP_WITHIN, control, host, sessions};
use crate::builder::{Builder, RunError};
use crate::config::Config;
use crate::log::id;
use crate::observe::Observation;
use crate::source::{SessionSource, Source};
use crate::state::Records;

/// News that may wait for the loop. Whoever brings more waits too, and that is where a flood ends.
const NEWS_WAITING_MAX: usize = 256;

/// How long after its begin the start is over, and its code is not needed any more.
const STARTED_AFTER: Duration = Duration::from_secs(1);

/// Opens everything, supervises until the end, closes everything.
pub(crate) async fn start(builder: Builder) -> Result<(), RunError> {
    let Builder { config, loader, source, methods, observer, signals, dirs, host, console_windows } = builder;
    let is_console = matches!(source, SessionSource::Console);
    let mode = match source {
        SessionSource::System => ServiceMode::System,
        SessionSource::Console | SessionSource::Scripted(_) => ServiceMode::Console,
    };
    // A service manager starts nobody by mistake, and what the account of the service may not do is known by its answers.
    if mode == ServiceMode::System && host.is_none() && !bilayer_platform::is_privileged() {
        return Err(RunError::NotPrivileged);
    }
    bilayer_platform::raise_descriptor_limit();
    if is_console {
        warn_of_what_only_a_service_does(&config);
    }
    if host.is_none() {
        warn_of_a_grace_that_is_cut(&config);
    }
    let dirs = dirs.unwrap_or_else(|| match mode {
        ServiceMode::System => Dirs::system(&config.service.name),
        ServiceMode::Console => Dirs::console(&config.service.name, &config.source),
    });
    dirs.ensure().map_err(RunError::Folders)?;
    let listener = Listener::for_control(&dirs).map_err(RunError::Control)?;
    let alarm = Alarm::new().map_err(RunError::Timer)?;
    let reconcile = Alarm::new().map_err(RunError::Timer)?;
    // Subscribed before anything is enumerated, so that no logon falls in between.
    let mut source = Source::open(source, &config.service.name).await.map_err(RunError::Sessions)?;

    let (news, inbox) = mpsc::channel(NEWS_WAITING_MAX);
    let limits = Arc::new(config.wire.clone());
    let service = Program { name: config.service.name.clone(), version: env!("CARGO_PKG_VERSION").into() };
    let admits = if mode == ServiceMode::System { Admits::Administrators } else { Admits::SameUser };
    let mut tasks = JoinSet::new();
    tasks.spawn(control::accept(listener, admits, service, Arc::clone(&limits), news.clone()));
    if signals {
        tasks.spawn(listen(Signals::new().map_err(RunError::Signals)?, news.clone()));
    }
    if let Some(host) = &host {
        let (hints, told) = mpsc::channel(host::HINTS_WAITING_MAX);
        source.also_hear(told);
        tasks.spawn(host::forward(host.clone(), hints, news.clone()));
        host.running();
    }
    let watched = host.as_ref().and_then(ServiceHost::round_within);
    let every = watched.map_or(RECONCILE_EVERY, |within| within.min(RECONCILE_EVERY));

    let log_file =
        crate::log::file_in(config.log.directory.as_deref().unwrap_or(&dirs.log), &config.service.name);
    tasks.spawn(async {
        tokio::time::sleep(STARTED_AFTER).await;
        bilayer_platform::forget_startup();
    });
    let all_ended = Arc::new(Notify::new());
    let (greeters, greeters_wanted) = watch::channel(false);
    let mut driver = Driver {
        core: Supervisor::new(u64::from_ne_bytes(bilayer_platform::random_bytes())),
        pending: VecDeque::new(),
        news: news.clone(),
        config: config.clone(),
        console_windows,
        agents: HashMap::new(),
        workers: HashMap::new(),
        spec_ids: BTreeMap::new(),
        // An administrator's console run serves that administrator only, so it asks no more of its files than another's.
        loader: loader.privileged(mode == ServiceMode::System),
        logons: LogonTable::new(),
        seats: BTreeMap::new(),
        posts: BTreeMap::new(),
        runs: Runs::default(),
        vacated: Vec::new(),
        untold: Vec::new(),
        notes: HashMap::new(),
        records: Records::of(&dirs),
        outputs: None,
        said_no_outputs: false,
        installation: installation(&dirs, &config.service.name),
        log: log_file.exists().then(|| log_file.display().to_string()),
        dirs,
        identity: bilayer_platform::server_identity(),
        limits,
        methods: Arc::new(methods),
        observer,
        sessions_error: None,
        host,
        mode,
        since: Timestamp::now(),
        power: Power::Awake,
        reading: false,
        read_again: false,
        told: None,
        stopping: false,
        finished: false,
        abandoned: 0,
        all_ended: Arc::clone(&all_ended),
        greeters,
    };
    tracing::info!(
        event = id::STARTED, name = %driver.config.service.name, version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), ?mode,
        config = %driver.config.source.display(), "started"
    );
    // The configuration starts workers: what is left of them is told before.
    driver.adopt();
    driver.clear_machine();
    driver.configure(config);
    driver.settle();
    driver.find_accounts_again();
    if mode == ServiceMode::Console && driver.config.workers.iter().any(|worker| worker.account.is_some()) {
        tracing::info!(
            "workers run as whoever runs this console; the accounts that they name are for a service"
        );
    }
    tasks.spawn(sessions::follow(source, reconcile, every, greeters_wanted, all_ended, news));
    // A task like those that bring the news: waking the runtime's outermost future would cost a system call each time.
    let ended = tokio::spawn(driver.run(inbox, alarm)).await;
    let (mut observer, abandoned) =
        ended.unwrap_or_else(|panic| std::panic::resume_unwind(panic.into_panic()));
    tasks.shutdown().await;
    match abandoned {
        0 => tracing::info!(event = id::STOPPED, "stopped: every agent has ended"),
        count => tracing::info!(
            event = id::STOPPED,
            "stopped: {count} agents live on until the next start takes them over"
        ),
    }
    crate::log::flush();
    if let Some(observer) = &mut observer {
        observer(&Observation::Finished);
    }
    Ok(())
}

/// In a console an agent has the rights of whoever started this program, and no others.
fn warn_of_what_only_a_service_does(config: &Config) {
    for agent in &config.agents {
        let command = &agent.command;
        for (key, is_set) in [
            ("elevation", command.elevation != Elevation::default()),
            ("token", command.token != TokenSource::default()),
        ] {
            if is_set {
                tracing::warn!(
                    agent = agent.name,
                    "{key} has no effect here: it is for the installed service"
                );
            }
        }
    }
}

/// A service manager waits for as long as the most patient needs; a person at a console does not.
fn warn_of_a_grace_that_is_cut(config: &Config) {
    for (name, spec) in config.supervised().filter(|(_, spec)| spec.grace > STOP_WITHIN) {
        tracing::warn!(
            agent = name,
            "its grace is {} s; when this run is stopped it is cut to {} s",
            spec.grace.as_secs(),
            STOP_WITHIN.as_secs()
        );
    }
}

/// A service's name is its own on its machine; a run in a console shares it with every other run of the same name.
fn installation(dirs: &Dirs, name: &str) -> String {
    if *dirs == Dirs::system(name) { name.to_owned() } else { format!("{name}-{}", dirs.digest()) }
}

async fn listen(mut signals: Signals, news: mpsc::Sender<News>) {
    while news.send(News::Signal(signals.next().await)).await.is_ok() {}
}
