//! Frames of the Language Server base protocol: `Content-Length: N`, an empty line, N bytes.
//!
//! Follows <https://microsoft.github.io/language-server-protocol/specifications/lsp/3.17/specification/#baseProtocol>.
//! Field names are read in any case, other fields are ignored. A length that is missing, repeated, not decimal or too
//! large is an error, after which the stream cannot be cut into frames any more and must be closed.

use std::io;

use bytes::{Buf, BufMut, BytesMut};
use serde::Serialize;
use tokio_util::codec::{Decoder, Encoder};

use crate::Limits;

/// How far the buffer grows ahead of a body that has not come yet. A peer pays with bytes for memory, not with promises.
const GROWTH_BYTES: usize = 16 * 1024;

/// Room for the longest header that this side writes.
const OWN_HEADER_BYTES_MAX: usize = "Content-Length: 4294967295\r\n\r\n".len();

/// Cuts a stream into bodies, and puts bodies into frames.
#[derive(Clone, Debug)]
pub struct FrameCodec {
    header_bytes_max: usize,
    frame_bytes_max: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Looking for the empty line; so many bytes were searched already.
    Header { searched: usize },
    /// The header is consumed; so many bytes of body follow.
    Body { length: usize },
}

/// Why a stream cannot be cut into frames any more, or a body cannot be sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The empty line did not come in time.
    #[error("a header longer than {max} bytes")]
    HeaderTooLong {
        /// The limit.
        max: usize,
    },
    /// A line of the header has no colon: this is another protocol.
    #[error("a header that is not made of `Name: value` lines")]
    NotAHeader,
    /// The header does not say how long the body is.
    #[error("a header without Content-Length")]
    NoLength,
    /// The header says it more than once.
    #[error("a header with more than one Content-Length")]
    RepeatedLength,
    /// The length is negative, empty, or otherwise no decimal number.
    #[error("a Content-Length that is no decimal number")]
    NotDecimal,
    /// The body is longer than this side takes.
    #[error("a body of {length} bytes, where at most {max} are taken")]
    TooLarge {
        /// What the header announces; `u64::MAX` stands for more than that.
        length: u64,
        /// The limit.
        max: u32,
    },
    /// The stream ended within a frame.
    #[error("a frame that the stream's end cut short")]
    Truncated,
}

impl FrameCodec {
    /// A codec at the start of a stream.
    pub fn new(limits: &Limits) -> Self {
        Self {
            header_bytes_max: limits.header_bytes as usize,
            frame_bytes_max: limits.frame_bytes,
            state: State::Header { searched: 0 },
        }
    }

    /// The next body, if it is complete.
    ///
    /// # Errors
    /// [`FrameError`]; the stream must be closed.
    pub fn next_body(&mut self, source: &mut BytesMut) -> Result<Option<BytesMut>, FrameError> {
        let mut rest = &source[..];
        let length = self.cut(&mut rest)?.map(<[u8]>::len);
        let used = source.len() - rest.len();
        let Some(length) = length else {
            source.advance(used);
            self.make_room(source);
            return Ok(None);
        };
        source.advance(used - length);
        Ok(Some(source.split_to(length)))
    }

    /// Lets the buffer grow towards the body that it will hold.
    pub(crate) fn make_room(&self, source: &mut BytesMut) {
        if let State::Body { length } = self.state {
            source.reserve(length.saturating_sub(source.len()).min(GROWTH_BYTES));
        }
    }

    /// The next body of these bytes, if it is complete. Moves the start of `source` past what need not be seen again: a
    /// body, or a header whose body is incomplete.
    ///
    /// # Errors
    /// [`FrameError`]; the stream must be closed.
    pub(crate) fn cut<'a>(&mut self, source: &mut &'a [u8]) -> Result<Option<&'a [u8]>, FrameError> {
        let length = match self.state {
            State::Body { length } => length,
            State::Header { searched } => {
                let window = &source[..source.len().min(self.header_bytes_max)];
                let Some(end) = end_of_header(window, searched) else {
                    if window.len() == self.header_bytes_max {
                        return Err(FrameError::HeaderTooLong { max: self.header_bytes_max });
                    }
                    self.state = State::Header { searched: source.len() };
                    return Ok(None);
                };
                let length = content_length(&source[..end], self.frame_bytes_max)?;
                *source = &source[end..];
                self.state = State::Body { length };
                length
            }
        };
        let Some((body, rest)) = source.split_at_checked(length) else {
            return Ok(None);
        };
        *source = rest;
        self.state = State::Header { searched: 0 };
        Ok(Some(body))
    }

    /// Whether the stream stands between two frames, given what is left in the buffer.
    pub fn is_between_frames(&self, source: &BytesMut) -> bool {
        source.is_empty() && matches!(self.state, State::Header { .. })
    }
}

/// Where the header ends, empty line included.
fn end_of_header(window: &[u8], searched: usize) -> Option<usize> {
    let from = searched.saturating_sub(3);
    let found = window.get(from..)?.windows(4).position(|four| four == b"\r\n\r\n")?;
    Some(from + found + 4)
}

fn content_length(header: &[u8], max: u32) -> Result<usize, FrameError> {
    let mut length = None;
    for line in header.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').ok_or(FrameError::NotAHeader)?;
        let (name, value) = (&line[..colon], &line[colon + 1..]);
        if !name.eq_ignore_ascii_case(b"content-length") {
            continue;
        }
        if length.is_some() {
            return Err(FrameError::RepeatedLength);
        }
        length = Some(decimal(value.trim_ascii())?);
    }
    let length = length.ok_or(FrameError::NoLength)?;
    if length > u64::from(max) {
        return Err(FrameError::TooLarge { length, max });
    }
    usize::try_from(length).map_err(|_| FrameError::TooLarge { length, max })
}

