//! What one connection may cost.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Bounds on a connection. All of them hold before memory is taken for what they bound.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Longest body of a frame, in bytes.
    pub frame_bytes: u32,
    /// Longest header of a frame, in bytes, with the empty line that ends it.
    pub header_bytes: u32,
    /// Deepest nesting of arrays and objects in a message.
    pub depth: u16,
    /// Requests that one side may have waiting for an answer of the other.
    pub requests_in_flight: u16,
    /// Bytes that may wait for a peer to read them. A peer that falls further behind is cut off.
    pub queue_bytes: u32,
    /// How long, in milliseconds, a peer may take nothing of what waits for it, or leave a frame unfinished.
    pub stall_ms: u32,
    /// How soon after it connected, in milliseconds, a client must have sent `initialize`.
    pub handshake_ms: u32,
    /// Connections of one session that may be about to prove that they are an agent's. More of them wait.
    pub connections_per_session: u16,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame_bytes: 1024 * 1024,
            header_bytes: 4096,
            depth: 64,
            requests_in_flight: 64,
            queue_bytes: 2 * 1024 * 1024,
            stall_ms: 30_000,
            handshake_ms: 5_000,
            connections_per_session: 16,
        }
    }
}

impl Limits {
    /// [`Limits::stall_ms`] as a duration.
    pub fn stall(&self) -> Duration {
        Duration::from_millis(self.stall_ms.into())
    }

    /// [`Limits::handshake_ms`] as a duration.
    pub fn handshake(&self) -> Duration {
        Duration::from_millis(self.handshake_ms.into())
    }
}
