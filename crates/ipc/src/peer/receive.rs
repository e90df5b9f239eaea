//! The receiving end.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use serde::Serialize;

use super::shared::{Shared, encode_answer, wake};
use super::{Closed, SendError};
use crate::rpc::{Id, Params, RpcError, code};

/// The receiving half of a connection. Reading pauses while nobody takes what came: [`Limits::requests_in_flight`]
/// messages, or as many as make up [`Limits::frame_bytes`].
///
/// Messages and answers come in one stream, so an answer can be behind messages that nobody takes. While a call waits, only
/// the bytes count, so that a task that takes messages and awaits a [`Call`](super::Call) between two of them gets its
/// answer past thousands of small messages. It still must not wait without a time limit: past that bound it would wait for
/// itself. A task that serves a peer it does not trust awaits calls beside [`Incoming::next`], not instead of it.
///
/// [`Limits::requests_in_flight`]: crate::Limits::requests_in_flight
/// [`Limits::frame_bytes`]: crate::Limits::frame_bytes
///
/// Once it is dropped, notifications are discarded and requests are answered with "method not found".
pub struct Incoming(pub(super) Arc<Shared>);

/// What the other side sent.
#[derive(Debug)]
pub enum Message {
    /// Wants an answer.
    Request {
        /// What it is known by.
        id: Id,
        /// What is asked.
        method: String,
        /// With which parameters.
        params: Params,
        /// The way to answer.
        reply: Reply,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: String,
        /// With which parameters.
        params: Params,
    },
}

impl Message {
    /// About how many bytes it holds.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Request { method, params, .. } | Self::Notification { method, params } => {
                size_of::<Self>() + method.len() + params.len()
            }
        }
    }
}

impl Incoming {
    /// The next message; `None` once the connection is over and everything that came was taken. Cancel safe.
    pub async fn next(&mut self) -> Option<Message> {
        poll_fn(|cx| {
            let mut state = self.0.lock();
            let Some(message) = state.inbox.pop_front() else {
                if state.closed.is_some() {
                    return Poll::Ready(None);
                }
                state.receiver = Some(cx.waker().clone());
                return Poll::Pending;
            };
            state.inbox_bytes -= message.len();
            if state.inbox.is_empty() {
                state.inbox.shrink_to(0);
            }
            let connection = if state.paused { state.connection.take() } else { None };
            drop(state);
            wake(connection);
            Poll::Ready(Some(message))
        })
        .await
    }

    /// Why the connection is over or about to be; `None` while it lives.
    pub fn closed(&self) -> Option<Closed> {
        self.0.lock().closed.clone()
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.inbox_closed = true;
        let inbox = std::mem::take(&mut state.inbox);
        state.inbox_bytes = 0;
        let connection = state.connection.take();
        drop(state);
        for message in inbox {
            if let Message::Request { method, reply, .. } = message {
                // A connection that is over takes no answers.
                let _ = reply.fail(RpcError::method_not_found(&method));
            }
        }
        wake(connection);
    }
}

/// The way to answer one request. Dropped without an answer, it answers "internal error".
pub struct Reply {
    shared: Arc<Shared>,
    id: Id,
    answered: bool,
}

impl Reply {
    pub(super) fn new(shared: Arc<Shared>, id: Id) -> Self {
        Self { shared, id, answered: false }
    }

    /// What the request is known by.
    pub fn id(&self) -> &Id {
        &self.id
    }

    /// Answers with a result; `&()` is null.
    ///
    /// # Errors
    /// [`SendError`]. A result that cannot be sent is answered with "internal error".
    pub fn answer(mut self, result: &(impl Serialize + ?Sized)) -> Result<(), SendError> {
        let frame_bytes_max = self.shared.frame_bytes_max();
        let frame = crate::frame::encode_with(frame_bytes_max, |body| {
            body.text("{\"jsonrpc\":\"2.0\",\"id\":")?;
            body.json(&self.id)?;
            body.text(",\"result\":")?;
            body.json(result)?;
            body.text("}")
        })?;
        self.send(frame)
    }

    /// Answers with an error.
    ///
    /// # Errors
    /// [`SendError::Closed`].
    pub fn fail(mut self, error: RpcError) -> Result<(), SendError> {
        let frame = encode_answer(Some(&self.id), Err(&error));
        self.send(frame)
    }

    /// Resolves once the answer is not wanted any more: the other side cancelled the request, or the connection is over.
    /// Cancel safe.
    pub async fn cancelled(&self) {
        poll_fn(|cx| {
            let mut state = self.shared.lock();
            let over = state.closed.is_some();
            match state.serving.iter_mut().find(|serving| serving.id == self.id) {
                Some(serving) if !serving.cancelled && !over => {
                    serving.waker = Some(cx.waker().clone());
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
    }

    fn send(&mut self, frame: Vec<u8>) -> Result<(), SendError> {
        self.answered = true;
        let mut state = self.shared.lock();
        if let Some(at) = state.serving.iter().position(|serving| serving.id == self.id) {
            state.serving.swap_remove(at);
        }
        if state.serving.is_empty() {
            state.serving = Vec::new();
        }
        self.shared.send_locked(state, frame).map_err(SendError::Closed)
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            let error = RpcError::new(code::INTERNAL, "the request was given up without an answer");
            let frame = encode_answer(Some(&self.id), Err(&error));
            // A connection that is over takes no answers.
            let _ = self.send(frame);
        }
    }
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Reply").field(&self.id).finish()
    }
}
