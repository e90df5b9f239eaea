//! The first exchange on a connection: versions, and who the client is.
//!
//! The service [`accept`]s, a client [`open`]s. Both run over the ends of a [`Connection`](crate::Connection) that is
//! already being driven. Whether a token is right is for the caller to say; what may happen before that is decided here.

use std::time::Duration;

use crate::agent::{ClientKind, Initialize, Initialized, Versions};
use crate::method;
use crate::peer::{CallError, Closed, Incoming, Message, Peer, Reply, SendError};
use crate::rpc::{RpcError, code};

/// The versions of the protocol that this crate speaks.
pub const VERSIONS: Versions = Versions { min: 1, max: 1 };

/// The highest version in both ranges.
pub fn negotiate(ours: Versions, theirs: Versions) -> Option<u32> {
    let highest = ours.max.min(theirs.max);
    (highest >= ours.min.max(theirs.min)).then_some(highest)
}

/// A client that sent a proper `initialize` and waits for the answer.
pub struct Knock {
    /// What it says of itself. Nothing of it is proven.
    pub initialize: Initialize,
    /// The version to speak with it; goes into [`Initialized::protocol`].
    pub protocol: u32,
    reply: Reply,
}

/// Why a handshake failed. The text is for this side's log, not for the wire.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The client said nothing in time.
    #[error("no `initialize` within {} ms", limit.as_millis())]
    Silent {
        /// The limit.
        limit: Duration,
    },
    /// The connection ended first.
    #[error("the connection ended before the handshake: {0}")]
    Closed(Closed),
    /// Something else came first.
    #[error("a message came before `initialize`")]
    NotInitialized,
    /// `initialize` could not be read.
    #[error("`initialize` has wrong parameters: {0}")]
    Params(RpcError),
    /// A control program on an agent's endpoint, or an agent on the control endpoint.
    #[error("a client of kind {found:?} on an endpoint for {expected:?}")]
    Kind {
        /// Whom the endpoint is for.
        expected: ClientKind,
        /// Who came.
        found: ClientKind,
    },
    /// No version in common.
    #[error("no protocol version in common: the client speaks {} to {}", theirs.min, theirs.max)]
    Version {
        /// What the client speaks.
        theirs: Versions,
    },
    /// The client did not prove who it is.
    #[error("refused: {0}")]
    Refused(String),
    /// The service ends, and left the client without an answer.
    #[error("the service ends")]
    Ends,
    /// The answer could not be sent.
    #[error("cannot answer `initialize`")]
    Send(#[source] SendError),
    /// Client's side: the service answered with an error, or not at all.
    #[error("`initialize` failed")]
    Call(#[source] CallError),
    /// Client's side: the service picked a version that was not offered.
    #[error("the service picked protocol version {0}, which was not offered")]
    Picked(u32),
}

impl HandshakeError {
    /// The error that the client gets; `None` where it gets none.
    fn to_rpc(&self) -> Option<RpcError> {
        Some(match self {
            Self::NotInitialized => {
                RpcError::new(code::NOT_INITIALIZED, "the first message must be `initialize`")
            }
            Self::Params(error) => error.clone(),
            Self::Version { .. } => {
                RpcError::new(code::VERSION, "no protocol version in common").with_data(&VERSIONS)
            }
            Self::Kind { .. } | Self::Refused(_) => RpcError::refused(),
            Self::Silent { .. }
            | Self::Closed(_)
            | Self::Ends
            | Self::Send(_)
            | Self::Call(_)
            | Self::Picked(_) => {
                return None;
            }
        })
    }
}

/// The service's first half: waits for `initialize` and looks at all of it that needs no knowledge of launches. Anything
/// else is answered as it deserves and closes the connection.
///
/// # Errors
/// [`HandshakeError`], for the log; the connection is being closed.
pub async fn accept(
    peer: &Peer,
    incoming: &mut Incoming,
    expected: ClientKind,
    within: Duration,
) -> Result<Knock, HandshakeError> {
    let outcome = match tokio::time::timeout(within, incoming.next()).await {
        Ok(Some(message)) => read(message, expected),
        Ok(None) => Err((HandshakeError::Closed(incoming.closed().unwrap_or(Closed::Eof)), None)),
        Err(_) => Err((HandshakeError::Silent { limit: within }, None)),
    };
    outcome.map_err(|(error, reply)| {
        fail(peer, &error, reply);
        error
    })
}

fn fail(peer: &Peer, error: &HandshakeError, reply: Option<Reply>) {
    if let (Some(answer), Some(reply)) = (error.to_rpc(), reply) {
        // A client that is gone already does not need to know.
        let _ = reply.fail(answer);
    }
    peer.close(error.to_string());
}

/// Judges the first message of a connection. On failure, says what to answer to.
fn read(message: Message, expected: ClientKind) -> Result<Knock, (HandshakeError, Option<Reply>)> {
    let (params, reply) = match message {
        Message::Request { method, params, reply, .. } if method == method::INITIALIZE => (params, reply),
        Message::Request { reply, .. } => return Err((HandshakeError::NotInitialized, Some(reply))),
        Message::Notification { .. } => return Err((HandshakeError::NotInitialized, None)),
    };
    let initialize: Initialize = match params.parse() {
        Ok(initialize) => initialize,
        Err(error) => return Err((HandshakeError::Params(error), Some(reply))),
    };
    let theirs = initialize.protocol;
    let Some(protocol) = negotiate(VERSIONS, theirs) else {
        return Err((HandshakeError::Version { theirs }, Some(reply)));
    };
    if initialize.kind != expected {
        return Err((HandshakeError::Kind { expected, found: initialize.kind }, Some(reply)));
    }
    Ok(Knock { initialize, protocol, reply })
}

impl Knock {
    /// The service's second half, for a client that proved who it is.
    ///
    /// # Errors
    /// [`HandshakeError::Send`] if the connection is over.
    pub fn welcome(self, initialized: &Initialized) -> Result<(), HandshakeError> {
        self.reply.answer(initialized).map_err(HandshakeError::Send)
    }

    /// The service's second half, for a client that did not. `why` is for the log; the client gets one text for every
    /// cause, and the connection is closed.
    pub fn refuse(self, peer: &Peer, why: impl Into<String>) -> HandshakeError {
        let error = HandshakeError::Refused(why.into());
        fail(peer, &error, Some(self.reply));
        error
    }

    /// The service's second half where the service ends: the client hears nothing, and may come back to the next one. (A
    /// refusal would be the last word.)
    pub fn leave(self, peer: &Peer) -> HandshakeError {
        // Closed first, so that the answer which is never given is not made up for.
        peer.close(HandshakeError::Ends.to_string());
        HandshakeError::Ends
    }

    /// Resolves when the client does not wait any more.
    pub async fn gone(&self) {
        self.reply.cancelled().await;
    }
}

/// The client's side: sends `initialize`, reads the answer and keeps to its limits.
///
/// # Errors
/// [`HandshakeError::Call`], [`HandshakeError::Picked`].
pub async fn open(peer: &Peer, initialize: &Initialize) -> Result<Initialized, HandshakeError> {
    let initialized: Initialized =
        peer.call(method::INITIALIZE, initialize).await.map_err(HandshakeError::Call)?;
    let offered = initialize.protocol;
    if initialized.protocol < offered.min || initialized.protocol > offered.max {
        peer.close("the service picked a protocol version that was not offered");
        return Err(HandshakeError::Picked(initialized.protocol));
    }
    peer.agree(initialized.limits);
    Ok(initialized)
}
