//! The wire between layer 0, its agents and its administrators.
//!
//! # Theory of operation
//!
//! A connection carries JSON-RPC 2.0 messages, one to a frame of the Language Server base protocol, both ways at once.
//! From the bottom up:
//!
//! - [`frame`] cuts a byte stream into bodies. It bounds a body before it takes memory for it.
//! - [`rpc`] reads one body as a request, a notification or a response, and bounds its nesting before it builds anything.
//! - [`peer`] runs a connection: [`Connection`] moves bytes, [`Peer`] sends, [`Incoming`] receives.
//! - [`handshake`] is the first exchange on it: `initialize`, versions, who the client is.
//! - [`agent`] and [`control`] are the messages, [`method`] their names, [`schema`] all of it as documents for others.
//!
//! What is behind the stream (a Unix socket, a named pipe, a pipe in memory) and who may connect is the caller's matter.
//!
//! **Architecture invariants:** nothing here opens, listens or looks at a process; no queue is without a bound; an idle
//! connection holds no buffer and arms no timer.

#![forbid(unsafe_code)]

pub mod agent;
pub mod control;
pub mod frame;
pub mod handshake;
mod limits;
pub mod method;
pub mod peer;
pub mod rpc;
pub mod schema;
mod secret;

pub use limits::Limits;
pub use peer::{Closed, Connection, Incoming, Message, Peer, Reply};
pub use rpc::{Id, Params, RpcError};
pub use secret::Secret;
