//! The end that owns the stream.

use std::future::{Future, poll_fn};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::Sleep;
use tokio_util::io::poll_read_buf;

use super::shared::Shared;
use super::{Closed, Incoming, Peer};
use crate::Limits;
use crate::frame::FrameCodec;

/// How much is read at a time while no frame is incomplete; on the stack, so that it costs an idle connection nothing.
const CHUNK_BYTES: usize = 4096;

/// How long the last words of a connection may take.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How much unread input is thrown away at the end. Unix sockets turn unread input into a reset that can overtake the
/// last words.
const DISCARD_BYTES_MAX: usize = 256 * 1024;

/// The end of a connection that owns the stream and moves its bytes.
pub struct Connection<S> {
    stream: S,
    shared: Arc<Shared>,
    codec: FrameCodec,
    /// An incomplete frame, or nothing.
    input: BytesMut,
    read_stall: Stall,
    /// Frames that are being written, or nothing.
    output: Vec<u8>,
    written: usize,
    write_stall: Stall,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Makes the ends of a connection on this stream. Nothing happens until [`Connection::run`] is driven.
    pub fn new(stream: S, limits: Limits) -> (Self, Peer, Incoming) {
        let codec = FrameCodec::new(&limits);
        let shared = Arc::new(Shared::new(limits));
        let (peer, incoming) = (Peer(Arc::clone(&shared)), Incoming(Arc::clone(&shared)));
        let connection = Self {
            stream,
            shared,
            codec,
            input: BytesMut::new(),
            read_stall: Stall::default(),
            output: Vec::new(),
            written: 0,
            write_stall: Stall::default(),
        };
        (connection, peer, incoming)
    }

    /// Moves bytes until the connection is over, and says why it is. Dropping the future ends the connection at once.
    pub async fn run(mut self) -> Closed {
        let closed = poll_fn(|cx| self.poll_open(cx)).await;
        self.shared.end(closed.clone());
        if closed.leaves_time_for_last_words() {
            // Boxed, because it would otherwise double what every connection's task holds.
            let _ = Box::pin(tokio::time::timeout(LAST_WORDS, self.last_words())).await;
        }
        closed
    }

