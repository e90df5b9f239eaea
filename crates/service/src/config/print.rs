//! The effective configuration, with every default, as the file would write it.

use std::fmt::{self, Display, Formatter, Write as _};
use std::path::Path;

use bilayer_core::Spec;
use bilayer_platform::{Elevation, TokenSource};

use super::agent::words;
use super::service::words as managed;
use super::supervised::words as common;
use super::value::{show_duration, show_size};
use super::{Agent, Command, Config, Service, Worker};

/// `config` as TOML with every default written out. Loading the text again gives the same configuration.
pub fn print(config: &Config) -> String {
    let mut out = String::new();
    write(config, &mut out).expect("writing to a string does not fail");
    out
}

fn write(config: &Config, out: &mut String) -> fmt::Result {
    writeln!(out, "[service]")?;
    writeln!(out, "name = {}", Text(&config.service.name))?;
    writeln!(out, "display_name = {}", Text(&config.service.display_name))?;
    writeln!(out, "description = {}", Text(&config.service.description))?;
    writeln!(out, "on_service_stop = \"{}\"", managed::on_service_stop(config.service.on_service_stop))?;
    write_managed(&config.service, out)?;
    for agent in &config.agents {
        writeln!(out)?;
        write_agent(agent, out)?;
    }
    for worker in &config.workers {
        writeln!(out)?;
        write_worker(worker, out)?;
    }
    let log = &config.log;
    writeln!(out, "\n[log]")?;
    writeln!(out, "level = {}", Text(&log.level.to_string().to_lowercase()))?;
    match &log.directory {
        Some(directory) => writeln!(out, "directory = {}", text_of(directory))?,
        None => writeln!(out, "# directory: the service's own")?,
    }
    writeln!(out, "max_size = \"{}\"", show_size(log.max_size))?;
    writeln!(out, "max_total = \"{}\"", show_size(log.max_total))?;
    writeln!(out, "max_age = \"{}\"", show_duration(log.max_age))?;
    let wire = &config.wire;
    writeln!(out, "\n[wire]")?;
    writeln!(out, "frame = \"{}\"", show_size(wire.frame_bytes.into()))?;
    writeln!(out, "header = \"{}\"", show_size(wire.header_bytes.into()))?;
    writeln!(out, "depth = {}", wire.depth)?;
    writeln!(out, "requests_in_flight = {}", wire.requests_in_flight)?;
    writeln!(out, "queue = \"{}\"", show_size(wire.queue_bytes.into()))?;
    writeln!(out, "stall = \"{}\"", show_duration(wire.stall()))?;
    writeln!(out, "handshake = \"{}\"", show_duration(wire.handshake()))?;
    writeln!(out, "connections_per_session = {}", wire.connections_per_session)
}

/// What a service manager wants to know.
fn write_managed(service: &Service, out: &mut String) -> fmt::Result {
    writeln!(out, "account = {}", Text(&managed::account(&service.account, &service.name)))?;
    writeln!(out, "start = \"{}\"", managed::start(service.start))?;
    writeln!(out, "dependencies = {}", List(&service.dependencies))?;
    match service.preshutdown_timeout {
        Some(timeout) => writeln!(out, "preshutdown_timeout = \"{}\"", show_duration(timeout)),
        None => writeln!(out, "# preshutdown_timeout: as long as the most patient agent needs"),
    }
}

fn write_agent(agent: &Agent, out: &mut String) -> fmt::Result {
    let Agent { name, command, spec } = agent;
    writeln!(out, "[agent.{name}]")?;
    write_command(command, out)?;
    writeln!(out, "sessions = \"{}\"", words::sessions(spec.serve))?;
    let filters = [("users", &spec.users), ("groups", &spec.groups)];
    for (key, names) in filters {
        match &**names {
            [] => writeln!(out, "# {key}: everybody")?,
            names => writeln!(out, "{key} = {}", List(names))?,
        }
    }
    match spec.remote {
        Some(remote) => writeln!(out, "remote = {remote}")?,
        None => writeln!(out, "# remote: both")?,
    }
    if !bilayer_platform::SESSION_TYPES.is_empty() {
        writeln!(out, "types = {}", List(&spec.types))?;
    }
    if bilayer_platform::HAS_GREETERS || spec.greeter {
        writeln!(out, "greeter = {}", spec.greeter)?;
    }
    writeln!(out, "on_leave = \"{}\"", words::on_leave(spec.on_leave))?;
    writeln!(out, "while_locked = \"{}\"", words::while_locked(spec.while_locked))?;
    writeln!(out, "needs_display = {}", spec.needs_display)?;
    write_spec(spec, out)?;
    match &command.cwd {
        Some(cwd) => writeln!(out, "cwd = {}", text_of(cwd))?,
        None => writeln!(out, "# cwd: the user's home")?,
    }
    let shown = |is_default: bool| bilayer_platform::HAS_TOKENS || !is_default;
    if shown(command.elevation == Elevation::default()) {
        writeln!(out, "elevation = \"{}\"", words::elevation(command.elevation))?;
    }
    if shown(command.token == TokenSource::default()) {
        writeln!(out, "token = \"{}\"", words::token(command.token))?;
    }
    write_tables("agent", name, command, spec, out)
}