fn decimal(digits: &[u8]) -> Result<u64, FrameError> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(FrameError::NotDecimal);
    }
    Ok(digits
        .iter()
        .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'))))
}

impl Decoder for FrameCodec {
    type Item = BytesMut;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        self.next_body(source).map_err(io::Error::from)
    }

    fn decode_eof(&mut self, source: &mut BytesMut) -> io::Result<Option<BytesMut>> {
        match self.next_body(source)? {
            None if !self.is_between_frames(source) => Err(FrameError::Truncated.into()),
            body => Ok(body),
        }
    }
}

impl Encoder<&[u8]> for FrameCodec {
    type Error = io::Error;

    fn encode(&mut self, body: &[u8], target: &mut BytesMut) -> io::Result<()> {
        if body.len() as u64 > u64::from(self.frame_bytes_max) {
            return Err(FrameError::TooLarge { length: body.len() as u64, max: self.frame_bytes_max }.into());
        }
        target.reserve(OWN_HEADER_BYTES_MAX + body.len());
        let mut header = [0; OWN_HEADER_BYTES_MAX];
        let start = write_header(&mut header, body.len());
        target.put_slice(&header[start..]);
        target.put_slice(body);
        Ok(())
    }
}

impl From<FrameError> for io::Error {
    fn from(error: FrameError) -> Self {
        let kind = match error {
            FrameError::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        Self::new(kind, error)
    }
}

/// Why a message was not sent.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// Its JSON is longer than the other side takes. Found while it was written, so no more than that was held.
    #[error("the message is longer than the {max} bytes that fit a frame")]
    TooLarge {
        /// The limit.
        max: u32,
    },
    /// It cannot be written as JSON, such as a map whose keys are not text.
    #[error("the message cannot be written as JSON")]
    Json(#[source] serde_json::Error),
}

/// Writes a message and its header into one buffer, ready for one write.
///
/// # Errors
/// [`EncodeError`].
pub fn encode_message(message: &impl Serialize, frame_bytes_max: u32) -> Result<Vec<u8>, EncodeError> {
    encode_with(frame_bytes_max, |body| body.json(message))
}

/// Like [`encode_message`], for a body that is written in pieces.
pub(crate) fn encode_with(
    frame_bytes_max: u32,
    write: impl FnOnce(&mut Body) -> serde_json::Result<()>,
) -> Result<Vec<u8>, EncodeError> {
    // The header stands before the body but is known only after it: leave room, and write it so that it ends where the
    // body begins.
    let mut frame = Vec::with_capacity(256);
    frame.resize(OWN_HEADER_BYTES_MAX, 0);
    let mut body = Body { frame, bytes_max: frame_bytes_max as usize, overflown: false };
    if let Err(error) = write(&mut body) {
        return Err(match body.overflown {
            true => EncodeError::TooLarge { max: frame_bytes_max },
            false => EncodeError::Json(error),
        });
    }
    let length = body.len();
    let mut frame = body.frame;
    let start = write_header(&mut frame[..OWN_HEADER_BYTES_MAX], length);
    frame.drain(..start);
    Ok(frame)
}

/// Writes the header of a body so that it ends where `room` does, and returns where it starts. Every message passes here,
/// so it takes no detour over a text on the heap.
fn write_header(room: &mut [u8], mut length: usize) -> usize {
    const NAME: &[u8] = b"Content-Length: ";
    const END: &[u8] = b"\r\n\r\n";
    let mut start = room.len() - END.len();
    room[start..].copy_from_slice(END);
    loop {
        start -= 1;
        room[start] = b'0' + u8::try_from(length % 10).expect("a digit is less than ten");
        length /= 10;
        if length == 0 {
            break;
        }
    }
    room[start - NAME.len()..start].copy_from_slice(NAME);
    start - NAME.len()
}

/// A body in the making. It refuses to grow past a bound.
pub(crate) struct Body {
    frame: Vec<u8>,
    bytes_max: usize,
    overflown: bool,
}

impl Body {
    /// Bytes written so far.
    pub(crate) fn len(&self) -> usize {
        self.frame.len() - OWN_HEADER_BYTES_MAX
    }

    /// What was written from there on.
    pub(crate) fn since(&self, mark: usize) -> &[u8] {
        &self.frame[OWN_HEADER_BYTES_MAX + mark..]
    }

    /// Takes back what was written from there on.
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.frame.truncate(OWN_HEADER_BYTES_MAX + mark);
    }

    /// Writes text as it is.
    pub(crate) fn text(&mut self, text: &str) -> serde_json::Result<()> {
        io::Write::write_all(self, text.as_bytes()).map_err(serde_json::Error::io)
    }

    /// Writes a value as JSON.
    pub(crate) fn json(&mut self, value: &(impl Serialize + ?Sized)) -> serde_json::Result<()> {
        serde_json::to_writer(self, value)
    }
}

impl io::Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_all(bytes).map(|()| bytes.len())
    }

    // What serde_json calls, for every piece of the text. The provided one is a loop around `write`.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        if bytes.len() > self.bytes_max - self.len() {
            self.overflown = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.frame.extend_from_slice(bytes);
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
