//! `bilayer demo`: the engine at work, for somebody who sees it for the first time.
//!
//! Everything is real but the sessions: layer 0 is the [`Service`] of `bilayer run`, its agents are processes that speak
//! the wire ([`agent`]), and what happens to them is asked for over the control endpoint. Only who logs on is made up
//! ([`day`]), so it runs as whoever started it, changes no uid and needs no configuration; all it writes is below a
//! temporary folder that goes when it ends.
//!
//! Three things run side by side on one thread: the service, the [`stage`] that plays the day, and a view of the
//! [`model`], which is a [`picture`] on a terminal and lines of text elsewhere.

pub(crate) mod agent;
mod day;
mod model;
mod picture;
mod stage;
mod summary;
mod translate;
mod view;

use std::cell::RefCell;
use std::io::IsTerminal;
use std::path::Path;
use std::rc::Rc;
use std::time::Instant;

use bilayer::config::{self, Config, Loading, Style, Unchecked};
use bilayer::{Script, Service, SessionSource, chain};
use bilayer_platform::{Dirs, Signals};
use tokio::sync::Notify;

use crate::args::Demo;
use crate::failure::Failure;
use crate::screen::{self, Screen};

use model::Model;
use stage::Stage;
use translate::Translator;
use view::View;

/// The agent that serves one session at a time, the one in front.
const FOLLOWS_CONSOLE: &str = "desk";

/// The model, and a bell that rings when it changed.
#[derive(Clone, Default)]
struct Shared {
    model: Rc<RefCell<Model>>,
    changed: Rc<Notify>,
}

impl Shared {
    /// Changes the model and rings.
    fn change<R>(&self, change: impl FnOnce(&mut Model) -> R) -> R {
        let result = change(&mut self.model.borrow_mut());
        self.changed.notify_waiters();
        result
    }
}

pub(crate) async fn run(args: &Demo, screen: &Screen) -> Result<(), Failure> {
    let folder = tempfile::Builder::new().prefix("bilayer-demo-").tempdir();
    let folder =
        folder.map_err(|error| Failure::failed(format!("cannot make a temporary folder: {error}")))?;
    let at = |name: &str| folder.path().join(name);
    let dirs = Dirs { runtime: at("run"), state: at("state"), log: at("log") };
    let (director, script) = Script::new();
    let (facts, mut reports) = tokio::sync::mpsc::channel(1024);
    let mut translator = Translator::default();
    let service = Service::builder(configuration(folder.path())?)
        .sessions(SessionSource::Scripted(script))
        .dirs(dirs.clone())
        .signals(false)
        .observe(move |observation| {
            if let Some(fact) = translator.read(observation) {
                // A full queue means a view that hangs: the engine does not wait for it.
                let _ = facts.try_send((fact, Instant::now()));
            }
        });

    let shared = Shared::default();
    let stage = Stage::new(director, dirs, shared.clone(), args.speed);
    let signals = Signals::new();
    let mut signals =
        signals.map_err(|error| Failure::failed(format!("cannot listen for signals: {error}")))?;
    let mut view = View::open(args.plain || !std::io::stdout().is_terminal(), screen)?;
    let ended = tokio::select! {
        ended = service.run() => ended,
        never = listen(&mut reports, &shared) => match never {},
        never = stage.play() => match never {},
        never = view.show(&shared, &stage) => match never {},
        never = leave_at_signal(&mut signals, &stage) => match never {},
    };
    while let Ok((fact, at)) = reports.try_recv() {
        shared.change(|model| model.apply(fact, at));
    }
    shared.change(|model| model.finished(Instant::now()));
    view.close(&shared)?;
    ended.map_err(|error| Failure::failed(chain(&error)))?;
    if let Some(failure) = stage.failure() {
        return Err(failure);
    }
    if stage.was_left() {
        return screen::print("The demo was left; everything it had started is stopped.\n");
    }
    screen::print(&summary::text(&shared.model.borrow(), screen))
}

/// Brings what the engine reports into the model.
async fn listen(
    reports: &mut tokio::sync::mpsc::Receiver<(model::Fact, Instant)>,
    shared: &Shared,
) -> std::convert::Infallible {
    while let Some((fact, at)) = reports.recv().await {
        shared.change(|model| model.apply(fact, at));
    }
    std::future::pending().await
}

/// Any signal ends the demo. The service would take SIGHUP as the wish to reload; here it says that the terminal is gone.
async fn leave_at_signal(signals: &mut Signals, stage: &Stage) -> std::convert::Infallible {
    signals.next().await;
    stage.leave().await;
    std::future::pending().await
}

/// Two agents, run by this very program.
fn configuration(folder: &Path) -> Result<Config, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| Failure::failed(format!("cannot find the program of this process: {error}")))?;
    let command = serde_json::json!([program, "demo-agent"]);
    let text = format!(
        r#"
[service]
name = "demo"

[agent.{FOLLOWS_CONSOLE}]
command = {command}
sessions = "console"
heartbeat = "2s"
stop = {{ grace = "2s" }}
needs_display = false
exit_codes = {{ {LOGGING_OFF} = "logging-off" }}
trust_writable_program = true

[agent.sync]
command = {command}
sessions = "all"
needs_display = false
trust_writable_program = true
"#,
        LOGGING_OFF = agent::LOGGING_OFF,
    );
    let loading = Loading { privileged: false, checks: &Unchecked };
    match config::load_text(&folder.join("demo.toml"), &text, &loading) {
        Ok(loaded) => Ok(loaded.config),
        Err(report) => {
            Err(Failure::failed(format!("the demo's own configuration:\n{}", report.render(Style::PLAIN))))
        }
    }
}
