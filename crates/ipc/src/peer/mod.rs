//! A running connection: requests both ways at once, cancellation both ways, everything bounded.
//!
//! # Theory of operation
//!
//! [`Connection::new`] makes three ends of one thing. [`Connection`] owns the stream and is driven as a task, or as a part
//! of one: `connection.run()` resolves with the reason once the connection is over. [`Peer`] sends and can be cloned.
//! [`Incoming`] receives. They share one small state behind a lock that is held for moments and never across user code.
//!
//! A sender writes its frame itself and appends it to the bytes that wait; the connection writes all that waits with one
//! call. Whole frames are read on the stack; a reader's buffer exists only while a frame is incomplete. So an idle
//! connection holds no buffer, arms no timer and is never polled.
//!
//! What the other side can make this one hold is bounded four times: one frame in the making ([`Limits::frame_bytes`]),
//! messages that nobody has taken from [`Incoming`] yet (then reading pauses), requests without an answer
//! ([`Limits::requests_in_flight`]; more of them end the connection) and bytes that it does not read
//! ([`Limits::queue_bytes`] and [`Limits::stall_ms`]; then it is cut off).
//!
//! [`Limits::frame_bytes`]: crate::Limits::frame_bytes
//! [`Limits::requests_in_flight`]: crate::Limits::requests_in_flight
//! [`Limits::queue_bytes`]: crate::Limits::queue_bytes
//! [`Limits::stall_ms`]: crate::Limits::stall_ms

mod connection;
mod receive;
mod send;
mod shared;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;

pub use connection::Connection;
pub use receive::{Incoming, Message, Reply};
pub use send::{Call, CallError, Peer, SendError};

use crate::frame::FrameError;
use crate::rpc::ParseError;

/// Why a connection is over.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Closed {
    /// The other side closed it between two frames.
    #[error("the other side closed the connection")]
    Eof,
    /// The other side vanished within a frame.
    #[error("the other side closed the connection in the middle of a frame")]
    EofInFrame,
    /// What came could not be cut into frames.
    #[error("the other side sent {0}")]
    Frame(#[source] FrameError),
    /// A frame held no JSON.
    #[error("the other side sent {0}")]
    Parse(#[source] ParseError),
    /// More requests without an answer than agreed.
    #[error("the other side has more than {max} requests waiting for an answer")]
    TooManyRequests {
        /// The limit.
        max: u16,
    },
    /// It does not read what it is sent.
    #[error("the other side reads too slowly: more than {max} bytes wait for it")]
    SlowReader {
        /// The limit.
        max: u32,
    },
    /// It read nothing for too long.
    #[error("the other side read nothing for {stall_ms} ms while data waited for it")]
    WriteStalled {
        /// The limit.
        stall_ms: u32,
    },
    /// It began a frame and did not end it.
    #[error("the other side left a frame unfinished for {stall_ms} ms")]
    ReadStalled {
        /// The limit.
        stall_ms: u32,
    },
    /// The operating system says so.
    #[error("reading from or writing to the connection failed")]
    Io(#[source] Arc<io::Error>),
    /// This side wanted it so.
    #[error("{0}")]
    Local(Cow<'static, str>),
}

impl From<io::Error> for Closed {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
