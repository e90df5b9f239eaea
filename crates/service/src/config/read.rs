//! A parsed document as tables and values that know their place, and the list that mistakes go to.

use std::fmt::Write as _;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::report::{Finding, Severity};

/// A file with more mistakes than this is not a configuration; nobody reads on.
const FINDINGS_MAX: usize = 100;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Findings {
    list: Vec<Finding>,
    /// Errors, also those that the list has no place for.
    pub(super) errors: usize,
    /// Warnings, likewise.
    pub(super) warnings: usize,
    /// The document had errors of syntax, so what seems to be missing may be in a part that could not be read.
    pub(super) incomplete: bool,
}

impl Findings {
    /// Notes a mistake.
    pub(super) fn error(&mut self, span: Option<Range<usize>>, message: impl Into<String>) -> &mut Finding {
        self.note(Severity::Error, span, message.into())
    }

    /// Notes something that may not be what was meant.
    pub(super) fn warning(&mut self, span: Option<Range<usize>>, message: impl Into<String>) -> &mut Finding {
        self.note(Severity::Warning, span, message.into())
    }

    fn note(&mut self, severity: Severity, span: Option<Range<usize>>, message: String) -> &mut Finding {
        match severity {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
        }
        let finding = Finding { severity, message, hint: None, span, line: None, column: None };
        // One place past the bound takes all that no longer fit, and is cut off at the end.
        self.list.truncate(FINDINGS_MAX);
        self.list.push(finding);
        self.list.last_mut().expect("one was pushed just now")
    }

    /// How many findings there are now, for [`Findings::forget_echoes`].
    pub(super) fn mark(&self) -> usize {
        self.list.len()
    }

    /// Drops the findings since `mark` that lie in a part of the text that was misread.
    pub(super) fn forget_echoes(&mut self, mark: usize, doubtful: &[Range<usize>]) {
        let mut index = 0;
        self.list.retain(|finding| {
            index += 1;
            let at = finding.span.as_ref().map(|span| span.start);
            let is_echo = index > mark && at.is_some_and(|at| doubtful.iter().any(|part| part.contains(&at)));
            if is_echo {
                match finding.severity {
                    Severity::Error => self.errors -= 1,
                    Severity::Warning => self.warnings -= 1,
                }
            }
            !is_echo
        });
    }

    pub(super) fn into_vec(mut self) -> Vec<Finding> {
        self.list.truncate(FINDINGS_MAX);
        self.list
    }
}

impl Finding {
    /// What to do about it.
    pub(super) fn hint(&mut self, hint: impl Into<String>) -> &mut Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A table of the document, which remembers the keys it was asked for: every other one is unknown.
pub(super) struct Table<'a> {
    /// Its dotted path, empty for the document itself.
    path: String,
    /// Where it begins; `None` if the document has no such table.
    span: Option<Range<usize>>,
    entries: Option<&'a DeTable<'a>>,
    asked: Vec<&'static str>,
    /// Keys that are known, and known to have no place here.
    refused: Vec<&'static str>,
}

impl<'a> Table<'a> {
    pub(super) fn document(entries: &'a DeTable<'a>) -> Self {
        Self {
            path: String::new(),
            span: None,
            entries: Some(entries),
            asked: Vec::new(),
            refused: Vec::new(),
        }
    }

