//! The file as a whole, `[log]` and `[wire]`.

use std::path::PathBuf;
use std::time::Duration;

use bilayer_ipc::Limits;
use toml::de::DeTable;
use tracing::Level;

use super::agent::agents;
use super::fingerprint::{fingerprint, worker_fingerprint};
use super::program::absolute_folder;
use super::read::{Findings, Node, Table};
use super::source::Source;
use super::syntax;
use super::value::{duration, integer, one_of, show_size, size};
use super::worker::{Employer, workers};
use super::{Config, Loading, Log, service};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);
const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The whole file. `None`, or a configuration that must not be used, if `findings` has an error afterwards.
pub(super) fn file(source: &Source, how: &Loading<'_>, findings: &mut Findings) -> Option<Config> {
    let (document, errors) = DeTable::parse_recoverable(&source.text);
    findings.incomplete = !errors.is_empty();
    let doubtful = syntax::report(&source.text, &errors, findings);
    let own = findings.mark();
    let mut document = Table::document(document.get_ref());
    if document.is_empty() && !findings.incomplete {
        findings
            .error(None, format!("the configuration file `{}` is empty", source.path.display()))
            .hint("`bilayer config init` writes one to start from");
        return None;
    }
    let service = service::section(document.table("service", findings), how, findings);
    let (of_agents, of_workers) = (document.table("agent", findings), document.table("worker", findings));
    if of_agents.is_empty() && of_workers.is_empty() && !findings.incomplete {
        findings
            .warning(None, "there is no agent in this file: nothing will be started")
            .hint("add one: `[agent.desk]` with its `command`");
    }
    let mut agents = agents(of_agents, source, how, findings);
    let employer = Employer { name: service.name(), account: service.account(), agents: &agents };
    let mut workers = workers(of_workers, &employer, source, how, findings);
    let service = service.agree(&agents, &workers, how, findings);
    let log = log(document.table("log", findings), source, how, findings);
    let wire = wire(document.table("wire", findings), findings);
    document.finish(findings);
    findings.forget_echoes(own, &doubtful);
    let service = service?;
    for agent in &mut agents {
        agent.spec.fingerprint = fingerprint(&agent.command, &agent.spec, service.on_service_stop);
    }
    for worker in &mut workers {
        worker.spec.fingerprint = worker_fingerprint(worker, service.on_service_stop);
    }
    Some(Config { service, agents, workers, log, wire, source: source.path.clone() })
}

const LEVELS: [(&str, Level); 5] = [
    ("error", Level::ERROR),
    ("warn", Level::WARN),
    ("info", Level::INFO),
    ("debug", Level::DEBUG),
    ("trace", Level::TRACE),
];

fn log(mut table: Table<'_>, source: &Source, how: &Loading<'_>, findings: &mut Findings) -> Log {
    let default = Log::default();
    let errors_before = findings.errors;
    let mut log = Log {
        level: table.read("level", findings, one_of(&LEVELS)).unwrap_or(default.level),
        directory: table
            .read("directory", findings, |node, findings| log_folder(node, source, how, findings)),
        max_size: table.read("max_size", findings, size(64 * KIB..=GIB)).unwrap_or(default.max_size),
        max_total: default.max_total,
        max_age: table
            .read("max_age", findings, duration(HOUR..=HOUR * 24 * 3660))
            .unwrap_or(default.max_age),
    };
    let comparable = findings.errors == errors_before;
    let max_total = table.read("max_total", findings, |node, findings| {
        Some((size(64 * KIB..=1024 * GIB)(node.clone(), findings)?, node))
    });
    match max_total {
        Some((max_total, node)) if comparable && max_total < log.max_size => {
            node.wrong("is less than one file may have", findings).hint(format!(
                "all files together need at least `max_size`, which is \"{}\"",
                show_size(log.max_size)
            ));
        }
        Some((max_total, _)) => log.max_total = max_total,
        None => log.max_total = log.max_total.max(log.max_size),
    }
    table.finish(findings);
    log
}

/// Who can exchange files in this folder can have the service append to, empty and remove files elsewhere. It is no mistake, since
/// distributions differ in who owns `/var/log`.
fn log_folder(
    node: Node<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<PathBuf> {
    let folder = absolute_folder(node.clone(), source, how, findings)?;
    if how.privileged
        && let Ok(Some(who)) = how.checks.writable_by_others(&folder)
    {
        findings
            .warning(Some(node.span), format!("`{}` could be changed by somebody else: {who}", node.path))
            .hint("a link in the place of a log file leads the service to any file: let only root or the administrators write there");
    }
    Some(folder)
}

fn wire(mut table: Table<'_>, findings: &mut Findings) -> Limits {
    let mut limits = Limits::default();
    // Every range below fits the type of its field.
    if let Some(bytes) = table.read("frame", findings, size(KIB..=64 * MIB)) {
        limits.frame_bytes = narrow(bytes);
    }
    if let Some(bytes) = table.read("header", findings, size(64..=64 * KIB)) {
        limits.header_bytes = narrow(bytes);
    }
    if let Some(levels) = table.read("depth", findings, integer(4..=127)) {
        limits.depth = narrow(levels);
    }
    if let Some(requests) = table.read("requests_in_flight", findings, integer(1..=4096)) {
        limits.requests_in_flight = narrow(requests);
    }
    if let Some(time) = table.read("stall", findings, duration(SECOND..=MINUTE * 10)) {
        limits.stall_ms = narrow(time.as_millis());
    }
    if let Some(time) = table.read("handshake", findings, duration(SECOND / 10..=MINUTE)) {
        limits.handshake_ms = narrow(time.as_millis());
    }
    if let Some(connections) = table.read("connections_per_session", findings, integer(1..=1024)) {
        limits.connections_per_session = narrow(connections);
    }
    let queue = table.read("queue", findings, |node, findings| {
        Some((size(KIB..=256 * MIB)(node.clone(), findings)?, node))
    });
    let frame = u64::from(limits.frame_bytes);
    match queue {
        Some((queue, node)) if queue < frame => {
            node.wrong("is less than one message may have", findings).hint(format!(
                "what waits for a peer needs at least `frame`, which is \"{}\"",
                show_size(frame)
            ));
        }
        Some((queue, _)) => limits.queue_bytes = narrow(queue),
        None => limits.queue_bytes = limits.queue_bytes.max(limits.frame_bytes),
    }
    table.finish(findings);
    limits
}

/// A number whose range was checked before.
fn narrow<T: TryFrom<N>, N>(number: N) -> T {
    T::try_from(number).ok().expect("the range of the key fits the field")
}
