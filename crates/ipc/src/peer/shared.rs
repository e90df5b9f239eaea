//! What the three ends of a connection share.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicI64, AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use serde_json::value::RawValue;
use tokio::sync::oneshot;

use super::{Closed, Message, Reply};
use crate::agent::PeerLimits;
use crate::frame::encode_message;
use crate::rpc::{self, Cancel, Id, Params, RpcError};
use crate::{Limits, method};

pub(super) type Answer = Result<Box<RawValue>, RpcError>;

pub(super) struct Shared {
    pub(super) limits: Limits,
    /// What the other side takes: the body of a frame, and requests at a time.
    pub(super) frame_bytes_max: AtomicU32,
    pub(super) calls_max: AtomicU16,
    last_call: AtomicI64,
    state: Mutex<State>,
}

/// Nothing in here runs foreign code while the lock is held; wakers and messages are taken out first.
#[derive(Default)]
pub(super) struct State {
    /// Frames that wait to be written.
    pub(super) out: Vec<u8>,
    /// Bytes that the connection took from `out` and has not written yet.
    pub(super) writing_bytes: usize,
    /// Requests of this side without an answer.
    pub(super) calls: Vec<(i64, oneshot::Sender<Answer>)>,
    /// Requests of the other side without an answer.
    pub(super) serving: Vec<Serving>,
    /// Messages that nobody has taken yet.
    pub(super) inbox: VecDeque<Message>,
    pub(super) inbox_bytes: usize,
    /// Nobody will ever take them.
    pub(super) inbox_closed: bool,
    /// The connection reads no further until there is room.
    pub(super) paused: bool,
    pub(super) connection: Option<Waker>,
    pub(super) receiver: Option<Waker>,
    /// Why the connection ends, as soon as that is decided.
    pub(super) closed: Option<Closed>,
}

pub(super) struct Serving {
    pub(super) id: Id,
    pub(super) cancelled: bool,
    pub(super) waker: Option<Waker>,
}

