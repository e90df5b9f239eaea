//! Markdown as a manual page (man(7)): the part of it that documents of this repository use.
//!
//! The title is dropped, since a page has its own. A table becomes a list of its first column; the last is the text, and those
//! between stand beside the first.

use pulldown_cmark::{CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

/// The body of a page, without its header.
pub(super) fn to_roff(markdown: &str) -> String {
    let mut page = Page::default();
    for event in Parser::new_ext(markdown, Options::ENABLE_TABLES) {
        page.take(event);
    }
    page.roff
}

#[derive(Default)]
struct Page {
    roff: String,
    /// The text that is being read, in roff, until it is known what it belongs to.
    text: String,
    /// The cells of the row that is being read.
    cells: Vec<String>,
    /// What the columns of the table are.
    columns: Vec<String>,
    in_code: bool,
    in_item: bool,
}

impl Page {
    fn take(&mut self, event: Event) {
        match event {
            Event::Start(tag) => self.start(&tag),
            Event::End(tag) => self.end(tag),
            Event::Text(text) if self.in_code => self.roff.push_str(&verbatim(&text)),
            Event::Text(text) => self.text.push_str(&escaped(&text)),
            Event::Code(code) => self.text.push_str(&format!("\\fB{}\\fR", escaped(&code))),
            Event::SoftBreak | Event::HardBreak => self.text.push(' '),
            // Comments, which are for those who write the document.
            _ => {}
        }
    }

    fn start(&mut self, tag: &Tag) {
        match tag {
            Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented) => {
                self.roff.push_str(".PP\n.RS 4\n.nf\n");
                self.in_code = true;
            }
            Tag::Item => self.in_item = true,
            Tag::Strong => self.text.push_str("\\fB"),
            Tag::Emphasis => self.text.push_str("\\fI"),
            _ => {}
        }
    }

    fn end(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Heading(HeadingLevel::H1) => self.text.clear(),
            TagEnd::Heading(HeadingLevel::H2) => {
                let heading = self.text.to_uppercase();
                self.text.clear();
                self.roff.push_str(&format!(".SH {heading}\n"));
            }
            TagEnd::Heading(_) => self.line(".SS "),
            TagEnd::Paragraph if self.in_item => self.text.push(' '),
            TagEnd::Paragraph => self.line(".PP\n"),
            TagEnd::Item => {
                self.line(".IP \\(bu 2\n");
                self.in_item = false;
            }
            TagEnd::CodeBlock => {
                self.roff.push_str(".fi\n.RE\n");
                self.in_code = false;
            }
            TagEnd::Strong | TagEnd::Emphasis => self.text.push_str("\\fR"),
            TagEnd::TableCell => self.cells.push(std::mem::take(&mut self.text)),
            TagEnd::TableHead => self.columns = std::mem::take(&mut self.cells),
            TagEnd::TableRow => self.row(),
            _ => {}
        }
    }

    /// What was read, after a request.
    fn line(&mut self, request: &str) {
        let text = std::mem::take(&mut self.text);
        self.roff.push_str(&format!("{request}{}\n", at_line_start(text.trim())));
    }

    fn row(&mut self) {
        let cells = std::mem::take(&mut self.cells);
        let [key, between @ .., text] = cells.as_slice() else { return };
        let mut notes = Vec::new();
        for (column, cell) in self.columns.iter().skip(1).zip(between).filter(|(_, cell)| !cell.is_empty()) {
            notes.push(if column == "default" && cell.starts_with('\\') {
                format!("default {cell}")
            } else {
                cell.clone()
            });
        }
        let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        let head = format!("{key}{notes}");
        self.roff.push_str(&format!(".TP\n{}\n{}\n", at_line_start(&head), at_line_start(text)));
    }
}

/// Text whose characters mean themselves.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq")
}

/// Lines that stay as they are.
fn verbatim(code: &str) -> String {
    code.split_inclusive('\n').map(|line| at_line_start(&escaped(line))).collect()
}

/// A point at the start of a line would be a request.
fn at_line_start(text: &str) -> String {
    if text.starts_with('.') { format!("\\&{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod test {
    use super::to_roff;

    #[test]
    fn headings_and_paragraphs() {
        let roff = to_roff("# Title\n\nOne `key`\nhere, **bold**.\n\n## Part two\n\n### More\n");
        assert_eq!(roff, ".PP\nOne \\fBkey\\fR here, \\fBbold\\fR.\n.SH PART TWO\n.SS More\n");
    }

    #[test]
    fn what_would_be_a_request_is_text() {
        assert_eq!(to_roff("...and `a\\b`, a-b"), ".PP\n\\&...and \\fBa\\eb\\fR, a\\-b\n");
        assert_eq!(to_roff("```toml\n.x = 'y'\n```"), ".PP\n.RS 4\n.nf\n\\&.x = \\(aqy\\(aq\n.fi\n.RE\n");
    }

    #[test]
    fn a_table_is_a_list_of_its_keys() {
        let table = "| key | value | default | meaning |\n|---|---|---|---|\n| `a` | time | `\"5s\"` | One. |\n| `b` | text |  | Two. |\n";
        let keys = ".TP\n\\fBa\\fR (time; default \\fB\"5s\"\\fR)\nOne.\n.TP\n\\fBb\\fR (text)\nTwo.\n";
        assert_eq!(to_roff(table), keys);
    }

    #[test]
    fn points_and_comments() {
        let roff = to_roff("- one\n  two\n- [three](https://example.org)\n\n<!-- nothing -->\n");
        assert_eq!(roff, ".IP \\(bu 2\none two\n.IP \\(bu 2\nthree\n");
    }
}
