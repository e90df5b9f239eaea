//! The commands, one file each.

mod agents;
mod completions;
mod config;
mod install;
mod logs;
mod message;
mod package;
mod reload;
mod restart;
mod run;
mod schema;
mod service;
mod sessions;
mod start;
mod status;
mod stop;
mod uninstall;

use std::path::Path;

use crate::args::{Arguments, Command};
use crate::demo;
use crate::failure::Failure;
use crate::screen::Screen;

/// Does what the command line asks for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let screen = Screen::of_stdout(arguments.color);
    let config = arguments.config.as_deref();
    match &arguments.command {
        Command::Run(args) => on_loop(run::run(config, args, &screen)),
        Command::Install => on_loop(install::run(config, install::Asks::Person, &screen)),
        Command::Uninstall => on_loop(uninstall::run(config)),
        Command::Start => on_loop(start::run(config)),
        Command::Stop => on_loop(stop::run(config)),
        Command::Restart => on_loop(restart::run(config)),
        Command::Service => service::run(config),
        Command::Package(step) => on_loop(package::run(config, step, &screen)),
        Command::Status(format) => on_loop(status::run(config, *format, &screen)),
        Command::Sessions(format) => on_loop(sessions::run(config, *format, &screen)),
        Command::Agents(which) => on_loop(agents::run(config, which, &screen)),
        Command::Message(message) => on_loop(message::run(config, message, &screen)),
        Command::Logs(logs) => on_loop(logs::run(config, logs)),
        Command::Config(which) => config::run(config, which, &screen),
        Command::Reload(format) => on_loop(reload::run(config, *format)),
        Command::Schema => schema::run(),
        Command::Demo(args) => on_loop(demo::run(args, &screen)),
        Command::Completions { shell } => completions::run(*shell),
        Command::DemoAgent => on_loop(demo::agent::run()),
    }
}

/// Runs `future` on a loop of one thread: a command needs no more, and layer 0 is one thread by design.
fn on_loop(future: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::failed(format!("cannot start the event loop: {error}")))?;
    let outcome = runtime.block_on(future);
    // Whatever still blocks on another thread, a disk that hangs for example, is not waited for.
    runtime.shutdown_background();
    outcome
}

/// The configuration that a command needs, or how to give one.
fn needed(config: Option<&Path>) -> Result<&Path, Failure> {
    config.ok_or_else(|| {
        Failure::usage(
            "no configuration was given; say which one with `-c FILE` or in BILAYER_CONFIG \
             (`bilayer config init FILE` writes one to begin with)",
        )
    })
}