fn write_worker(worker: &Worker, out: &mut String) -> fmt::Result {
    let Worker { name, account, command, spec } = worker;
    writeln!(out, "[worker.{name}]")?;
    write_command(command, out)?;
    match account {
        Some(account) => writeln!(out, "account = {}", Text(account))?,
        None => writeln!(out, "# account: yours, in a console; a service must be told")?,
    }
    write_spec(spec, out)?;
    match &command.cwd {
        Some(cwd) => writeln!(out, "cwd = {}", text_of(cwd))?,
        None => writeln!(out, "# cwd: the account's home")?,
    }
    write_tables("worker", name, command, spec, out)
}

fn write_command(command: &Command, out: &mut String) -> fmt::Result {
    let program = command.program.to_string_lossy();
    let line: Vec<&str> = std::iter::once(&*program).chain(command.args.iter().map(String::as_str)).collect();
    writeln!(out, "command = {}", List(&line))?;
    writeln!(out, "trust_writable_program = {}", command.trust_writable_program)
}

/// What a spec says that is not about sessions.
fn write_spec(spec: &Spec, out: &mut String) -> fmt::Result {
    writeln!(out, "stop.grace = \"{}\"", show_duration(spec.grace))?;
    let restart = &spec.restart;
    writeln!(out, "restart.on = \"{}\"", common::restart_on(restart.on))?;
    writeln!(out, "restart.delay_max = \"{}\"", show_duration(restart.delay_max))?;
    writeln!(out, "restart.healthy_after = \"{}\"", show_duration(restart.healthy_after))?;
    writeln!(out, "restart.limit.count = {}", restart.limit.count)?;
    writeln!(out, "restart.limit.within = \"{}\"", show_duration(restart.limit.within))?;
    writeln!(out, "restart.limit.then = \"{}\"", common::past_limit(restart.limit.then))?;
    match spec.heartbeat {
        Some(heartbeat) => writeln!(out, "heartbeat = \"{}\"", show_duration(heartbeat))?,
        None => writeln!(out, "# heartbeat: off")?,
    }
    match spec.ready_within {
        Some(ready_within) => writeln!(out, "ready_within = \"{}\"", show_duration(ready_within))?,
        None => writeln!(out, "# ready_within: off")?,
    }
    writeln!(out, "descendants = \"{}\"", common::descendants(spec.survivors))
}

/// The tables below, which come last.
fn write_tables(section: &str, name: &str, command: &Command, spec: &Spec, out: &mut String) -> fmt::Result {
    if !spec.exit_codes.is_empty() {
        writeln!(out, "\n[{section}.{name}.exit_codes]")?;
        for (exit, meaning) in &spec.exit_codes {
            writeln!(out, "{} = \"{}\"", common::exit(*exit), common::meaning(*meaning))?;
        }
    }
    if !command.env.is_empty() {
        writeln!(out, "\n[{section}.{name}.env]")?;
        for (variable, value) in &command.env {
            writeln!(out, "{} = {}", Text(variable), Text(value))?;
        }
    }
    Ok(())
}

/// A TOML string, as a value or as a key.
struct Text<'a>(&'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for c in self.0.chars() {
            match c {
                '"' => f.write_str("\\\"")?,
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\t' => f.write_str("\\t")?,
                c if c.is_control() => write!(f, "\\u{:04X}", u32::from(c))?,
                c => f.write_char(c)?,
            }
        }
        f.write_char('"')
    }
}

/// A path as a TOML string. Its text came from the file or is the file's own folder.
fn text_of(path: &Path) -> String {
    Text(&path.to_string_lossy()).to_string()
}

/// A TOML array of strings.
struct List<'a, S>(&'a [S]);

impl<S: AsRef<str>> Display for List<'_, S> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_char('[')?;
        for (index, text) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            Text(text.as_ref()).fmt(f)?;
        }
        f.write_char(']')
    }
}
