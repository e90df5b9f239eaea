//! The sending end.

use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::Closed;
use super::shared::{Answer, Shared};
use crate::agent::PeerLimits;
use crate::frame::{EncodeError, encode_with};
use crate::method;
use crate::rpc::{Cancel, Id, RpcError};

/// The sending half of a connection. Clones send on the same one.
#[derive(Clone)]
pub struct Peer(pub(super) Arc<Shared>);

/// Why a notification was not sent.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// The connection is over.
    #[error("cannot send: {0}")]
    Closed(Closed),
    /// The message itself cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Why a request brought no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The other side answered with an error.
    #[error(transparent)]
    Answer(RpcError),
    /// The connection is over. The request may or may not have been carried out.
    #[error("no answer: {0}")]
    Closed(Closed),
    /// More requests wait for an answer than the other side takes at a time.
    #[error("{max} requests wait for an answer already, and the other side takes no more at a time")]
    TooMany {
        /// The limit.
        max: u16,
    },
    /// The message itself cannot be sent.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The answer is not of the type that was asked for.
    #[error("the answer has another form than expected")]
    Form(#[source] serde_json::Error),
}

impl Peer {
    /// Sends a request. It is on its way when this returns; await the [`Call`] for the answer. Parameters that are null,
    /// such as `&()`, are left out.
    ///
    /// Dropping the [`Call`] cancels the request. There is no time limit but the caller's own. A task that also takes what
    /// comes in must not await it without one; [`Incoming`](super::Incoming) says why.
    pub fn request(&self, method: &str, params: &(impl Serialize + ?Sized)) -> Call {
        Call(self.start(method, params).map_err(Some))
    }

    /// Sends a request and reads its result as a type.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<T: DeserializeOwned>(
        &self,
        method: &str,
        params: &(impl Serialize + ?Sized),
    ) -> Result<T, CallError> {
        let result = self.request(method, params).await?;
        serde_json::from_str(result.get()).map_err(CallError::Form)
    }

    /// Sends a notification. Never waits: where too much waits to be read by the other side, the connection ends.
    ///
    /// # Errors
    /// [`SendError`].
    pub fn notify(&self, method: &str, params: &(impl Serialize + ?Sized)) -> Result<(), SendError> {
        let frame = encode_request(None, method, params, self.0.frame_bytes_max())?;
        self.0.send(frame).map_err(SendError::Closed)
    }

    /// Ends the connection once what waits is written (within a second), with this reason for the log.
    pub fn close(&self, why: impl Into<Cow<'static, str>>) {
        self.0.close(Closed::Local(why.into()));
    }

    /// Why the connection is over or about to be; `None` while it lives.
    pub fn closed(&self) -> Option<Closed> {
        self.0.lock().closed.clone()
    }

    /// Bytes that wait to be written.
    pub fn queued_bytes(&self) -> usize {
        let state = self.0.lock();
        state.out.len() + state.writing_bytes
    }

    /// Keeps to the limits that the other side announced.
    pub fn agree(&self, limits: PeerLimits) {
        self.0.agree(limits);
    }

    fn start(&self, method: &str, params: &(impl Serialize + ?Sized)) -> Result<Pending, CallError> {
        let id = self.0.next_call();
        let frame = encode_request(Some(id), method, params, self.0.frame_bytes_max())?;
        let calls_max = self.0.calls_max.load(Ordering::Relaxed);
        let (caller, answer) = oneshot::channel();
        let mut state = self.0.lock();
        if let Some(closed) = &state.closed {
            return Err(CallError::Closed(closed.clone()));
        }
        if state.calls.len() >= usize::from(calls_max) {
            return Err(CallError::TooMany { max: calls_max });
        }
        // Registered with what is sent, so that no answer can come too early.
        state.calls.push((id, caller));
        let sent = self.0.send_locked(state, frame);
        let pending = Pending { shared: Arc::clone(&self.0), id, answer, done: false };
        sent.map_err(CallError::Closed)?;
        Ok(pending)
    }
}

/// A request on its way; resolves with its result. Dropped before that, it cancels the request.
#[must_use = "dropping it cancels the request; `forget` it if no answer is wanted"]
pub struct Call(Result<Pending, Option<CallError>>);

struct Pending {
    shared: Arc<Shared>,
    id: i64,
    answer: oneshot::Receiver<Answer>,
    done: bool,
}

impl Call {
    /// Lets the request run without waiting for its answer.
    pub fn forget(mut self) {
        if let Ok(pending) = &mut self.0 {
            pending.done = true;
        }
    }
}

impl Future for Call {
    type Output = Result<Box<RawValue>, CallError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let pending = match &mut self.0 {
            Ok(pending) => pending,
            Err(error) => {
                return Poll::Ready(Err(error.take().expect("a call is not polled after it is done")));
            }
        };
        Pin::new(&mut pending.answer).poll(cx).map(|answer| {
            pending.done = true;
            match answer {
                Ok(answer) => answer.map_err(CallError::Answer),
                Err(_) => {
                    let closed = pending.shared.lock().closed.clone();
                    Err(CallError::Closed(closed.unwrap_or(Closed::Eof)))
                }
            }
        })
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if self.done {
            return;
        }
        let call = {
            let mut state = self.shared.lock();
            state.calls.iter().position(|(id, _)| *id == self.id).map(|at| state.calls.swap_remove(at))
        };
        if call.is_some()
            && let Ok(frame) =
                encode_request(None, method::CANCEL_REQUEST, &Cancel { id: Id::Number(self.id) }, u32::MAX)
        {
            // A connection that is over has nothing to cancel.
            let _ = self.shared.send(frame);
        }
    }
}

/// A request, or without an id a notification.
fn encode_request(
    id: Option<i64>,
    method: &str,
    params: &(impl Serialize + ?Sized),
    frame_bytes_max: u32,
) -> Result<Vec<u8>, EncodeError> {
    encode_with(frame_bytes_max, |body| {
        body.text("{\"jsonrpc\":\"2.0\"")?;
        if let Some(id) = id {
            body.text(",\"id\":")?;
            body.json(&id)?;
        }
        body.text(",\"method\":")?;
        body.json(method)?;
        let without = body.len();
        body.text(",\"params\":")?;
        let value = body.len();
        body.json(params)?;
        if body.since(value) == b"null" {
            body.truncate(without);
        }
        body.text("}")
    })
}
