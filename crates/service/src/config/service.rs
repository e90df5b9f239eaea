//! `[service]`.

use std::time::Duration;

use bilayer_core::OnServiceStop;
use bilayer_platform::{Account, StartType};

use super::read::{Findings, Node, Table, shown};
use super::value::{duration, name, one_of, show_duration, text};
use super::{Agent, Loading, Refusal, Service, Worker};

const SECOND: Duration = Duration::from_secs(1);

/// The least that the system waits at a shutdown, unless the file says otherwise: what Windows has by itself.
const PRESHUTDOWN_MIN: Duration = Duration::from_secs(10);

/// What a service needs to end after its last agent did.
const TO_END: Duration = Duration::from_secs(5);

/// Services that one service can wait for.
const DEPENDENCIES_MAX: usize = 64;

/// `auto`, `delayed`, `manual`.
const START: [(&str, StartType); 3] =
    [("auto", StartType::Auto), ("delayed", StartType::Delayed), ("manual", StartType::Manual)];

/// `stop`, `keep`.
const ON_SERVICE_STOP: [(&str, OnServiceStop); 2] =
    [("stop", OnServiceStop::Stop), ("keep", OnServiceStop::Keep)];

/// The section, and the places of what has to agree with the agents.
pub(super) struct Section<'a> {
    service: Option<Service>,
    account: Option<Node<'a>>,
    preshutdown: Option<Node<'a>>,
}

impl Section<'_> {
    /// The service's name, or nothing where the file has none.
    pub(super) fn name(&self) -> &str {
        self.service.as_ref().map_or("", |service| &service.name)
    }

    /// Who it runs as.
    pub(super) fn account(&self) -> &Account {
        self.service.as_ref().map_or(&Account::LocalSystem, |service| &service.account)
    }
}

/// Reads the section.
pub(super) fn section<'a>(mut table: Table<'a>, how: &Loading<'_>, findings: &mut Findings) -> Section<'a> {
    let example = "`name = \"acme-desk\"`: it names the service, its directories and endpoints";
    let name = table.require("name", example, findings, service_name);
    let display_name = table.read("display_name", findings, text);
    let description = table.read("description", findings, text);
    let on_service_stop = table.read("on_service_stop", findings, one_of(&ON_SERVICE_STOP));
    let known_name = name.as_deref().unwrap_or_default();
    let account = table.read("account", findings, |node, findings| account(node, known_name, how, findings));
    let start = table.read("start", findings, |node, findings| start(node, how, findings));
    let dependencies =
        table.read("dependencies", findings, |node, findings| dependencies(node, known_name, how, findings));
    let preshutdown = table.read("preshutdown_timeout", findings, |node, findings| {
        Some((duration(SECOND..=SECOND * 3600)(node.clone(), findings)?, node))
    });
    table.finish(findings);
    let (account, account_node) = account.unzip();
    let (preshutdown_timeout, preshutdown_node) = preshutdown.unzip();
    let service = name.map(|name| Service {
        display_name: display_name.unwrap_or_else(|| name.clone()),
        description: description.unwrap_or_else(|| DESCRIPTION.to_owned()),
        account: account.unwrap_or_default(),
        start: start.unwrap_or_default(),
        dependencies: dependencies.unwrap_or_default(),
        preshutdown_timeout,
        on_service_stop: on_service_stop.unwrap_or_default(),
        name,
    });
    Section { service, account: account_node, preshutdown: preshutdown_node }
}

/// A name that no service has: where services of Linux leave their names, `/run/bilayer`, the service that is called `bilayer` has its
/// sockets, in a folder of this name.
const RESERVED: &str = "agents";

fn service_name(node: Node<'_>, findings: &mut Findings) -> Option<String> {
    let named = name(node.clone(), findings)?;
    if named == RESERVED {
        node.wrong("cannot be `agents`: that is where a service has its agents' endpoints", findings)
            .hint("choose another one, such as `acme-agents`");
        return None;
    }
    Some(named)
}

/// What people read of a service whose file says nothing.
const DESCRIPTION: &str = "Keeps programs running on users' desktops as those users.";

fn account<'a>(
    node: Node<'a>,
    service: &str,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<(Account, Node<'a>)> {
    let named = text(node.clone(), findings)?;
    if !how.checks.has_tokens() {
        if named == "root" || named.eq_ignore_ascii_case("LocalSystem") {
            return Some((Account::LocalSystem, node));
        }
        node.wrong(format!("cannot be `{}`: on this system a service runs as root", shown(&named)), findings)
            .hint("leave it out");
        return None;
    }
    match Account::parse(&named, service) {
        Ok(account) => Some((account, node)),
        Err(wrong) => {
            node.wrong(format!("is the account `{}`, which {wrong}", shown(&named)), findings).hint(
                "`LocalSystem`, `LocalService`, `NetworkService`, the service's own `NT SERVICE\\NAME`, a group-managed \
                 `DOMAIN\\NAME$`, or `DOMAIN\\NAME`",
            );
            None
        }
    }
}

