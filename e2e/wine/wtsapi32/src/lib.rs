//! Stands in for `wtsapi32.dll` in a Wine prefix, and plays the terminal services that Wine lacks.
//!
//! # Theory of operation
//!
//! Whatever a program asks about sessions is answered from a [`Script`], which the runner of the tests writes to
//! [`script::SCRIPT`] in the prefix. It is read anew at every call, so that the world changes when the file does; where
//! there is no file, every call fails as it does where the service TermService is stopped. What a program tells somebody with
//! `WTSSendMessageW` is appended to [`script::MESSAGES`]. A window that registered for session notifications gets one
//! for every event that the script grows by.
//!
//! The program under test is the product as it is: it cannot tell, and has no hook for this. Only what the system's own
//! documentation promises is promised here; where programs commonly take liberties (memory freed twice or with the wrong
//! function, a missing server handle, a console asked for its user), the stand-in is stricter than Windows.
//!
//! What it cannot play: other users. Every token that it hands out is one of the process that asks, for Wine knows no other.

pub mod script;

#[cfg(windows)]
mod enumerate;
#[cfg(windows)]
mod folder;
#[cfg(windows)]
mod memory;
#[cfg(windows)]
mod message;
#[cfg(windows)]
mod notify;
#[cfg(windows)]
mod query;
#[cfg(windows)]
mod refusal;
#[cfg(windows)]
mod token;

pub use script::{Event, Message, Script, Session, State};
