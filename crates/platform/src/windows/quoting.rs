//! The command line: one string that the started program takes apart again.
//!
//! Nearly every program does so by the rules of `CommandLineToArgvW` and the C runtime ("Parsing C command-line arguments"):
//! blanks separate; a quoted part may hold blanks; `2n` backslashes before a quote are `n` and the quote ends the part, `2n+1`
//! are `n` and the quote is a letter; other backslashes are themselves. The first word has no such escapes, so a program's path,
//! which cannot hold a quote, is always put between quotes.
//!
//! This file is plain text work and is tested on every system.

/// A program and its arguments as one command line, without end marker.
pub(super) fn command_line<'a>(program: &str, args: impl IntoIterator<Item = &'a str>) -> String {
    let mut line = format!("\"{program}\"");
    for arg in args {
        line.push(' ');
        quote(arg, &mut line);
    }
    line
}

fn quote(arg: &str, line: &mut String) {
    if !arg.is_empty() && !arg.contains([' ', '\t', '\n', '\x0B', '"']) {
        line.push_str(arg);
        return;
    }
    line.push('"');
    let mut backslashes = 0;
    for letter in arg.chars() {
        match letter {
            '\\' => backslashes += 1,
            '"' => {
                // The backslashes so far are already in the line once: once more each, and one for the quote.
                line.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        line.push(letter);
    }
    line.extend(std::iter::repeat_n('\\', backslashes));
    line.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(arg: &str) -> String {
        let mut line = String::new();
        quote(arg, &mut line);
        line
    }

    #[test]
    fn plain_arguments_stay_as_they_are() {
        assert_eq!(
            command_line(r"C:\Program Files\a.exe", ["--tray", r"C:\x\"]),
            r#""C:\Program Files\a.exe" --tray C:\x\"#
        );
    }

    #[test]
    fn what_would_be_taken_apart_is_quoted() {
        assert_eq!(quoted(""), r#""""#);
        assert_eq!(quoted("a b"), r#""a b""#);
        assert_eq!(quoted(r#"a"b"#), r#""a\"b""#);
        assert_eq!(quoted(r#"a\"b"#), r#""a\\\"b""#);
        assert_eq!(quoted(r"a b\"), r#""a b\\""#);
        assert_eq!(quoted(r"a\b c"), r#""a\b c""#);
    }
}