fn start(node: Node<'_>, how: &Loading<'_>, findings: &mut Findings) -> Option<StartType> {
    let start = one_of(&START)(node.clone(), findings)?;
    if start == StartType::Delayed && !how.checks.has_delayed_start() {
        let message = format!("`{}` is \"delayed\", which this system has not: it starts at boot", node.path);
        findings.warning(Some(node.span), message).hint("\"auto\" says the same here");
    }
    Some(start)
}

fn dependencies(
    node: Node<'_>,
    service: &str,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<Vec<String>> {
    let elements = node.clone().elements("a list of services", findings)?;
    if elements.len() > DEPENDENCIES_MAX {
        node.wrong(format!("names more than {DEPENDENCIES_MAX} services"), findings);
        return None;
    }
    let mut names = Vec::with_capacity(elements.len());
    for element in elements {
        let Some(name) = text(element.clone(), findings) else { continue };
        if let Err(Refusal(hint)) = how.checks.dependency(&name) {
            element
                .wrong(format!("cannot be `{}`: that is no service's name", shown(&name)), findings)
                .hint(hint);
        } else if name.eq_ignore_ascii_case(service) {
            element.wrong("is the service itself", findings);
        } else {
            names.push(name);
        }
    }
    Some(names)
}

impl Section<'_> {
    /// The section, once it agrees with the agents and workers.
    pub(super) fn agree(
        self,
        agents: &[Agent],
        workers: &[Worker],
        how: &Loading<'_>,
        findings: &mut Findings,
    ) -> Option<Service> {
        let service = self.service?;
        if let (Some(node), Some(agent)) = (&self.account, agents.first())
            && service.account != Account::LocalSystem
        {
            node.wrong(
                format!(
                    "cannot be `{}` as long as there are agents, such as `{}`",
                    service.account, agent.name
                ),
                findings,
            )
            .hint(
                "only LocalSystem is given the right to start programs as other users; leave `account` out",
            );
        }
        let graces = agents.iter().map(|agent| ("agent", &agent.name, agent.spec.grace));
        let graces = graces.chain(workers.iter().map(|worker| ("worker", &worker.name, worker.spec.grace)));
        let Some((kind, patient, grace)) = graces.max_by_key(|(_, _, grace)| *grace) else {
            return Some(service);
        };
        if let (Some(node), Some(timeout)) = (&self.preshutdown, service.preshutdown_timeout)
            && timeout < grace
        {
            let message = format!(
                "`{}` is shorter than the grace of {kind} `{patient}`, which is cut to it when the system shuts down",
                node.path
            );
            findings.warning(Some(node.span.clone()), message).hint(format!(
                "the longest grace and {} more: \"{}\"",
                show_duration(TO_END),
                show_duration(grace + TO_END)
            ));
        }
        if let Some(delay) = how.checks.shutdown_delay().filter(|delay| *delay < grace) {
            let message = format!(
                "the grace of {kind} `{patient}` is \"{}\"; when this machine shuts down it is cut to \"{}\"",
                show_duration(grace),
                show_duration(delay)
            );
            findings
                .warning(None, message)
                .hint("the machine waits longer with `InhibitDelayMaxSec=` in logind.conf(5)");
        }
        Some(service)
    }
}

impl super::Config {
    /// How long the system waits for the service after a shutdown was announced: what the file says, and otherwise as long as
    /// the most patient of its agents and workers needs.
    pub fn preshutdown_timeout(&self) -> Duration {
        self.service.preshutdown_timeout.unwrap_or(PRESHUTDOWN_MIN.max(self.longest_grace() + TO_END))
    }

    /// The longest time that any agent or worker is given to leave.
    pub fn longest_grace(&self) -> Duration {
        self.supervised().map(|(_, spec)| spec.grace).max().unwrap_or_default()
    }
}

/// The words of the file.
pub(super) mod words {
    use bilayer_core::OnServiceStop;
    use bilayer_platform::{Account, StartType};

    pub(in super::super) fn on_service_stop(value: OnServiceStop) -> &'static str {
        super::ON_SERVICE_STOP.iter().find(|(_, known)| *known == value).map_or("stop", |(word, _)| word)
    }

    pub(in super::super) fn start(start: StartType) -> &'static str {
        super::START.iter().find(|(_, known)| *known == start).map_or("auto", |(word, _)| word)
    }

    pub(in super::super) fn account(account: &Account, service: &str) -> String {
        match account {
            Account::Virtual => format!(r"NT SERVICE\{service}"),
            other => other.to_string(),
        }
    }
}
