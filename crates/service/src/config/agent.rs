//! `[agent.NAME]`.

use bilayer_core::{OnLeave, Serve, Spec, WhileLocked};
use bilayer_platform::{Elevation, TokenSource};

use super::read::{Findings, Key, Node, Table, shown};
use super::source::Source;
use super::supervised::{self, Kind, MEANINGS};
use super::value::{boolean, choice, one_of, text};
use super::{Agent, Command, Loading};

/// Users or groups that one agent names.
const NAMES_MAX: usize = 256;

const AGENT: Kind = Kind { noun: "agent", article: "an", example: "[agent.desk]" };

/// Every `[agent.NAME]`, sorted by name.
pub(super) fn agents(
    table: Table<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Vec<Agent> {
    AGENT.each(table, findings, |key, table, findings| agent(key, table, source, how, findings))
}

fn agent(
    key: &Key<'_>,
    table: &mut Table<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<Agent> {
    let command = supervised::command(table, source, how, findings);
    let elevation = of_a_token(table, "elevation", &ELEVATION, how, findings);
    let token = of_a_token(table, "token", &TOKEN, how, findings);
    let spec = spec(key.name, table, how, findings);
    Some(Agent { name: key.name.to_owned(), command: Command { elevation, token, ..command? }, spec })
}

/// A word about the token of its user, where a user can have several.
fn of_a_token<T: Copy + Default>(
    table: &mut Table<'_>,
    key: &'static str,
    words: &'static [(&'static str, T)],
    how: &Loading<'_>,
    findings: &mut Findings,
) -> T {
    let read = table.read(key, findings, |node, findings| {
        let chosen = choice(words, node.clone(), findings)?;
        if how.checks.has_tokens() {
            return Some(chosen);
        }
        node.wrong("cannot be used on this system: it is about the tokens of Windows", findings)
            .hint("leave it out: an agent has the rights of its user");
        None
    });
    read.unwrap_or_default()
}

const SESSIONS: [(&str, Serve); 3] =
    [("console", Serve::Console), ("active", Serve::Active), ("all", Serve::All)];
const ON_LEAVE: [(&str, OnLeave); 2] = [("stop", OnLeave::Stop), ("keep", OnLeave::Keep)];
const WHILE_LOCKED: [(&str, WhileLocked); 2] = [("keep", WhileLocked::Keep), ("stop", WhileLocked::Stop)];
const ELEVATION: [(&str, Elevation); 2] = [("filtered", Elevation::Filtered), ("linked", Elevation::Linked)];
const TOKEN: [(&str, TokenSource); 2] = [("session", TokenSource::Session), ("shell", TokenSource::Shell)];

fn spec(name: &str, table: &mut Table<'_>, how: &Loading<'_>, findings: &mut Findings) -> Spec {
    let default = supervised::spec(name, table, &MEANINGS, findings);
    let serve = table.read("sessions", findings, one_of(&SESSIONS)).unwrap_or(default.serve);
    Spec {
        serve,
        users: filter(table, "users", "user", |user| how.checks.knows_user(user), findings),
        groups: filter(table, "groups", "group", |group| how.checks.knows_group(group), findings),
        remote: table.read("remote", findings, |node, findings| remote(node, serve, findings)),
        types: table.read("types", findings, types).unwrap_or_else(default_types),
        greeter: table.read("greeter", findings, |node, findings| greeter(node, how, findings)) == Some(true),
        on_leave: table.read("on_leave", findings, one_of(&ON_LEAVE)).unwrap_or(default.on_leave),
        while_locked: table
            .read("while_locked", findings, one_of(&WHILE_LOCKED))
            .unwrap_or(default.while_locked),
        needs_display: table.read("needs_display", findings, boolean).unwrap_or(true),
        ..default
    }
}

/// Names of users or groups. A name that the machine does not know today may belong to a directory that is not in reach.
fn filter(
    table: &mut Table<'_>,
    key: &'static str,
    what: &str,
    knows: impl Fn(&str) -> Option<bool>,
    findings: &mut Findings,
) -> Vec<String> {
    let names = table.read(key, findings, |node, findings| {
        let mut names = Vec::new();
        let whole = node.clone();
        for element in node.elements(&format!("a list of {what} names"), findings)? {
            if names.len() == NAMES_MAX {
                element.wrong(format!("is one too many: at most {NAMES_MAX} can be named"), findings);
                break;
            }
            let span = element.span.clone();
            let Some(name) = text(element, findings) else { continue };
            if knows(&name) == Some(false) {
                findings
                    .warning(Some(span), format!("this machine knows no {what} `{}`", shown(&name)))
                    .hint("check the spelling; until it exists, it matches nobody");
            }
            names.push(name);
        }
        if whole.value.as_array().is_some_and(|array| array.is_empty()) {
            whole
                .wrong("is empty, which would match nobody", findings)
                .hint(format!("leave `{key}` out to match everybody"));
        }
        Some(names)
    });
    names.unwrap_or_default()
}

fn remote(node: Node<'_>, serve: Serve, findings: &mut Findings) -> Option<bool> {
    let span = node.span.clone();
    let remote = boolean(node, findings)?;
    if remote && serve == Serve::Console {
        findings
            .warning(Some(span), "`sessions = \"console\"` with `remote = true` matches no session")
            .hint("remote sessions are served with `sessions = \"active\"` or `\"all\"`");
    }
    Some(remote)
}

fn types(node: Node<'_>, findings: &mut Findings) -> Option<Vec<String>> {
    let known = bilayer_platform::SESSION_TYPES;
    if known.is_empty() {
        node.wrong("cannot be used on this system: its sessions have no types", findings)
            .hint("leave it out");
        return None;
    }
    let words: Vec<(&str, &str)> = known.iter().map(|(name, _)| (*name, *name)).collect();
    let mut types = Vec::new();
    for element in node.elements("a list of session types", findings)? {
        types.extend(choice(&words, element, findings).map(str::to_owned));
    }
    Some(types)
}

fn greeter(node: Node<'_>, how: &Loading<'_>, findings: &mut Findings) -> Option<bool> {
    let served = boolean(node.clone(), findings)?;
    if served && !how.checks.has_greeters() {
        node.wrong("cannot be used on this system: its logon screen is no session", findings)
            .hint("leave it out: agents run for those who have logged on");
    }
    Some(served)
}

/// The types with a screen.
fn default_types() -> Vec<String> {
    let graphical = bilayer_platform::SESSION_TYPES.iter().filter(|(_, graphical)| *graphical);
    graphical.map(|(name, _)| (*name).to_owned()).collect()
}

/// The word of a choice, for printing it.
pub(super) mod words {
    use super::*;
    use crate::config::supervised::words::word;

    pub(in super::super) fn sessions(value: Serve) -> &'static str {
        word(&SESSIONS, &value)
    }
    pub(in super::super) fn on_leave(value: OnLeave) -> &'static str {
        word(&ON_LEAVE, &value)
    }
    pub(in super::super) fn while_locked(value: WhileLocked) -> &'static str {
        word(&WHILE_LOCKED, &value)
    }
    pub(in super::super) fn elevation(value: Elevation) -> &'static str {
        word(&ELEVATION, &value)
    }
    pub(in super::super) fn token(value: TokenSource) -> &'static str {
        word(&TOKEN, &value)
    }
}
