//! A deterministic simulation of the core.
//!
//! # Theory of operation
//!
//! A [`World`] has users, sessions, processes and time, and one [`Supervisor`](bilayer_core::Supervisor) that looks after
//! them. All that happens in it comes from one seed: how many users and which specs there are, who logs on and off, which
//! process crashes, hangs or will not stop, what the service is told late, twice or never ([`Faults`]). So a seed and a
//! commit are an exact replay.
//!
//! Beside the world stands an oracle. It sees only what goes into the core and what comes out of it, keeps its own books of
//! both, and after *every* event compares: may this be done now, and is there anything that should have been done? The rules
//! are listed in [`Rule`]. The restart policy and the served set are written there a second time, on purpose.
//!
//! When a world is old enough, its faults are switched off; left alone, it must settle. Then its service stops.
//!
//! Every thing that can happen is counted ([`Coverage`]): an invariant that never meets its situation proves nothing.

#![forbid(unsafe_code)]

mod coverage;
mod faults;
mod grid;
mod life;
mod oracle;
mod plan;
mod processes;
mod replay;
mod rng;
mod schedule;
mod sessions;
mod trace;
mod world;

pub use coverage::Coverage;
pub use faults::{Fault, Faults};
pub use oracle::{Rule, Violation};
pub use plan::{Limits, Plan};
pub use replay::{Failure, narrate, run, shrink};
pub use trace::Trace;
pub use world::{Step, World};
