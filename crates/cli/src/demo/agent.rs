//! The agent of the demo: an ordinary one on the SDK, that can be asked to misbehave.

use bilayer::chain;
use std::process::exit;

use bilayer_agent::{Agent, Event};

use crate::failure::Failure;

/// Method: leave as a program does that hit a bug.
pub(super) const CRASH: &str = "demo/crash";
/// Method: do nothing any more, not even the heartbeat.
pub(super) const HANG: &str = "demo/hang";
/// Method: leave as a program does whose desktop is being taken down.
pub(super) const LOG_OFF: &str = "demo/log-off";

/// The exit code that the demo's configuration reads as "logging off".
pub(super) const LOGGING_OFF: i32 = 64;
/// What a Rust program that panics exits with. A real panic may abort, and leave a core file in somebody's home.
const PANICKED: i32 = 101;

/// Runs in the place of `bilayer` when layer 0 starts it as an agent.
pub(crate) async fn run() -> Result<(), Failure> {
    let mut agent =
        Agent::builder("bilayer-demo", env!("CARGO_PKG_VERSION")).connect().await.map_err(|error| {
            Failure::failed(format!("the agent of `bilayer demo` cannot start: {}", chain(&error)))
        })?;
    // A connection that is lost comes back, or ends this program with the service: either way there is nothing to do here.
    let _ = agent.ready();
    while let Some(event) = agent.next().await {
        match event {
            Event::Stop(_) => break,
            Event::Message(message) => message.shown(),
            Event::Request(request) => match request.method.as_str() {
                CRASH => exit(PANICKED),
                HANG => loop {
                    // The one thread of this program: from here on nothing of it runs, heartbeats included.
                    std::thread::park();
                },
                LOG_OFF => exit(LOGGING_OFF),
                // Dropped: answered with "method not found".
                _ => {}
            },
            _ => {}
        }
    }
    agent.close().await;
    Ok(())
}
