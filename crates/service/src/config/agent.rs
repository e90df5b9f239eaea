//! `[agent.NAME]`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bilayer_core::{
    Exit, ExitTable, Limit, Meaning, OnLeave, PastLimit, Restart, RestartOn, Serve, Spec, Survivors,
    WhileLocked,
};
use bilayer_platform::{Elevation, TokenSource};

use super::program::{absolute_folder, program};
use super::read::{Findings, Key, Node, Table, shown};
use super::source::Source;
use super::value::{boolean, choice, duration, integer, is_name, name_hint, one_of, text};
use super::{Agent, Command, Loading};

/// More is a mistake in a generated file, not a desktop.
const AGENTS_MAX: usize = 1024;

/// Users or groups that one agent names.
const NAMES_MAX: usize = 256;

/// Variables of one agent.
const VARIABLES_MAX: usize = 256;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// Every `[agent.NAME]`, sorted by name.
pub(super) fn agents(
    table: Table<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Vec<Agent> {
    let mut agents = Vec::new();
    let mut count = 0;
    for (key, node) in table.named() {
        count += 1;
        if count > AGENTS_MAX {
            findings
                .error(Some(key.span), format!("there are more than {AGENTS_MAX} agents"))
                .hint("leave some out");
            break;
        }
        agents.extend(agent(key, node, source, how, findings));
    }
    agents.sort_by(|one: &Agent, other| one.name.cmp(&other.name));
    if count == 0 && !findings.incomplete {
        findings
            .warning(None, "there is no agent in this file: nothing will be started")
            .hint("add one: `[agent.desk]` with its `command`");
    }
    agents
}

fn agent(
    key: Key<'_>,
    node: Node<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<Agent> {
    if node.value.as_table().is_none() {
        findings
            .error(
                Some(key.span),
                format!("`{}` is no agent: an agent is a table with a name", shown(&node.path)),
            )
            .hint("give the agent a name and its keys below it: `[agent.desk]`");
        return None;
    }
    if !is_name(key.name) {
        findings
            .error(Some(key.span), format!("`{}` cannot be the name of an agent", shown(key.name)))
            .hint(name_hint(key.name));
    }
    let mut table = node.table(findings)?;
    let command = command(&mut table, source, how, findings);
    let spec = spec(key.name, &mut table, how, findings);
    let below = ["stop.grace", "restart.on", "restart.delay_max", "restart.healthy_after", "restart.limit"];
    table.finish_with(&below, findings);
    let command = command?;
    Some(Agent { name: key.name.to_owned(), command, spec })
}

fn command(
    table: &mut Table<'_>,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<Command> {
    let trust_writable_program = table.read("trust_writable_program", findings, boolean).unwrap_or(false);
    let example = "`command = [\"PROGRAM\", \"ARGUMENT\", …]`";
    let line = table.require("command", example, findings, |node, findings| {
        command_line(node, trust_writable_program, source, how, findings)
    });
    let cwd = table.read("cwd", findings, |node, findings| absolute_folder(node, source, how, findings));
    let env = table.read("env", findings, environment).unwrap_or_default();
    let elevation = of_a_token(table, "elevation", &ELEVATION, how, findings);
    let token = of_a_token(table, "token", &TOKEN, how, findings);
    let (program, args) = line?;
    Some(Command { program, args, cwd, env, trust_writable_program, elevation, token })
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

fn command_line(
    node: Node<'_>,
    trust_writable: bool,
    source: &Source,
    how: &Loading<'_>,
    findings: &mut Findings,
) -> Option<(PathBuf, Vec<String>)> {
    if let Some(line) = node.value.as_str() {
        let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
        let finding = node.wrong("must be a list: the program, then one text for each argument", findings);
        finding.hint(format!("no shell reads this: write [{}]", shown(&words.join(", "))));
        return None;
    }
    let span = node.span.clone();
    let path = node.path.clone();
    let mut elements = node.elements("a list of texts: the program and its arguments", findings)?.into_iter();
    let Some(first) = elements.next() else {
        findings
            .error(Some(span), format!("`{path}` is empty"))
            .hint("write the program, then one text for each argument: [\"PROGRAM\", \"ARGUMENT\"]");
        return None;
    };
    let program = program(first, trust_writable, source, how, findings);
    let args: Vec<Option<String>> = elements.map(|element| argument(element, findings)).collect();
    Some((program?, args.into_iter().collect::<Option<_>>()?))
}

/// Any text but one with a NUL in it, which no operating system passes on; an empty one too.
fn argument(node: Node<'_>, findings: &mut Findings) -> Option<String> {
    let Some(argument) = node.value.as_str() else { return node.wrong_type("text in quotes", findings) };
    if argument.contains('\0') {
        node.wrong("has a NUL character in it", findings);
        return None;
    }
    Some(argument.to_owned())
}

/// Variables, sorted by name. Windows does not tell `Path` from `PATH`; one file serves both systems, so neither do we.
fn environment(node: Node<'_>, findings: &mut Findings) -> Option<Vec<(String, String)>> {
    let mut variables = Vec::<(String, String)>::new();
    for (key, node) in node.table(findings)?.named() {
        let name = key.name;
        if variables.len() == VARIABLES_MAX {
            findings
                .error(Some(key.span), format!("there are more than {VARIABLES_MAX} variables"))
                .hint("leave some out");
            break;
        }
        let wrong = if name.to_ascii_uppercase().starts_with("BILAYER_") {
            Some("is reserved: what begins with `BILAYER_` is set by the service")
        } else if name.is_empty() || name.contains('=') || name.contains(char::is_control) {
            Some(
                "cannot be the name of a variable: that has no `=` and no control character, and is not empty",
            )
        } else if variables.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
            Some("is given twice: upper and lower case are one variable on Windows")
        } else {
            None
        };
        if let Some(wrong) = wrong {
            findings.error(Some(key.span), format!("`{}` {wrong}", shown(name))).hint("choose another name");
        }
        variables.extend(argument(node, findings).map(|value| (name.to_owned(), value)));
    }
    variables.sort();
    Some(variables)
}

const SESSIONS: [(&str, Serve); 3] =
    [("console", Serve::Console), ("active", Serve::Active), ("all", Serve::All)];
const ON_LEAVE: [(&str, OnLeave); 2] = [("stop", OnLeave::Stop), ("keep", OnLeave::Keep)];
const WHILE_LOCKED: [(&str, WhileLocked); 2] = [("keep", WhileLocked::Keep), ("stop", WhileLocked::Stop)];
const DESCENDANTS: [(&str, Survivors); 2] = [("kill", Survivors::Kill), ("leave", Survivors::Leave)];
const ELEVATION: [(&str, Elevation); 2] = [("filtered", Elevation::Filtered), ("linked", Elevation::Linked)];
const TOKEN: [(&str, TokenSource); 2] = [("session", TokenSource::Session), ("shell", TokenSource::Shell)];
const RESTART_ON: [(&str, RestartOn); 3] =
    [("always", RestartOn::Always), ("failure", RestartOn::Failure), ("never", RestartOn::Never)];
const PAST_LIMIT: [(&str, PastLimit); 2] = [("slow", PastLimit::Slow), ("hold", PastLimit::Hold)];
const MEANINGS: [(&str, Meaning); 5] = [
    ("restart", Meaning::Restart),
    ("restart-now", Meaning::RestartNow),
    ("hold", Meaning::Hold),
    ("release", Meaning::Release),
    ("logging-off", Meaning::LoggingOff),
];

fn spec(name: &str, table: &mut Table<'_>, how: &Loading<'_>, findings: &mut Findings) -> Spec {
    let default = Spec::new(name);
    let serve = table.read("sessions", findings, one_of(&SESSIONS)).unwrap_or(default.serve);
    Spec {
        name: Arc::from(name),
        fingerprint: 0,
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
        grace: stop(table.table("stop", findings), default.grace, findings),
        restart: restart(table.table("restart", findings), default.restart, findings),
        heartbeat: table.read("heartbeat", findings, duration(SECOND..=HOUR)),
        ready_within: table.read("ready_within", findings, duration(100 * MILLISECOND..=HOUR)),
        exit_codes: table.read("exit_codes", findings, exit_codes).unwrap_or_default(),
        survivors: table.read("descendants", findings, one_of(&DESCENDANTS)).unwrap_or(default.survivors),
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

fn stop(mut table: Table<'_>, default: Duration, findings: &mut Findings) -> Duration {
    let grace = table.read("grace", findings, duration(Duration::ZERO..=SECOND * 600));
    table.finish(findings);
    grace.unwrap_or(default)
}

fn restart(mut table: Table<'_>, default: Restart, findings: &mut Findings) -> Restart {
    let restart = Restart {
        on: table.read("on", findings, one_of(&RESTART_ON)).unwrap_or(default.on),
        delay_max: table
            .read("delay_max", findings, duration(100 * MILLISECOND..=HOUR))
            .unwrap_or(default.delay_max),
        healthy_after: table
            .read("healthy_after", findings, duration(SECOND..=HOUR * 24))
            .unwrap_or(default.healthy_after),
        limit: limit(table.table("limit", findings), default.limit, findings),
    };
    table.finish(findings);
    restart
}

fn limit(mut table: Table<'_>, default: Limit, findings: &mut Findings) -> Limit {
    let count = table.read("count", findings, integer(1..=1000));
    let limit = Limit {
        count: count.map_or(default.count, |count| u16::try_from(count).expect("the range fits")),
        within: table.read("within", findings, duration(SECOND..=HOUR * 24)).unwrap_or(default.within),
        then: table.read("then", findings, one_of(&PAST_LIMIT)).unwrap_or(default.then),
    };
    table.finish(findings);
    limit
}

fn exit_codes(node: Node<'_>, findings: &mut Findings) -> Option<ExitTable> {
    let mut codes = ExitTable::new();
    for (key, node) in node.table(findings)?.named() {
        let meaning = choice(&MEANINGS, node, findings);
        let exit = match bilayer_platform::exit_key(key.name) {
            Some(bilayer_platform::Exit::Code(code)) => Exit::Code(code),
            Some(bilayer_platform::Exit::Signal(signal)) => Exit::Signal(signal),
            Some(bilayer_platform::Exit::Unknown) | None => {
                findings
                    .error(Some(key.span), format!("`{}` is no exit code", shown(key.name)))
                    .hint("a number (64), a hexadecimal status (\"0xC0000005\") or the name of a signal (\"SIGTERM\")");
                continue;
            }
        };
        if codes.contains_key(&exit) {
            findings
                .error(Some(key.span), format!("`{}` is given twice, in two spellings", shown(key.name)))
                .hint("keep one of the two");
        }
        // After a mistake any meaning does: nobody uses this table.
        codes.insert(exit, meaning.unwrap_or(Meaning::Restart));
    }
    Some(codes)
}

/// The word of a choice, for printing it.
pub(super) mod words {
    use super::*;

    fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
        words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
    }

    pub(in super::super) fn sessions(value: Serve) -> &'static str {
        word(&SESSIONS, &value)
    }
    pub(in super::super) fn on_leave(value: OnLeave) -> &'static str {
        word(&ON_LEAVE, &value)
    }
    pub(in super::super) fn while_locked(value: WhileLocked) -> &'static str {
        word(&WHILE_LOCKED, &value)
    }
    pub(in super::super) fn descendants(value: Survivors) -> &'static str {
        word(&DESCENDANTS, &value)
    }
    pub(in super::super) fn elevation(value: Elevation) -> &'static str {
        word(&ELEVATION, &value)
    }
    pub(in super::super) fn token(value: TokenSource) -> &'static str {
        word(&TOKEN, &value)
    }
    pub(in super::super) fn restart_on(value: RestartOn) -> &'static str {
        word(&RESTART_ON, &value)
    }
    pub(in super::super) fn past_limit(value: PastLimit) -> &'static str {
        word(&PAST_LIMIT, &value)
    }
    pub(in super::super) fn exit(exit: Exit) -> String {
        match exit {
            Exit::Code(code) => bilayer_platform::Exit::Code(code).key(),
            Exit::Signal(signal) => bilayer_platform::Exit::Signal(signal).key(),
            Exit::Unknown => String::new(),
        }
    }
    pub(in super::super) fn meaning(value: Meaning) -> &'static str {
        word(&MEANINGS, &value)
    }
}
