//! A connection on one side, raw bytes on the other.

#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::time::Duration;

use bilayer_ipc::{Closed, Connection, Incoming, Limits, Message, Peer};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;

/// Longest that anything here may take. Far longer than it does take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Raw {
    pub(crate) stream: DuplexStream,
    pub(crate) peer: Peer,
    pub(crate) incoming: Incoming,
    pub(crate) over: JoinHandle<Closed>,
}

/// A running connection whose other side is in the test's hands.
pub(crate) fn raw(limits: Limits) -> Raw {
    let (stream, ours) = tokio::io::duplex(64 * 1024);
    let (connection, peer, incoming) = Connection::new(ours, limits);
    Raw { stream, peer, incoming, over: tokio::spawn(connection.run()) }
}

/// Two running connections, joined.
pub(crate) fn pair(limits: Limits) -> ((Peer, Incoming), (Peer, Incoming)) {
    let (a, b) = tokio::io::duplex(64 * 1024);
    let (connection_a, peer_a, incoming_a) = Connection::new(a, limits.clone());
    let (connection_b, peer_b, incoming_b) = Connection::new(b, limits);
    tokio::spawn(connection_a.run());
    tokio::spawn(connection_b.run());
    ((peer_a, incoming_a), (peer_b, incoming_b))
}

pub(crate) fn frame(body: &str) -> Vec<u8> {
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn message(body: &Value) -> Vec<u8> {
    frame(&body.to_string())
}

impl Raw {
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.unwrap();
    }

    pub(crate) async fn send(&mut self, body: &Value) {
        self.write(&message(body)).await;
    }

    pub(crate) async fn read(&mut self) -> Value {
        within(read_frame(&mut self.stream)).await.expect("a frame, not the end of the stream")
    }

    /// Waits until the connection is over, and returns why. What it wrote last stays readable.
    pub(crate) async fn closed(&mut self) -> Closed {
        within(&mut self.over).await.unwrap()
    }

    /// Closes the other side.
    pub(crate) fn hang_up(&mut self) {
        self.stream = tokio::io::duplex(1).0;
    }

    pub(crate) async fn next(&mut self) -> Option<Message> {
        within(self.incoming.next()).await
    }
}

/// The next frame; `None` at the end of the stream.
pub(crate) async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<Value> {
    let mut header = Vec::new();
    while !header.ends_with(b"\r\n\r\n") {
        header.push(stream.read_u8().await.ok()?);
    }
    let header = String::from_utf8(header).unwrap();
    let length = header.trim().strip_prefix("Content-Length: ").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(serde_json::from_slice(&body).unwrap())
}

pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("this takes moments")
}

pub(crate) fn request(id: u32, method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method })
}

pub(crate) fn notification(method: &str) -> Value {
    json!({ "jsonrpc": "2.0", "method": method })
}
