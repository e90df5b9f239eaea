//! The decisions of Bilayer.
//!
//! [`Supervisor`] is told what happened ([`Event`]) and answers with what to do ([`Action`]). It has no clock, no I/O and
//! no randomness of its own: the caller passes `now` with every event and a seed once, so the same events give the same
//! actions on every machine and every run. That is what lets one simulation stand for years of logons.
//!
//! # Theory of operation
//!
//! *Desired* state is a function of the sessions last enumerated, the specs last configured and what an operator asked
//! for. *Actual* state is one [`Instance`] per (spec, logon); the machine counts as one logon that lasts, and what serves it is a
//! worker. Every event updates one or both, then the difference is
//! turned into actions. An event about a process carries the generation of the launch that it belongs to; an old one is
//! ignored.
//!
//! The caller's loop is:
//!
//! 1. `handle(now, event)` for everything that happened;
//! 2. `poll_action()` until it returns `None`, executing each action;
//! 3. sleep until `next_deadline()` or the next thing that happens; at the deadline, `handle(now, Event::Tick)`.
//!
//! # What is decided where
//!
//! - `supervisor`: the entry points; hands each event to the instance it is about and keeps the indexes and counts.
//! - `reconcile`: what an enumeration, a configuration or an adoption changes.
//! - `serve`: which sessions a spec serves.
//! - `instance`: the states; `step` holds every cell of (state, input), `exits` what an end means, `stop` the ladder from
//!   a request to a kill.
//! - `backoff`: delays, jitter, restart intensity.
//! - `mode`, `ending`: suspend, shutdown, the end of the service.
//! - `table`, `timers`, `logons`, `words`: the map of instances, the index of deadlines, numbers for logons, codes and
//!   sentences for reasons.
//!
//! # What holds
//!
//! - An instance that exists without a process is waiting, held or released, and says why. One whose session is not served
//!   (any more) is removed as soon as it has no process; `Changed` is then the last that is heard of it.
//! - What follows a stop is looked up when the process has ended, not when the stop began: whoever comes back meanwhile is
//!   served again, and never twice.
//! - An exit is read in this order: it was asked for; the agent's goodbye; the spec's table; what the operating systems mean
//!   by it. `restart.on = never` releases whatever would restart, also an agent that hung.
//! - A person's start ignores delays and forgets failures. It does not override what forbids a process now: a lock, a
//!   missing display or environment, a handover, a shutdown.
//! - A changed fingerprint restarts what runs, retries at once what waits for a delay or is held because it could not work,
//!   and leaves alone what a person or the agent itself has put down.
//! - A stop that runs is shortened by the end of the service or the machine, and never lengthened.
//! - A worker needs a configuration and no enumeration. It never waits for a logoff, a display or another session, and a clean
//!   exit of it is an end like any other.
//! - Generations of one (spec, logon) go on for as long as that logon is known, also when the instance is made anew.
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
mod table;
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
pub use words::{HoldReason, Stage, Unserved, WaitReason};
