//! The decisions of Bilayer.
//!
//! [`Supervisor`] is told what happened ([`Event`]) and answers with what to do ([`Action`]). It has no clock, no I/O and
//! no randomness of its own: the caller passes `now` with every event and a seed once, so the same events give the same
//! actions on every machine and every run. That is what lets one simulation stand for years of logons.
//!
//! # Theory of operation
//!
//! *Desired* state is a function of the sessions last enumerated, the specs last configured and what an operator asked
//! for. *Actual* state is one [`Instance`] per (spec, logon). Every event updates one or both, then the difference is
//! turned into actions. An event about a process carries the generation of the launch that it belongs to; an old one is
//! ignored.
//!
//! The caller's loop is:
//!
//! 1. `handle(now, event)` for everything that happened;
//! 2. `poll_action()` until it returns `None`, executing each action;
//! 3. sleep until `next_deadline()` or the next thing that happens; at the deadline, `handle(now, Event::Tick)`.
//!
//! **Architecture invariant:** this crate is `no_std` and depends on nothing but `core` and `alloc`.

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod action;
mod backoff;
mod ending;
mod event;
mod exit;
mod instance;
mod logons;
mod mode;
mod reconcile;
mod serve;
mod session;
mod spec;
mod supervisor;
mod time;
mod timers;
mod words;

pub use action::{Action, StopReason};
pub use event::{Command, Event, Failure, FailureKind, Goodbye};
pub use exit::{Exit, ExitTable, Meaning};
pub use instance::{Instance, State};
pub use logons::LogonTable;
pub use session::{Logon, Session, SessionKind, SessionState, Who};
pub use spec::{
    InstanceKey, Limit, OnLeave, OnServiceStop, PastLimit, Restart, RestartOn, Serve, Spec, SpecId,
    Survivors, WhileLocked,
};
pub use supervisor::Supervisor;
pub use time::Time;
pub use words::{HoldReason, Stage, WaitReason};