    /// The value of a key, through a reader that notes what is wrong with it. `None`: absent or wrong.
    pub(super) fn read<T>(
        &mut self,
        key: &'static str,
        findings: &mut Findings,
        read: impl FnOnce(Node<'a>, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        read(self.node(key)?, findings)
    }

    /// The value of a key that must be there.
    pub(super) fn require<T>(
        &mut self,
        key: &'static str,
        example: &str,
        findings: &mut Findings,
        read: impl FnOnce(Node<'a>, &mut Findings) -> Option<T>,
    ) -> Option<T> {
        let Some(node) = self.node(key) else {
            if !findings.incomplete {
                let path = &self.path;
                match self.span.clone() {
                    Some(span) => findings
                        .error(Some(span), format!("`{key}` is missing in [{path}]"))
                        .hint(format!("add {example}")),
                    None => findings
                        .error(None, format!("[{path}] is missing"))
                        .hint(format!("add it, with {example}")),
                };
            }
            return None;
        };
        read(node, findings)
    }

    /// A key that is known elsewhere and has no place here: says so where the file has it, and offers it to nobody.
    pub(super) fn refuse(&mut self, key: &'static str, what: &str, hint: &str, findings: &mut Findings) {
        self.refused.push(key);
        let Some(value) = self.entries.and_then(|entries| entries.get(key)) else { return };
        let node = Node { path: self.path_of(key), span: value.span(), value: value.get_ref() };
        node.wrong(what, findings).hint(hint);
    }

    /// A table below this one; an empty one if it is absent or something else, which is then a mistake.
    pub(super) fn table(&mut self, key: &'static str, findings: &mut Findings) -> Table<'a> {
        let absent = Table {
            path: self.path_of(key),
            span: None,
            entries: None,
            asked: Vec::new(),
            refused: Vec::new(),
        };
        self.read(key, findings, Node::table).unwrap_or(absent)
    }

    /// Its entries in the order of the file, for a table whose keys are names that the file's author chose.
    pub(super) fn named(self) -> impl Iterator<Item = (Key<'a>, Node<'a>)> {
        let mut entries: Vec<_> = self.entries.into_iter().flatten().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries.into_iter().map(move |(key, value)| {
            let node =
                Node { path: join(&self.path, key.get_ref()), span: value.span(), value: value.get_ref() };
            (Key { name: key.get_ref(), span: key.span() }, node)
        })
    }

    /// Whether there is nothing in it.
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_none_or(|entries| entries.is_empty())
    }

    /// The table is read: what nobody asked for is unknown.
    pub(super) fn finish(self, findings: &mut Findings) {
        self.finish_with(&[], findings);
    }

    /// As [`Table::finish`], and a key that is known in a table below is pointed there ("stop.grace").
    pub(super) fn finish_with(mut self, below: &[&str], findings: &mut Findings) {
        let Some(entries) = self.entries else { return };
        self.asked.sort_unstable();
        let is_known = |key: &str| self.asked.contains(&key) || self.refused.contains(&key);
        for key in entries.keys().filter(|key| !is_known(key.get_ref())) {
            let name = key.get_ref();
            let place = match &*self.path {
                "" => "at the top of the file".to_owned(),
                path => format!("in [{path}]"),
            };
            let known = || self.asked.iter().copied();
            let last = |path: &&str| {
                path.rsplit('.').next().is_some_and(|last| near(name, [last].into_iter()).is_some())
            };
            let hint = match near(name, known()).or_else(|| below.iter().copied().find(last)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys here: {}", listed(known())),
            };
            findings.error(Some(key.span()), format!("unknown key `{}` {place}", shown(name))).hint(hint);
        }
    }

    fn node(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.asked.push(key);
        let value = self.entries?.get(key)?;
        Some(Node { path: self.path_of(key), span: value.span(), value: value.get_ref() })
    }

    fn path_of(&self, key: &str) -> String {
        join(&self.path, key)
    }
}

/// A key that the file's author chose.
#[derive(Clone)]
pub(super) struct Key<'a> {
    pub(super) name: &'a str,
    pub(super) span: Range<usize>,
}

/// A value and its place.
#[derive(Clone)]
pub(super) struct Node<'a> {
    /// Its dotted path.
    pub(super) path: String,
    pub(super) span: Range<usize>,
    pub(super) value: &'a DeValue<'a>,
}

impl<'a> Node<'a> {
    pub(super) fn table(self, findings: &mut Findings) -> Option<Table<'a>> {
        match self.value {
            DeValue::Table(entries) => Some(Table {
                path: self.path,
                span: Some(self.span),
                entries: Some(entries),
                asked: Vec::new(),
                refused: Vec::new(),
            }),
            _ => self.wrong_type("a table", findings),
        }
    }

    /// The elements of an array.
    pub(super) fn elements(self, wanted: &str, findings: &mut Findings) -> Option<Vec<Node<'a>>> {
        let DeValue::Array(array) = self.value else { return self.wrong_type(wanted, findings) };
        let element = |(index, value): (usize, &'a Spanned<DeValue<'a>>)| Node {
            path: format!("{}[{index}]", self.path),
            span: value.span(),
            value: value.get_ref(),
        };
        Some(array.iter().enumerate().map(element).collect())
    }

    /// Notes that this is not `wanted` ("a time such as \"5s\"").
    pub(super) fn wrong_type<T>(&self, wanted: &str, findings: &mut Findings) -> Option<T> {
        let found = match self.value {
            DeValue::String(_) => "text",
            DeValue::Integer(_) => "a number",
            DeValue::Float(_) => "a fraction",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.wrong(format!("must be {wanted}, not {found}"), findings);
        None
    }

    /// Notes what is wrong with this value: "`path` …".
    pub(super) fn wrong<'f>(&self, what: impl AsRef<str>, findings: &'f mut Findings) -> &'f mut Finding {
        findings.error(Some(self.span.clone()), format!("`{}` {}", shown(&self.path), what.as_ref()))
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The one of `known` that `word` was most likely meant to be.
pub(super) fn near<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    // No key is this long, and the comparison takes the product of both lengths.
    if word.len() > 64 {
        return None;
    }
    let word = word.replace('_', "-").to_lowercase();
    known
        .map(|known| (strsim::damerau_levenshtein(&word, &known.replace('_', "-").to_lowercase()), known))
        .filter(|(distance, known)| *distance <= 1 + known.len() / 4)
        .min()
        .map(|(_, known)| known)
}

/// "`a`, `b`, `c`".
pub(super) fn listed<'k>(words: impl Iterator<Item = &'k str>) -> String {
    let mut out = String::new();
    for word in words {
        let comma = if out.is_empty() { "" } else { ", " };
        let _ = write!(out, "{comma}`{word}`");
    }
    out
}

/// Text of the file inside a message: short, on one line, without control characters.
pub(super) fn shown(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let mut out: String = text.chars().take(CHARS_MAX).flat_map(printable).collect();
    if text.chars().nth(CHARS_MAX).is_some() {
        out.push('…');
    }
    out
}

fn printable(c: char) -> impl Iterator<Item = char> {
    let (plain, escaped) = if c.is_control() { (None, Some(c.escape_default())) } else { (Some(c), None) };
    plain.into_iter().chain(escaped.into_iter().flatten())
}
