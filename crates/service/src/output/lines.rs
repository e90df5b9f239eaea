//! Bytes in, lines out.

use std::collections::VecDeque;

use super::LINE_BYTES;

/// Splits a byte stream at newlines. Holds memory only while a line is unfinished.
#[derive(Debug, Default)]
pub(super) struct Lines {
    whole: VecDeque<String>,
    partial: Vec<u8>,
}

impl Lines {
    /// Takes the next bytes of the stream.
    pub(super) fn push(&mut self, mut bytes: &[u8]) {
        while let Some(end) = bytes.iter().position(|&byte| byte == b'\n') {
            self.extend(&bytes[..end]);
            let line = std::mem::take(&mut self.partial);
            self.whole.push_back(text(&line));
            bytes = &bytes[end + 1..];
        }
        self.extend(bytes);
    }

    /// The next whole line.
    pub(super) fn next(&mut self) -> Option<String> {
        let line = self.whole.pop_front();
        if line.is_none() {
            self.whole = VecDeque::new();
        }
        line
    }

    /// How many bytes of the stream it holds on to.
    pub(super) fn held(&self) -> usize {
        self.partial.len()
    }

    /// What came after the last newline, once the stream has ended.
    pub(super) fn rest(&mut self) -> Option<String> {
        (!self.partial.is_empty()).then(|| text(&std::mem::take(&mut self.partial)))
    }

    /// Appends to the unfinished line, cutting it into pieces where it is too long to hold.
    fn extend(&mut self, mut bytes: &[u8]) {
        while self.partial.len() + bytes.len() > LINE_BYTES {
            let (head, tail) = bytes.split_at(LINE_BYTES - self.partial.len());
            self.partial.extend_from_slice(head);
            self.whole.push_back(text(&std::mem::take(&mut self.partial)));
            bytes = tail;
        }
        self.partial.extend_from_slice(bytes);
    }
}

/// The line as text: no carriage return at its end, and a replacement character for what is not UTF-8.
fn text(line: &[u8]) -> String {
    String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(line)).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for piece in pieces {
            lines.push(piece);
            while let Some(line) = lines.next() {
                seen.push(line);
            }
        }
        seen.extend(lines.rest());
        seen
    }

    #[test]
    fn a_line_may_come_in_pieces_and_pieces_may_hold_lines() {
        assert_eq!(all(&[b"a", b"b\nc\r\nd", b"\n"]), ["ab", "c", "d"]);
    }

    #[test]
    fn the_last_line_needs_no_newline() {
        assert_eq!(all(&[b"a\nb"]), ["a", "b"]);
    }

    #[test]
    fn a_line_without_end_is_cut_and_never_held_whole() {
        let mut lines = Lines::default();
        for _ in 0..10 {
            lines.push(&[b'x'; 1000]);
            assert!(lines.partial.len() <= LINE_BYTES);
        }
        let mut total = 0;
        while let Some(line) = lines.next() {
            assert_eq!(line.len(), LINE_BYTES);
            total += line.len();
        }
        assert_eq!(total + lines.rest().map_or(0, |rest| rest.len()), 10_000);
    }

    #[test]
    fn bytes_that_are_not_text_are_replaced() {
        assert_eq!(all(&[b"a\xffb\n"]), ["a\u{fffd}b"]);
    }
}
