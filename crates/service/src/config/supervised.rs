//! What agents and workers have in common: a command, and when it is stopped and started again.

use std::path::PathBuf;
use std::time::Duration;

use bilayer_core::{Exit, ExitTable, Limit, Meaning, PastLimit, Restart, RestartOn, Spec, Survivors};
use bilayer_platform::{Elevation, TokenSource};

use super::program::{absolute_folder, program};
use super::read::{Findings, Key, Node, Table, shown};
use super::source::Source;
use super::value::{boolean, choice, duration, integer, is_name, name_hint, one_of};
use super::{Command, Loading};

/// More of a kind is a mistake in a generated file, not a machine.
const COUNT_MAX: usize = 1024;

/// Variables of one agent or worker.
const VARIABLES_MAX: usize = 256;

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What a section of named tables holds.
pub(super) struct Kind {
    pub(super) noun: &'static str,
    pub(super) article: &'static str,
    /// A header of one.
    pub(super) example: &'static str,
}

impl Kind {
    /// Each of them, in the order of names. What the reader has not asked for in a table is unknown there.
    pub(super) fn each<'a, T>(
        &self,
        table: Table<'a>,
        findings: &mut Findings,
        mut read: impl FnMut(&Key<'a>, &mut Table<'a>, &mut Findings) -> Option<T>,
    ) -> Vec<T> {
        let mut found = Vec::new();
        for (count, (key, node)) in table.named().enumerate() {
            if count == COUNT_MAX {
                findings
                    .error(Some(key.span), format!("there are more than {COUNT_MAX} {}s", self.noun))
                    .hint("leave some out");
                break;
            }
            let Some(mut table) = self.table(&key, node, findings) else { continue };
            let one = read(&key, &mut table, findings);
            found.extend(one.map(|one| (key.name, one)));
            let below =
                ["stop.grace", "restart.on", "restart.delay_max", "restart.healthy_after", "restart.limit"];
            table.finish_with(&below, findings);
        }
        found.sort_by_key(|(name, _)| *name);
        found.into_iter().map(|(_, one)| one).collect()
    }

    fn table<'a>(&self, key: &Key<'a>, node: Node<'a>, findings: &mut Findings) -> Option<Table<'a>> {
        let Self { noun, article, example } = self;
        if node.value.as_table().is_none() {
            findings
                .error(
                    Some(key.span.clone()),
                    format!("`{}` is no {noun}: {article} {noun} is a table with a name", shown(&node.path)),
                )
                .hint(format!("give the {noun} a name and its keys below it: `{example}`"));
            return None;
        }
        if !is_name(key.name) {
            findings
                .error(
                    Some(key.span.clone()),
                    format!("`{}` cannot be the name of {article} {noun}", shown(key.name)),
                )
                .hint(name_hint(key.name));
        }
        node.table(findings)
    }
}

/// What is started, with the rights that a program has by itself.
pub(super) fn command(
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
    let (program, args) = line?;
    let (elevation, token) = (Elevation::default(), TokenSource::default());
    Some(Command { program, args, cwd, env, trust_writable_program, elevation, token })
}

/// A spec as far as sessions have no part in it. `meanings` are the words for what its exits mean.
pub(super) fn spec(
    name: &str,
    table: &mut Table<'_>,
    meanings: &'static [(&'static str, Meaning)],
    findings: &mut Findings,
) -> Spec {
    let default = Spec::new(name);
    Spec {
        grace: stop(table.table("stop", findings), default.grace, findings),
        restart: restart(table.table("restart", findings), default.restart, findings),
        heartbeat: table.read("heartbeat", findings, duration(SECOND..=HOUR)),
        ready_within: table.read("ready_within", findings, duration(100 * MILLISECOND..=HOUR)),
        exit_codes: table
            .read("exit_codes", findings, |node, findings| exit_codes(node, meanings, findings))
            .unwrap_or_default(),
        survivors: table.read("descendants", findings, one_of(&DESCENDANTS)).unwrap_or(default.survivors),
        ..default
    }
}

const DESCENDANTS: [(&str, Survivors); 2] = [("kill", Survivors::Kill), ("leave", Survivors::Leave)];
const RESTART_ON: [(&str, RestartOn); 3] =
    [("always", RestartOn::Always), ("failure", RestartOn::Failure), ("never", RestartOn::Never)];
const PAST_LIMIT: [(&str, PastLimit); 2] = [("slow", PastLimit::Slow), ("hold", PastLimit::Hold)];

/// What an exit of an agent can mean.
pub(super) const MEANINGS: [(&str, Meaning); 5] = [
    ("restart", Meaning::Restart),
    ("restart-now", Meaning::RestartNow),
    ("hold", Meaning::Hold),
    ("release", Meaning::Release),
    ("logging-off", Meaning::LoggingOff),
];

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

fn exit_codes(
    node: Node<'_>,
    meanings: &'static [(&'static str, Meaning)],
    findings: &mut Findings,
) -> Option<ExitTable> {
    let mut codes = ExitTable::new();
    for (key, node) in node.table(findings)?.named() {
        let meaning = choice(meanings, node, findings);
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

    pub(in super::super) fn word<T: PartialEq>(words: &[(&'static str, T)], value: &T) -> &'static str {
        words.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word)
    }
    pub(in super::super) fn descendants(value: Survivors) -> &'static str {
        word(&DESCENDANTS, &value)
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
