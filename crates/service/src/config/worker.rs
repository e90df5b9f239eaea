//! `[worker.NAME]`.

use bilayer_core::{Meaning, Serve, Spec};
use bilayer_platform::Account;

use super::read::{Findings, Key, Node, Table, shown};
use super::source::Source;
use super::supervised::{self, Kind};
use super::value::text;
use super::{Agent, Loading, Worker};

const WORKER: Kind = Kind { noun: "worker", article: "a", example: "[worker.sync]" };

/// What only an agent can have: each is about a session or its user.
const OF_SESSIONS: [&str; 11] = [
    "sessions",
    "users",
    "groups",
    "remote",
    "types",
    "greeter",
    "on_leave",
    "while_locked",
    "needs_display",
    "elevation",
    "token",
];

/// What an exit of a worker can mean: nobody logs off from the machine.
const MEANINGS: [(&str, Meaning); 4] = [
    ("restart", Meaning::Restart),
    ("restart-now", Meaning::RestartNow),
    ("hold", Meaning::Hold),
    ("release", Meaning::Release),
];

/// The service that workers belong to.
pub(super) struct Employer<'a> {
    pub(super) name: &'a str,
    pub(super) account: &'a Account,
    /// Whose names are taken.
    pub(super) agents: &'a [Agent],
}

/// Every `[worker.NAME]`, sorted by name.
pub(super) fn workers(
    table: Table<'_>,
    employer: &Employer<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Vec<Worker> {
    WORKER.each(table, findings, |key, table, findings| worker(key, table, employer, source, how, findings))
}

fn worker(
    key: &Key<'_>,
    table: &mut Table<'_>,
    employer: &Employer<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<Worker> {
    let name = key.name;
    if employer.agents.iter().any(|agent| agent.name == name) {
        findings
            .error(Some(key.span.clone()), format!("`{}` is the name of an agent already", shown(name)))
            .hint("commands and logs know both by their names; give one of the two another name");
    }
    let what = "has no meaning for a worker, which runs once for the machine and in no session";
    let hint = format!("leave it out, or make this an agent: `[agent.{}]`", shown(name));
    for of_sessions in OF_SESSIONS {
        table.refuse(of_sessions, what, &hint, findings);
    }
    let account = account(table, employer, how, findings);
    let command = supervised::command(table, source, how, findings);
    let spec = supervised::spec(name, table, &MEANINGS, findings);
    let spec = Spec { serve: Serve::Machine, ..spec };
    Some(Worker { name: name.to_owned(), account, command: command?, spec })
}

/// Who it runs as. A service has to be told; in a console there is only one user that it could be.
fn account(
    table: &mut Table<'_>,
    employer: &Employer<'_>,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<String> {
    let read = |node: Node<'_>, findings: &mut Findings| {
        let named = text(node.clone(), findings)?;
        if let Err(refusal) = how.checks.worker_account(&named, employer.name, employer.account) {
            node.wrong(format!("is the account `{}`, which {refusal}", shown(&named)), findings)
                .hint(bilayer_platform::WORKER_ACCOUNTS);
            return None;
        }
        if how.checks.knows_user(&named) == Some(false) {
            findings
                .warning(Some(node.span), format!("this machine knows no user `{}`", shown(&named)))
                .hint("make it before the service starts; until then the worker waits for it");
        }
        Some(named)
    };
    if how.privileged {
        let example = format!(
            "`account`, {}: no program runs with all rights by default",
            bilayer_platform::WORKER_ACCOUNTS
        );
        return table.require("account", &example, findings, read);
    }
    table.read("account", findings, read)
}
