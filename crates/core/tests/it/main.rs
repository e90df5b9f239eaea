//! The core in a small deterministic world: a test per behaviour, a table of every transition, all short sequences of
//! events, and random long ones.

mod util;

mod b01_logon;
