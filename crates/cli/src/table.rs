//! Tables for people: columns as wide as their content, the last one wrapped at the edge of the terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::screen::{Screen, Tone, visible};

/// Between two columns.
const GAP: usize = 2;
/// A column other than the last is cut to this on a terminal.
const CELL_MAX: usize = 20;
/// The last column keeps at least this, even where the terminal is narrower than that.
const LAST_MIN: usize = 24;

/// Rows under a heading.
pub(crate) struct Table {
    head: Vec<&'static str>,
    rows: Vec<Vec<Cell>>,
}

/// One text and what it means.
pub(crate) struct Cell {
    text: String,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: impl AsRef<str>) -> Self {
        Self::toned(text, Tone::Plain)
    }

    /// Control characters in `text` become visible ones here, once for all tables.
    pub(crate) fn toned(text: impl AsRef<str>, tone: Tone) -> Self {
        Self { text: visible(text.as_ref()), tone }
    }

    /// The value, or a dash.
    pub(crate) fn or_dash(value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => Self::new(value.to_string()),
            None => Self::toned("-", Tone::Dim),
        }
    }
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self { head: head.to_vec(), rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.head.len(), "a cell for each column");
        self.rows.push(cells);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, every line ended by a newline.
    pub(crate) fn render(&self, screen: &Screen) -> String {
        let widths = self.widths(screen);
        let mut out = String::new();
        let head: Vec<Cell> = self.head.iter().map(|text| Cell::toned(text, Tone::Head)).collect();
        for row in std::iter::once(&head).chain(&self.rows) {
            line(&mut out, row, &widths, screen);
        }
        out
    }

    fn widths(&self, screen: &Screen) -> Vec<usize> {
        let mut widths: Vec<usize> = self.head.iter().map(|text| text.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        if let (Some(screen), Some((last, others))) = (screen.width, widths.split_last_mut()) {
            others.iter_mut().for_each(|width| *width = (*width).min(CELL_MAX));
            let taken: usize = others.iter().map(|width| width + GAP).sum();
            *last = (*last).min(screen.saturating_sub(taken).max(LAST_MIN));
        }
        widths
    }
}

fn line(out: &mut String, row: &[Cell], widths: &[usize], screen: &Screen) {
    let (Some((last, others)), Some((last_width, other_widths))) = (row.split_last(), widths.split_last())
    else {
        return;
    };
    let indent: usize = other_widths.iter().map(|width| width + GAP).sum();
    for (cell, &width) in others.iter().zip(other_widths) {
        let text = cut(&cell.text, width);
        let padding = width - text.width() + GAP;
        out.push_str(&screen.paint(&text, cell.tone));
        out.extend(std::iter::repeat_n(' ', padding));
    }
    for (n, part) in wrap(&last.text, *last_width).iter().enumerate() {
        if n > 0 {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
        out.push_str(&screen.paint(part, last.tone));
    }
    let content = out.trim_end_matches(' ').len();
    out.truncate(content);
    out.push('\n');
}

/// `text` in at most `width` columns, with an ellipsis where something is missing.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let next = used + c.width().unwrap_or(0);
        if next + 1 > width {
            break;
        }
        used = next;
        out.push(c);
    }
    out.push('…');
    out
}

/// `text` in lines of at most `width` columns, broken at spaces; a word that is longer is broken where it must be.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let needed = word.width();
        if used > 0 && used + 1 + needed > width {
            lines.push(String::new());
            used = 0;
        } else if used > 0 {
            push(&mut lines, ' ');
            used += 1;
        }
        for c in word.chars() {
            let columns = c.width().unwrap_or(0);
            if used + columns > width && used > 0 {
                lines.push(String::new());
                used = 0;
            }
            push(&mut lines, c);
            used += columns;
        }
    }
    lines
}

fn push(lines: &mut [String], c: char) {
    if let Some(line) = lines.last_mut() {
        line.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Table {
        let mut table = Table::new(&["AGENT", "USER", "WHY"]);
        table.row(vec![Cell::new("desk"), Cell::new("alice"), Cell::toned("ready", Tone::Good)]);
        table.row(vec![
            Cell::new("synchroniser"),
            Cell::new("CORP\\a.very.long.name.of.a.person"),
            Cell::new("the program /opt/acme/bin/desk does not exist; install it, or correct `command`"),
        ]);
        table.row(vec![Cell::new("世界"), Cell::or_dash(None::<&str>), Cell::new("")]);
        table
    }

    #[test]
    fn a_terminal_gets_wrapped_columns_and_a_pipe_whole_lines() {
        let terminal = example().render(&Screen { width: Some(60), color: false });
        assert!(terminal.lines().all(|line| line.width() <= 60), "{terminal}");
        insta::assert_snapshot!("terminal", terminal);
        insta::assert_snapshot!("pipe", example().render(&Screen { width: None, color: false }));
    }

    #[test]
    fn colours_do_not_move_columns() {
        let plain = example().render(&Screen { width: Some(60), color: false });
        let colored = example().render(&Screen { width: Some(60), color: true });
        let mut stripped = String::new();
        let mut inside = false;
        for c in colored.chars() {
            match (inside, c) {
                (false, '\x1b') => inside = true,
                (true, 'm') => inside = false,
                (true, _) => {}
                (false, c) => stripped.push(c),
            }
        }
        assert_eq!(plain, stripped);
    }

    #[test]
    fn words_longer_than_the_line_are_broken() {
        assert_eq!(wrap("see /a/very/long/path", 8), ["see", "/a/very/", "long/pat", "h"]);
        assert_eq!(wrap("", 8), [""]);
    }

    #[test]
    fn a_cut_text_says_so() {
        assert_eq!(cut("abcdef", 6), "abcdef");
        assert_eq!(cut("abcdef", 4), "abc…");
    }
}
