//! The core in a small deterministic world: a test per behaviour, a table of every transition, all short sequences of
//! events, and random long ones.

#![expect(clippy::unwrap_used, reason = "in a test, what was not expected is a failure")]

mod b01_logon;
mod b02_crash;
mod b03_switch;
mod b04_logoff;
mod b05_exit_codes;
mod b06_hang;
mod b07_ending;
mod b08_launch_failures;
mod b09_reload;
mod b10_adoption;
mod b11_survivors;
mod b12_held;
mod exhaustive;
mod invariants;
mod logons;
mod properties;
mod served;
mod stopping;
mod suspend;
mod transitions;
mod util;
mod words;
mod workers;