    /// Reads and writes as far as possible; ready once the connection must end.
    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        let has_room = {
            // Registered first: whatever others do from here on polls this again.
            let mut state = self.shared.lock();
            if let Some(closed) = &state.closed {
                return Poll::Ready(closed.clone());
            }
            if !state.connection.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                state.connection = Some(cx.waker().clone());
            }
            state.has_room(&self.shared.limits)
        };
        if has_room {
            if let Poll::Ready(closed) = self.poll_read(cx) {
                return Poll::Ready(closed);
            }
        } else {
            self.read_stall.clear();
        }
        match self.poll_write(cx) {
            Poll::Ready(Err(closed)) => Poll::Ready(closed),
            Poll::Ready(Ok(())) | Poll::Pending => Poll::Pending,
        }
    }

    /// Reads until there is nothing to read or no room for it; ready with the reason to end. There is room at the start.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Closed> {
        let mut taken = self.take_frames_of_input();
        loop {
            match taken {
                Ok(true) => {}
                Ok(false) => {
                    self.read_stall.clear();
                    return Poll::Pending;
                }
                Err(closed) => return Poll::Ready(closed),
            }
            taken = match self.poll_fill(cx) {
                Poll::Ready(taken) => taken,
                Poll::Pending if self.codec.is_between_frames(&self.input) => return Poll::Pending,
                Poll::Pending => {
                    ready!(self.read_stall.poll(cx, self.shared.limits.stall()));
                    return Poll::Ready(Closed::ReadStalled { stall_ms: self.shared.limits.stall_ms });
                }
            };
        }
    }

    /// Reads once, and hands out every complete frame. False if there is no room for more.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Closed>> {
        if !self.input.is_empty() || self.input.capacity() > 0 {
            if self.input.capacity() == self.input.len() {
                self.input.reserve(CHUNK_BYTES);
            }
            let read = ready!(poll_read_buf(Pin::new(&mut self.stream), cx, &mut self.input))?;
            return Poll::Ready(if read == 0 { Err(self.eof()) } else { self.take_frames_of_input() });
        }
        // Most reads bring whole frames, which are read where they are. Only what is left of one is kept.
        let mut chunk = [MaybeUninit::uninit(); CHUNK_BYTES];
        let mut chunk = ReadBuf::uninit(&mut chunk);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut chunk))?;
        let mut rest = chunk.filled();
        if rest.is_empty() {
            return Poll::Ready(Err(self.eof()));
        }
        let taken = take_frames(&mut self.codec, &mut self.read_stall, &self.shared, &mut rest);
        if !rest.is_empty() {
            self.input.extend_from_slice(rest);
        }
        self.codec.make_room(&mut self.input);
        Poll::Ready(taken)
    }

    fn take_frames_of_input(&mut self) -> Result<bool, Closed> {
        if self.input.is_empty() {
            return Ok(true);
        }
        let mut rest = &self.input[..];
        let taken = take_frames(&mut self.codec, &mut self.read_stall, &self.shared, &mut rest);
        let used = self.input.len() - rest.len();
        self.input.advance(used);
        if self.codec.is_between_frames(&self.input) {
            self.input = BytesMut::new();
        } else {
            self.codec.make_room(&mut self.input);
        }
        taken
    }

    fn eof(&self) -> Closed {
        match self.codec.is_between_frames(&self.input) {
            true => Closed::Eof,
            false => Closed::EofInFrame,
        }
    }

    /// Writes until nothing waits (ready) or the other side takes no more (pending).
    fn poll_write(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Closed>> {
        loop {
            if self.written == self.output.len() && !self.take_output() {
                self.write_stall.clear();
                return Pin::new(&mut self.stream).poll_flush(cx).map_err(Closed::from);
            }
            match Pin::new(&mut self.stream).poll_write(cx, &self.output[self.written..]) {
                Poll::Ready(Ok(0)) => {
                    return Poll::Ready(Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into()));
                }
                Poll::Ready(Ok(written)) => {
                    self.written += written;
                    self.write_stall.clear();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error.into())),
                Poll::Pending => {
                    self.shared.lock().writing_bytes = self.output.len() - self.written;
                    ready!(self.write_stall.poll(cx, self.shared.limits.stall()));
                    return Poll::Ready(Err(Closed::WriteStalled { stall_ms: self.shared.limits.stall_ms }));
                }
            }
        }
    }

    /// Takes what waits to be written. False if nothing does.
    fn take_output(&mut self) -> bool {
        let mut state = self.shared.lock();
        self.output = std::mem::take(&mut state.out);
        self.written = 0;
        state.writing_bytes = self.output.len();
        !self.output.is_empty()
    }

    /// Writes what waits, closes this side's half, and throws away what has come meanwhile.
    async fn last_words(&mut self) {
        if poll_fn(|cx| self.poll_write(cx)).await.is_err() || self.stream.shutdown().await.is_err() {
            return;
        }
        let mut discarded = 0;
        poll_fn(|cx| {
            let mut chunk = [0; CHUNK_BYTES];
            while discarded < DISCARD_BYTES_MAX {
                let mut chunk = ReadBuf::new(&mut chunk);
                match Pin::new(&mut self.stream).poll_read(cx, &mut chunk) {
                    Poll::Ready(Ok(())) if !chunk.filled().is_empty() => discarded += chunk.filled().len(),
                    _ => break,
                }
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// Hands out every complete frame of these bytes and moves their start past them. False if there is no room for more.
fn take_frames(
    codec: &mut FrameCodec,
    read_stall: &mut Stall,
    shared: &Arc<Shared>,
    bytes: &mut &[u8],
) -> Result<bool, Closed> {
    while let Some(body) = codec.cut(bytes).map_err(Closed::Frame)? {
        read_stall.clear();
        if !shared.receive(body)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl<S> Drop for Connection<S> {
    fn drop(&mut self) {
        self.shared.end(Closed::Local("this side dropped the connection".into()));
    }
}

impl Closed {
    /// Whether the other side may still be reading.
    fn leaves_time_for_last_words(&self) -> bool {
        match self {
            Self::Eof
            | Self::Frame(_)
            | Self::Parse(_)
            | Self::TooManyRequests { .. }
            | Self::ReadStalled { .. } => true,
            Self::Local(_) => true,
            Self::EofInFrame | Self::SlowReader { .. } | Self::WriteStalled { .. } | Self::Io(_) => false,
        }
    }
}

/// A time limit on something that is stuck. Armed only while it is, so that an idle connection has no timer.
#[derive(Default)]
struct Stall(Option<Pin<Box<Sleep>>>);

impl Stall {
    fn clear(&mut self) {
        self.0 = None;
    }

    fn poll(&mut self, cx: &mut Context<'_>, limit: Duration) -> Poll<()> {
        self.0.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }
}
