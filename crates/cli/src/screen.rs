//! Standard output as a command sees it: how wide, whether in colour, and a reader that may leave.

use std::io::{self, IsTerminal, Write};

use crate::args::ColorWhen;
use crate::failure::Failure;

/// How to write to whoever reads standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    /// Columns of the terminal; `None` where standard output is none, so that `grep` finds whole lines.
    pub(crate) width: Option<usize>,
    /// Whether colours are wanted.
    pub(crate) color: bool,
}

/// What a piece of text means; the colour follows from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    /// As it is.
    #[default]
    Plain,
    /// All is well.
    Good,
    /// Under way.
    Busy,
    /// Somebody should look.
    Bad,
    /// Less important.
    Dim,
    /// A heading.
    Head,
}

impl Screen {
    pub(crate) fn of_stdout(when: ColorWhen) -> Self {
        let terminal = io::stdout().is_terminal();
        // https://no-color.org: any value that is not empty switches colours off.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let color = match when {
            ColorWhen::Always => true,
            ColorWhen::Never => false,
            ColorWhen::Auto => terminal && !unwanted,
        };
        let width = terminal.then(|| crossterm::terminal::size().map_or(80, |(columns, _)| columns.into()));
        Self { width, color }
    }

    /// `text` in the colour of `tone`.
    pub(crate) fn paint(&self, text: &str, tone: Tone) -> String {
        let code = match tone {
            Tone::Good => "32",
            Tone::Busy => "33",
            Tone::Bad => "31",
            Tone::Dim => "2",
            Tone::Head => "1",
            Tone::Plain => return text.to_owned(),
        };
        if self.color && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Writes `text` to standard output.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::ReaderLeft,
        _ => Failure::failed(format!("cannot write to standard output: {error}")),
    })
}

/// Writes something to standard error that is worth knowing and stops nothing.
pub(crate) fn warn(text: &str) {
    // Nobody is left to tell if standard error is gone.
    let _ = writeln!(io::stderr(), "{text}\n");
}

/// Writes `value` as JSON, indented, with a newline at the end.
pub(crate) fn print_json(value: &impl serde::Serialize) -> Result<(), Failure> {
    let mut text = serde_json::to_string_pretty(value)
        .map_err(|error| Failure::failed(format!("cannot write the answer as JSON: {error}")))?;
    text.push('\n');
    print(&unobtrusive(text))
}

/// JSON whose strings hold no character that a terminal would obey. serde escapes only those below U+0020; the others appear
/// in JSON nowhere but in strings, where the escape means the same.
fn unobtrusive(json: String) -> String {
    let obeyed = |c: char| c != '\n' && hides(c);
    if !json.contains(obeyed) {
        return json;
    }
    let escaped = |c: char| if obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() };
    json.chars().map(escaped).collect()
}

/// Whether a terminal may obey this character instead of showing it: controls, and the marks that turn the direction of
/// writing.
fn hides(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with control characters made visible.
///
/// Agents name their own status, and users their own sessions: neither may move the cursor of an administrator's
/// terminal, or hide a line of it.
pub(crate) fn visible(text: &str) -> String {
    if !text.contains(hides) {
        return text.to_owned();
    }
    text.chars().map(|c| if hides(c) { c.escape_default().to_string() } else { c.to_string() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_an_agent_answers_moves_the_cursor_and_the_json_means_the_same() {
        let value = serde_json::json!({"a": "x\u{9b}2J\u{202e}\u{1b}\u{7f}\n"});
        let text = unobtrusive(serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.contains(|c| c != '\n' && hides(c)), "{text:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
    }

    #[test]
    fn nothing_that_an_agent_says_moves_the_cursor() {
        assert_eq!(visible("50 %\r\x1b[2Jgone"), "50 %\\r\\u{1b}[2Jgone");
        assert_eq!(visible("abc\u{202e}def"), "abc\\u{202e}def");
        assert_eq!(visible("Grüße, 世界"), "Grüße, 世界");
    }

    #[test]
    fn colours_only_where_wanted() {
        let plain = Screen { width: None, color: false };
        assert_eq!(plain.paint("held", Tone::Bad), "held");
        let colored = Screen { width: None, color: true };
        assert_eq!(colored.paint("held", Tone::Bad), "\x1b[31mheld\x1b[0m");
    }
}