impl Shared {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            frame_bytes_max: limits.frame_bytes.into(),
            calls_max: limits.requests_in_flight.into(),
            limits,
            last_call: AtomicI64::new(0),
            state: Mutex::default(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock, and the state is whole between any two statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn frame_bytes_max(&self) -> u32 {
        self.frame_bytes_max.load(Ordering::Relaxed)
    }

    pub(super) fn agree(&self, limits: PeerLimits) {
        self.frame_bytes_max.store(limits.frame_bytes, Ordering::Relaxed);
        self.calls_max.store(limits.requests_in_flight, Ordering::Relaxed);
    }

    /// The id of a new request of this side.
    pub(super) fn next_call(&self) -> i64 {
        self.last_call.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Queues a frame; the connection is cut off instead if too much waits already.
    pub(super) fn send(&self, frame: Vec<u8>) -> Result<(), Closed> {
        self.send_locked(self.lock(), frame)
    }

    /// [`Shared::send`] for who holds the lock already.
    pub(super) fn send_locked(&self, mut state: MutexGuard<'_, State>, frame: Vec<u8>) -> Result<(), Closed> {
        let sent = state.push(frame, &self.limits);
        let waker = state.connection.take();
        drop(state);
        wake(waker);
        sent
    }

    /// Decides that the connection ends, unless that was decided before.
    pub(super) fn close(&self, why: Closed) {
        let mut state = self.lock();
        state.closed.get_or_insert(why);
        let waker = state.connection.take();
        drop(state);
        wake(waker);
    }

    /// The connection is over: tells everyone who waits for something.
    pub(super) fn end(&self, why: Closed) {
        let mut state = self.lock();
        state.closed.get_or_insert(why);
        let calls = std::mem::take(&mut state.calls);
        let receiver = state.receiver.take();
        let servants: Vec<_> = state.serving.iter_mut().filter_map(|serving| serving.waker.take()).collect();
        drop(state);
        drop(calls);
        wake(receiver);
        servants.into_iter().for_each(Waker::wake);
    }

    /// Takes in the body of one frame. False if there is no room for another; there was for this one.
    pub(super) fn receive(self: &Arc<Self>, body: &[u8]) -> Result<bool, Closed> {
        match rpc::parse(body, self.limits.depth) {
            Ok(rpc::Incoming::Request { id, method, params }) => {
                let params = Params::new(params.map(ToOwned::to_owned));
                self.receive_request(id, method.into_owned(), params)
            }
            Ok(rpc::Incoming::Notification { method, params }) if method == method::CANCEL_REQUEST => {
                if let Ok(Cancel { id }) = Params::new(params.map(ToOwned::to_owned)).parse() {
                    self.cancel(&id);
                }
                Ok(true)
            }
            // The protocol's own notifications are optional to understand.
            Ok(rpc::Incoming::Notification { method, .. }) if method.starts_with("$/") => Ok(true),
            Ok(rpc::Incoming::Notification { method, params }) => {
                let params = Params::new(params.map(ToOwned::to_owned));
                let message = Message::Notification { method: method.into_owned(), params };
                Ok(self.deliver(self.lock(), message))
            }
            Ok(rpc::Incoming::Response { id: Some(Id::Number(id)), result }) => {
                Ok(self.answered(id, result.map(ToOwned::to_owned)))
            }
            // An answer to nothing that this side ever asked.
            Ok(rpc::Incoming::Response { .. }) => Ok(true),
            Err(error) => {
                self.lock().push(encode_answer(None, Err(&error.to_rpc())), &self.limits)?;
                match error {
                    rpc::ParseError::Json(_) => Err(Closed::Parse(error)),
                    rpc::ParseError::Message(_) => Ok(true),
                }
            }
        }
    }

    fn receive_request(self: &Arc<Self>, id: Id, method: String, params: Params) -> Result<bool, Closed> {
        let mut state = self.lock();
        if state.serving.iter().any(|serving| serving.id == id) {
            let error =
                RpcError::new(rpc::code::INVALID_REQUEST, "the id is that of a request still unanswered");
            return state.push(encode_answer(None, Err(&error)), &self.limits).map(|()| true);
        }
        if state.inbox_closed {
            let error = RpcError::method_not_found(&method);
            return state.push(encode_answer(Some(&id), Err(&error)), &self.limits).map(|()| true);
        }
        if state.serving.len() >= usize::from(self.limits.requests_in_flight) {
            return Err(Closed::TooManyRequests { max: self.limits.requests_in_flight });
        }
        state.serving.push(Serving { id: id.clone(), cancelled: false, waker: None });
        let reply = Reply::new(Arc::clone(self), id);
        Ok(self.deliver(state, Message::Request { id: reply.id().clone(), method, params, reply }))
    }

    /// Hands a message to who receives. False if there is no room for another. A request comes only while there is a
    /// receiver, so that no reply is dropped in here under the lock that it needs.
    fn deliver(&self, mut state: MutexGuard<'_, State>, message: Message) -> bool {
        if state.inbox_closed {
            return true;
        }
        state.inbox_bytes += message.len();
        state.inbox.push_back(message);
        let has_room = state.has_room(&self.limits);
        let waker = state.receiver.take();
        drop(state);
        wake(waker);
        has_room
    }

    fn cancel(&self, id: &Id) {
        let mut state = self.lock();
        let waker = state.serving.iter_mut().find(|serving| serving.id == *id).and_then(|serving| {
            serving.cancelled = true;
            serving.waker.take()
        });
        drop(state);
        wake(waker);
    }

    /// Hands an answer to who waits for it. False if there is no room for another message.
    fn answered(&self, id: i64, answer: Answer) -> bool {
        let mut state = self.lock();
        let call = state.calls.iter().position(|(call, _)| *call == id).map(|at| state.calls.swap_remove(at));
        if state.calls.is_empty() {
            state.calls = Vec::new();
        }
        let has_room = state.has_room(&self.limits);
        drop(state);
        if let Some((_, caller)) = call {
            // A caller that gave up meanwhile has no use for it.
            let _ = caller.send(answer);
        }
        has_room
    }
}

impl State {
    /// Whether another message may be read now. If not, whoever takes one wakes the connection.
    ///
    /// While an answer is awaited, the messages that wait may be many, though not more bytes: the answer is behind them,
    /// and who takes them may be the one who awaits it.
    pub(super) fn has_room(&mut self, limits: &Limits) -> bool {
        let messages_max = match self.calls.is_empty() {
            true => usize::from(limits.requests_in_flight.max(1)),
            false => usize::MAX,
        };
        self.paused = self.inbox.len() >= messages_max || self.inbox_bytes >= limits.frame_bytes as usize;
        !self.paused
    }

    /// Queues a frame. Does not wake the connection.
    pub(super) fn push(&mut self, frame: Vec<u8>, limits: &Limits) -> Result<(), Closed> {
        if let Some(closed) = &self.closed {
            return Err(closed.clone());
        }
        if self.out.len() + self.writing_bytes + frame.len() > limits.queue_bytes as usize {
            let closed = Closed::SlowReader { max: limits.queue_bytes };
            self.closed = Some(closed.clone());
            return Err(closed);
        }
        if self.out.is_empty() {
            self.out = frame;
        } else {
            self.out.extend_from_slice(&frame);
        }
        Ok(())
    }
}

/// A response. An id of `None` is null: the request could not be read.
pub(super) fn encode_answer(id: Option<&Id>, answer: Result<&RawValue, &RpcError>) -> Vec<u8> {
    #[derive(serde::Serialize)]
    struct Response<'a> {
        jsonrpc: &'static str,
        id: Option<&'a Id>,
        #[serde(skip_serializing_if = "Option::is_none")]
        result: Option<&'a RawValue>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a RpcError>,
    }

    let response = Response { jsonrpc: "2.0", id, result: answer.ok(), error: answer.err() };
    encode_message(&response, u32::MAX).expect("text, numbers and raw JSON can always be written as JSON")
}

pub(super) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}
