//! The program `bilayer`.
//!
//! # Theory of operation
//!
//! A command is one file in `commands/`. Those that talk to a service find it ([`target`]), connect to its control endpoint
//! ([`client`]) and print what it answers: tables for people ([`table`]), the control API's own types for programs. `run`
//! is the service itself, in the foreground; `service` is what the system's service manager starts, and `install` and its like
//! ask that manager ([`installation`]). `demo` is the service too, in a made-up world, with a picture of it.
//!
//! Whatever goes wrong is a [`failure::Failure`]: one sentence on standard error and one of six exit codes.

#![forbid(unsafe_code)]

mod args;
mod client;
mod commands;
mod demo;
mod failure;
mod installation;
mod log_file;
mod password;
mod screen;
mod table;
mod target;
mod words;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Arguments;
use crate::failure::Failure;

fn main() -> ExitCode {
    bilayer_platform::harden();
    if let Some(code) = bilayer_platform::helper_main() {
        return code;
    }
    bilayer_platform::share_one_heap();
    match commands::run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Failure::Said(_, message) = &failure {
                // Nobody is left to tell if standard error is gone as well.
                let _ = writeln!(std::io::stderr(), "bilayer: {message}");
            }
            failure.exit_code()
        }
    }
}
