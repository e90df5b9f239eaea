//! The configuration, from outside: what a file may say, and what is said about one that is wrong.

#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod arbitrary;
mod file;
mod machine;
mod mistakes;
mod reference;
mod reload;
mod render;
mod schema;
mod valid;
