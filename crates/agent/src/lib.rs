//! SDK for an agent of Bilayer: the program that the service keeps running on every user's desktop, as that user.
//!
//! ```no_run
//! use bilayer_agent::{Agent, Event};
//!
//! # async fn show(_: &str, _: &str) {}
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut agent = Agent::builder("acme-desk", env!("CARGO_PKG_VERSION")).connect().await?;
//! agent.ready()?;
//! while let Some(event) = agent.next().await {
//!     match event {
//!         Event::Stop(stop) => {
//!             eprintln!("asked to stop ({:?}), {:?} left", stop.reason, stop.within);
//!             break;
//!         }
//!         Event::Session(session) => eprintln!("locked: {}", session.locked),
//!         Event::Power(event) => eprintln!("power: {event:?}"),
//!         Event::Message(message) => {
//!             show(&message.title, &message.text).await;
//!             message.shown();
//!         }
//!         Event::Request(request) if request.method == "acme/echo" => {
//!             let params: String = request.params()?;
//!             request.reply(&params);
//!         }
//!         // What an agent does not handle is answered "method not found" when it is dropped.
//!         _ => {}
//!     }
//! }
//! agent.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Theory of operation
//!
//! The service starts the agent with three environment variables: `BILAYER_ENDPOINT`, where it listens; `BILAYER_SERVER`,
//! the user that must be listening there; and `BILAYER_TOKEN`, which proves this process to it, once. [`Builder::connect`]
//! opens the endpoint, proves the other end before it sends a byte, and shows the token.
//!
//! From then on one task owns the connection. It sends heartbeats (at a third of the limit that the service names), answers
//! `agent/stop`, keeps the session's facts, and turns the rest into [`Event`]s. When the connection is lost it connects
//! again, with a secret that the service handed out in place of the token, and says again what was last said by
//! [`Agent::ready`] and [`Agent::status`]: a service that was restarted finds its agents as it left them.
//!
//! Heartbeats come from the runtime that [`Builder::connect`] was called in. On a current-thread runtime they stop when the
//! agent blocks, which is what they are for. On a multi-thread runtime they only say that the process lives: take
//! [`Builder::manual_heartbeat`] and send [`Agent::heartbeat`] from where the work is done.
//!
//! **The token is inherited.** `BILAYER_TOKEN` is worthless once the agent is connected, but an agent that starts other
//! programs should still keep it from them: `Command::env_remove("BILAYER_TOKEN")`. This crate cannot remove it from the
//! process's own environment, because that is unsound while other threads run.

#![forbid(unsafe_code)]

mod agent;
mod builder;
mod environment;
mod event;
mod link;
mod log;

pub use agent::{Agent, Disconnected, GoodbyeError, Handle};
pub use bilayer_ipc::agent::{
    AgentIdentity, Intent, MessageLevel, PowerEvent, Session, SessionKind, SessionState, StopReason, User,
};
pub use bilayer_ipc::peer::{CallError, SendError};
pub use bilayer_ipc::{Limits, Params, RpcError, rpc::code};
pub use builder::{Builder, ConnectError};
pub use environment::{ENDPOINT, Environment, EnvironmentError, SERVER, TOKEN};
pub use event::{Event, Notification, Request, ShowMessage, Stop};
pub use log::LogLayer;
