//! Mistakes of TOML itself, and what cannot be trusted after them.

use std::ops::Range;

use super::read::{Findings, shown};
use super::report::boundary;

/// Notes the parser's errors and says which parts of the text its recovery may have put in the wrong place: what is found
/// there later would be an echo.
pub(super) fn report(text: &str, errors: &[toml::de::Error], findings: &mut Findings) -> Vec<Range<usize>> {
    let mut doubtful = Vec::<Range<usize>>::new();
    for error in errors {
        let span = error.span().unwrap_or_default();
        let at = span.start.min(text.len());
        let duplicate = error.message() == "duplicate key";
        if duplicate && doubtful.iter().any(|part| part.contains(&at)) {
            continue;
        }
        let line = line(text, at);
        // Below a header that could not be read, every key belongs to a table that nobody named.
        let is_header = text[line.clone()].trim_start().starts_with('[');
        doubtful.push(if is_header { line.start..next_header(text, line.end) } else { line });
        if duplicate {
            let name = shown(text.get(span.clone()).unwrap_or_default());
            findings.error(Some(span), format!("`{name}` is given twice")).hint("keep one of the two");
            continue;
        }
        match error.message().split_once(", expected ") {
            Some((message, expected)) => {
                findings.error(Some(span), message).hint(format!("expected {expected}"))
            }
            None => findings.error(Some(span), error.message()),
        };
    }
    doubtful
}

/// The line of an offset, with its line end.
fn line(text: &str, at: usize) -> Range<usize> {
    let at = boundary(text, at);
    let start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[at..].find('\n').map_or(text.len(), |newline| at + newline + 1);
    start..end
}

/// Where the next line begins that is the header of a table.
fn next_header(text: &str, mut at: usize) -> usize {
    while at < text.len() && !text[at..].trim_start_matches([' ', '\t']).starts_with('[') {
        at = line(text, at).end;
    }
    at
}
