//! Layer 0: one privileged service that keeps one supervised agent on every user's desktop.
//!
//! # Theory of operation
//!
//! [`Service::builder`] takes a [`config::Config`] and [`Builder::run`] supervises until it is told to stop. Inside there is
//! one loop on one thread (module `driver`). Tasks around it translate the outside into news: who is logged on, which
//! process ended, what an agent or an administrator said. The loop turns news into events for `bilayer-core`, which decides,
//! and executes the actions that come back through `bilayer-platform`.
//!
//! The ready-made program `bilayer` is a thin shell around this crate; a product that wants its own layer 0 uses the crate
//! directly and adds methods that its agents can call.
//!
//! **Architecture invariants:** no decision about an agent is made here; nothing here knows which operating system it runs
//! on; nothing that an agent or a control client sends names a path or a command line.

#![forbid(unsafe_code)]

mod builder;
pub mod config;
mod driver;
mod hosted;
pub mod log;
pub mod manager;
mod observe;
mod output;
mod source;
mod state;

pub use bilayer_ipc::rpc::RpcError;
pub use bilayer_platform::{HostError, ServiceHost, helper_main, is_privileged};
pub use builder::{Builder, Call, RunError, Service};
pub use hosted::run_as_service;
pub use observe::{Observation, Observer};
pub use source::{Director, Script, SessionSource};

/// An error with all its causes, in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
