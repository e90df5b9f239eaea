//! `bilayer config check|init|print|schema`

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

use bilayer::config::{self, Finding, Loaded, Loading, Machine, MachineAndAccounts, Report, Severity, Style};
use bilayer_core::{OnServiceStop, Serve, Spec};
use serde::Serialize;

use super::needed;
use crate::args::{Config, Format};
use crate::failure::Failure;
use crate::screen::{self, Screen};
use crate::table::{Cell, Table};
use crate::words::count;

pub(super) fn run(given: Option<&Path>, which: &Config, screen: &Screen) -> Result<(), Failure> {
    match which {
        Config::Check { file, format: Format { json } } => {
            let file = needed(file.as_deref().or(given))?;
            if *json { check_for_programs(file) } else { check(file, screen) }
        }
        Config::Init { file } => init(file),
        Config::Print { file } => {
            let loaded = load(needed(file.as_deref().or(given))?, privileged(false), screen)?;
            screen::print(&config::print(&loaded.config))
        }
        Config::Schema => screen::print_json(&config::json_schema()),
    }
}

/// Reads the configuration as a service would; every mistake at once is the failure.
pub(super) fn load(file: &Path, privileged: bool, screen: &Screen) -> Result<Loaded, Failure> {
    read(file, privileged).map_err(|report| unusable(&report, screen))
}

/// The same in the service itself, which has no module of the name service in its process: what only that could warn of, `check` says.
pub(super) fn load_to_run(file: &Path, privileged: bool, screen: &Screen) -> Result<Loaded, Failure> {
    config::load(file, &Loading { privileged, checks: &Machine }).map_err(|report| unusable(&report, screen))
}

fn unusable(report: &Report, screen: &Screen) -> Failure {
    Failure::usage(format!("{UNUSABLE}:\n{}", rendered(report, screen)))
}

fn read(file: &Path, privileged: bool) -> Result<Loaded, Report> {
    config::load(file, &Loading { privileged, checks: &MachineAndAccounts::default() })
}

const UNUSABLE: &str = "this configuration cannot be used";

/// Whether the service would start programs as other users.
pub(super) fn privileged(console: bool) -> bool {
    !console && bilayer_platform::is_privileged() && bilayer_platform::has_session_tracking()
}

pub(super) fn rendered(report: &Report, screen: &Screen) -> String {
    let mut style = screen.width.map_or(Style::PLAIN, Style::terminal);
    style.color &= screen.color;
    report.render(style).trim_end().to_owned()
}

fn check(file: &Path, screen: &Screen) -> Result<(), Failure> {
    let loaded = load(file, privileged(false), screen)?;
    let mut text = String::new();
    if !loaded.warnings.is_empty() {
        text.push_str(&rendered(&loaded.warnings, screen));
        text.push_str("\n\n");
    }
    let config = &loaded.config;
    let agents = count(config.agents.len(), "agent");
    let both = match (config.agents.len(), config.workers.len()) {
        (_, 0) => agents,
        (0, workers) => count(workers, "worker"),
        (_, workers) => format!("{agents} and {}", count(workers, "worker")),
    };
    text.push_str(&format!("ok: {} runs {both}\n", config.service.name));
    text.push_str(match config.service.on_service_stop {
        OnServiceStop::Stop => "agents end with the service\n",
        OnServiceStop::Keep => {
            "agents live on while the service is away, and its next start takes them over\n"
        }
    });
    let mut table = Table::new(&["AGENT", "RUNS IN", "PROGRAM"]);
    for agent in &config.agents {
        let program = agent.command.program.display().to_string();
        table.row(vec![Cell::new(&agent.name), Cell::new(place(&agent.spec)), Cell::new(program)]);
    }
    for worker in &config.workers {
        let program = worker.command.program.display().to_string();
        let account = worker.account.as_deref().unwrap_or("whoever runs it in a console");
        let place = format!("{}, as {account}", place(&worker.spec));
        table.row(vec![Cell::new(&worker.name), Cell::new(place), Cell::new(program)]);
    }
    if !table.is_empty() {
        text.push_str(&table.render(screen));
    }
    screen::print(&text)
}

