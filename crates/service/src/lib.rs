//! Theory of operation follows with the code.

pub mod config;
