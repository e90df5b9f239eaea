//! What is wrong with a configuration, for people and for programs.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str};
use serde_json::{Value, json};

use super::read::Findings;
use super::source::Source;

/// Everything that was found in one file, in the order of the file; mistakes and warnings.
#[derive(Clone, Debug)]
pub struct Report {
    path: PathBuf,
    text: String,
    findings: Vec<Finding>,
    /// Errors, also those past the bound on findings.
    errors: usize,
    /// Warnings, likewise.
    warnings: usize,
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// Whether it stands in the way.
    pub severity: Severity,
    /// What is wrong, on what.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The marked place: bytes of the file's text, without a byte-order mark. `None`: it is about the file as a whole.
    pub span: Option<Range<usize>>,
    /// The line of the marked place, from 1.
    pub line: Option<usize>,
    /// Its column in characters, from 1.
    pub column: Option<usize>,
}

/// Whether a finding stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot be used.
    Error,
    /// It can be used, but may not do what was meant.
    Warning,
}

/// How findings are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// With ANSI colours.
    pub color: bool,
    /// With box-drawing characters instead of `|` and `-`.
    pub unicode: bool,
    /// Columns of the terminal.
    pub width: usize,
}

impl Style {
    /// For a file or a pipe: no colour, ASCII, 100 columns.
    pub const PLAIN: Self = Self { color: false, unicode: false, width: 100 };

    /// For a terminal of so many columns, as its environment wants it: no colour with `NO_COLOR` (<https://no-color.org>)
    /// or `TERM=dumb`, box-drawing characters where the locale or the terminal program is known to show them.
    pub fn terminal(width: usize) -> Self {
        let var = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale =
            ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var).unwrap_or_default().to_lowercase();
        Self {
            color: var("NO_COLOR").is_none() && var("TERM").as_deref() != Some("dumb"),
            unicode: locale.contains("utf-8") || locale.contains("utf8") || var("WT_SESSION").is_some(),
            width,
        }
    }
}

impl Report {
    pub(super) fn new(source: Source, findings: Findings) -> Self {
        let (errors, warnings) = (findings.errors, findings.warnings);
        let mut findings = findings.into_vec();
        for finding in &mut findings {
            let Some(span) = &mut finding.span else { continue };
            *span = within(&source.text, span);
            let before = &source.text[..span.start];
            let line_start = before.rfind('\n').map_or(0, |at| at + 1);
            finding.line = Some(1 + before.matches('\n').count());
            finding.column = Some(1 + before[line_start..].chars().count());
        }
        findings.sort_by_key(|finding| finding.span.as_ref().map_or(0, |span| span.start));
        Self { path: source.path, text: source.text, findings, errors, warnings }
    }

    /// A report on a file that could not even be read.
    pub(super) fn refused(path: &Path, message: String, hint: &str) -> Self {
        let mut findings = Findings::default();
        findings.error(None, message).hint(hint);
        Self::new(Source::new(path, ""), findings)
    }

    /// What was found, in the order of the file.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether nothing was found.
    pub fn is_empty(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether anything that was found stands in the way.
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Every finding with its line, the marked place and a hint, and a last line that counts them.
    pub fn render(&self, style: Style) -> String {
        let decor = if style.unicode { DecorStyle::Unicode } else { DecorStyle::Ascii };
        let renderer = if style.color { Renderer::styled().hyperlink(false) } else { Renderer::plain() };
        let renderer = renderer.decor_style(decor).term_width(style.width.max(20));
        let mut out = String::new();
        for finding in &self.findings {
            out.push_str(&renderer.render(&[self.drawing(finding, style.width)]));
            out.push_str("\n\n");
        }
        out.push_str(&self.summary());
        out.push('\n');
        out
    }

    fn drawing<'a>(&'a self, finding: &'a Finding, width: usize) -> Group<'a> {
        let (level, indent) = match finding.severity {
            Severity::Error => (Level::ERROR, "error: ".len()),
            Severity::Warning => (Level::WARNING, "warning: ".len()),
        };
        let title = level.primary_title(wrap(&finding.message, width.saturating_sub(indent)));
        let mut group = Group::with_title(title);
        if let (Some(span), Some(line)) = (&finding.span, finding.line) {
            let (shown, span) = first_line(&self.text, span);
            let snippet = Snippet::source(shown).line_start(line).path(self.path.to_string_lossy());
            group = group.element(snippet.annotation(AnnotationKind::Primary.span(span)));
        }
        if let Some(hint) = &finding.hint {
            // The gutter is at most five columns wide, "= help: " takes eight.
            let hint = wrap(&normalize_untrusted_str(hint), width.saturating_sub(13));
            group = group.element(Level::HELP.message(hint));
        }
        group
    }

    fn summary(&self) -> String {
        let some = |count: usize, word: &str| match count {
            0 => None,
            1 => Some(format!("1 {word}")),
            more => Some(format!("{more} {word}s")),
        };
        let counts = [some(self.errors, "error"), some(self.warnings, "warning")];
        let counts: Vec<String> = counts.into_iter().flatten().collect();
        let counts = if counts.is_empty() { "nothing to say".to_owned() } else { counts.join(" and ") };
        let hidden = self.errors + self.warnings - self.findings.len();
        let hidden = if hidden == 0 { String::new() } else { format!(", {hidden} of them not shown") };
        format!("{counts} in {}{hidden}", self.path.display())
    }

    /// The findings as an array of objects with the keys `severity`, `file`, `line`, `column`, `message`, `hint`; every key
    /// is present, null where there is nothing.
    pub fn to_json(&self) -> Value {
        let object = |finding: &Finding| {
            json!({
                "severity": match finding.severity { Severity::Error => "error", Severity::Warning => "warning" },
                "file": self.path.to_string_lossy(),
                "line": finding.line,
                "column": finding.column,
                "message": finding.message,
                "hint": finding.hint,
            })
        };
        self.findings.iter().map(object).collect()
    }
}

/// One finding a line, as compilers write them: `FILE:LINE:COLUMN: error: MESSAGE (HINT)`. For logs.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.findings.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{}", self.path.display())?;
            if let (Some(line), Some(column)) = (finding.line, finding.column) {
                write!(f, ":{line}:{column}")?;
            }
            let severity = match finding.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            write!(f, ": {severity}: {}", finding.message)?;
            if let Some(hint) = &finding.hint {
                write!(f, " ({hint})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Report {}

/// A span that lies in `text` and begins and ends between characters.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = boundary(text, span.start);
    start..boundary(text, span.end).max(start)
}

/// The last place between two characters that is not after `at`.
pub(super) fn boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The line that a span begins in, and the part of the span that lies in it, from the line's beginning.
fn first_line<'t>(text: &'t str, span: &Range<usize>) -> (&'t str, Range<usize>) {
    let start = text[..span.start].rfind('\n').map_or(0, |at| at + 1);
    let end = text[span.start..].find('\n').map_or(text.len(), |at| span.start + at);
    (&text[start..end], span.start - start..span.end.clamp(span.start, end) - start)
}

/// `text` with line breaks between words, so that no line has more than `width` characters where words allow it.
fn wrap(text: &str, width: usize) -> String {
    let width = width.max(20);
    let mut out = String::with_capacity(text.len());
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            out.push('\n');
            column = 0;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}
