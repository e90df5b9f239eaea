//! What an agent hears.

use std::time::Duration;

use bilayer_ipc::agent::{self, MessageLevel, PowerEvent, Session, StopReason};
use bilayer_ipc::{Params, Reply, RpcError};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Something that the service said.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Stop now. Already answered; the exit of the process completes it.
    Stop(Stop),
    /// The facts of the session changed; these are the new ones.
    Session(Session),
    /// The machine is about to sleep, or woke up.
    Power(PowerEvent),
    /// Show a message to the user.
    Message(ShowMessage),
    /// One of the product's own requests.
    Request(Request),
    /// One of the product's own notifications.
    Notification(Notification),
    /// The connection is lost. It comes back by itself where it can, announced by [`Event::Reconnected`].
    Disconnected,
    /// The connection is back.
    Reconnected,
}

/// A request to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why.
    pub reason: StopReason,
    /// How long there is, from now, until the process is killed.
    pub within: Duration,
}

/// A message for the user. Dropped without an answer, it tells the service to find another way.
#[derive(Debug)]
pub struct ShowMessage {
    /// Replaces an earlier message with the same id, where that is still on the screen.
    pub id: Option<String>,
    /// A few words.
    pub title: String,
    /// Plain text, no markup.
    pub text: String,
    /// How grave it is.
    pub level: MessageLevel,
    reply: Answer,
}

impl ShowMessage {
    pub(crate) fn new(message: agent::ShowMessage, reply: Reply) -> Self {
        let agent::ShowMessage { id, title, text, level } = message;
        Self { id, title, text, level, reply: Answer::new(bilayer_ipc::method::MESSAGE_SHOW, reply) }
    }

    /// It is on the screen.
    pub fn shown(self) {
        self.reply.send(&());
    }

    /// It could not be shown.
    pub fn failed(self, why: impl Into<String>) {
        self.reply.fail(RpcError::new(bilayer_ipc::rpc::code::INTERNAL, why));
    }
}

/// A request of the product's own. Dropped without an answer, it answers "method not found".
#[derive(Debug)]
pub struct Request {
    /// What is asked.
    pub method: String,
    params: Params,
    reply: Answer,
}

impl Request {
    pub(crate) fn new(method: String, params: Params, reply: Reply) -> Self {
        let answer = Answer::new(&method, reply);
        Self { method, params, reply: answer }
    }

    /// The parameters as a type.
    ///
    /// # Errors
    /// "Invalid params", ready for [`Request::fail`].
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        self.params.parse()
    }

    /// Answers with a result.
    pub fn reply(self, result: &impl Serialize) {
        self.reply.send(result);
    }

    /// Answers with an error.
    pub fn fail(self, error: RpcError) {
        self.reply.fail(error);
    }

    /// Resolves once nobody waits for the answer any more.
    pub async fn cancelled(&self) {
        if let Some(reply) = &self.reply.0 {
            reply.1.cancelled().await;
        }
    }
}

/// A notification of the product's own.
#[derive(Debug)]
pub struct Notification {
    /// What happened.
    pub method: String,
    pub(crate) params: Params,
}

impl Notification {
    /// The parameters as a type.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        self.params.parse()
    }
}

/// A method and the way to answer it, until it is answered. An answer that cannot be sent has nobody left to tell: the
/// connection is over, and the agent hears of that by itself.
#[derive(Debug)]
struct Answer(Option<(Box<str>, Reply)>);

impl Answer {
    fn new(method: &str, reply: Reply) -> Self {
        Self(Some((method.into(), reply)))
    }

    fn send(mut self, result: &impl Serialize) {
        if let Some((_, reply)) = self.0.take() {
            let _ = reply.answer(result);
        }
    }

    fn fail(mut self, error: RpcError) {
        if let Some((_, reply)) = self.0.take() {
            let _ = reply.fail(error);
        }
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        if let Some((method, reply)) = self.0.take() {
            let _ = reply.fail(RpcError::method_not_found(&method));
        }
    }
}