/// What `config check --json` prints.
#[derive(Serialize)]
struct Checked<'c> {
    file: &'c Path,
    /// Whether a service starts with it.
    usable: bool,
    /// The name of the service; null where the file is not usable.
    service: Option<&'c str>,
    agents: Vec<&'c str>,
    workers: Vec<&'c str>,
    findings: Vec<Found<'c>>,
}

/// One mistake or warning.
#[derive(Serialize)]
struct Found<'c> {
    /// "error" or "warning".
    severity: &'static str,
    message: &'c str,
    hint: Option<&'c str>,
    /// From 1; null where the finding is about the file as a whole.
    line: Option<usize>,
    /// In characters, from 1.
    column: Option<usize>,
}

impl<'c> Found<'c> {
    fn of(finding: &'c Finding) -> Self {
        Self {
            severity: match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            message: &finding.message,
            hint: finding.hint.as_deref(),
            line: finding.line,
            column: finding.column,
        }
    }
}

fn check_for_programs(file: &Path) -> Result<(), Failure> {
    let read = read(file, privileged(false));
    let (report, config) = match &read {
        Ok(loaded) => (&loaded.warnings, Some(&loaded.config)),
        Err(report) => (report, None),
    };
    screen::print_json(&Checked {
        file,
        usable: config.is_some(),
        service: config.map(|config| config.service.name.as_str()),
        agents: config.iter().flat_map(|config| &config.agents).map(|agent| agent.name.as_str()).collect(),
        workers: config
            .iter()
            .flat_map(|config| &config.workers)
            .map(|worker| worker.name.as_str())
            .collect(),
        findings: report.findings().iter().map(Found::of).collect(),
    })?;
    if config.is_some() { Ok(()) } else { Err(Failure::usage(UNUSABLE)) }
}

/// "the session at the console, of users alice and bob".
fn place(spec: &Spec) -> String {
    let mut text = match (spec.serve, spec.remote) {
        (Serve::Machine, _) => "the machine".to_owned(),
        (Serve::Console, _) => "the session at the console".to_owned(),
        (Serve::Active, None) => "every active session".to_owned(),
        (Serve::Active, Some(true)) => "every active remote session".to_owned(),
        (Serve::Active, Some(false)) => "every active local session".to_owned(),
        (Serve::All, None) => "every session".to_owned(),
        (Serve::All, Some(true)) => "every remote session".to_owned(),
        (Serve::All, Some(false)) => "every local session".to_owned(),
    };
    if !spec.users.is_empty() {
        text.push_str(&format!(" of {}", spec.users.join(", ")));
    }
    if !spec.groups.is_empty() {
        let both = if spec.users.is_empty() { "" } else { "," };
        text.push_str(&format!("{both} of members of {}", spec.groups.join(", ")));
    }
    if spec.greeter {
        text.push_str(", and the logon screen");
    }
    text
}

fn init(file: &Path) -> Result<(), Failure> {
    // `create_new` never follows a link to, or overwrites, what somebody else put there.
    let opened = OpenOptions::new().write(true).create_new(true).open(file);
    let mut opened = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => Failure::failed(format!(
            "{} exists already and was left alone; choose another name",
            file.display()
        )),
        _ => Failure::io(format!("cannot write the configuration {}", file.display()), &error),
    })?;
    opened
        .write_all(config::sample().as_bytes())
        .map_err(|error| Failure::io(format!("cannot write the configuration {}", file.display()), &error))?;
    let name = file.display();
    screen::print(&format!(
        "{name} is written. Next:\n  bilayer config check {name}   what would run, and where\n  \
         bilayer run -c {name}         run it, until Ctrl-C\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_in_words() {
        let mut spec = Spec::new("desk");
        assert_eq!(place(&spec), "the session at the console");
        spec.serve = Serve::Active;
        spec.remote = Some(true);
        spec.users = vec!["alice".to_owned(), "bob".to_owned()];
        assert_eq!(place(&spec), "every active remote session of alice, bob");
        spec.groups = vec!["staff".to_owned()];
        spec.greeter = true;
        assert_eq!(
            place(&spec),
            "every active remote session of alice, bob, of members of staff, and the logon screen"
        );
    }
}
