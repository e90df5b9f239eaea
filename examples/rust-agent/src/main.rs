//! An agent in Rust, and one that can be told to misbehave.
//!
//! It says that it is ready, what it is doing and when it is asked to stop; shows messages by printing them; forwards its
//! log; and answers three methods of its own: `example/echo` returns its parameters, `example/session` what it knows of its
//! session, `example/exit` leaves with the exit code `{"code": N}`.
//!
//! It runs on one thread, so that its heartbeats stop when it hangs.

#![forbid(unsafe_code)]

mod options;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use bilayer_agent::{Agent, Event, RpcError, ShowMessage};
use options::{Options, USAGE};
use serde_json::{Value, json};
use tracing::{info, warn};
use tracing_subscriber::prelude::*;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let options = match Options::parse(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("rust-agent: {problem}\n\n{USAGE}");
            return Ok(ExitCode::from(2));
        }
    };
    if options.help {
        println!("{USAGE}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(code) = options.exit {
        return Ok(ExitCode::from(code));
    }
    if options.flood {
        flood();
    }
    if options.silent {
        println!("running without a connection");
        return misbehave(&options).await;
    }
    tokio::select! {
        code = serve(&options) => code,
        code = misbehave(&options) => code,
    }
}

/// What an agent does: connects, is ready, and answers until it is asked to stop.
async fn serve(options: &Options) -> anyhow::Result<ExitCode> {
    let mut agent =
        Agent::builder("rust-agent", env!("CARGO_PKG_VERSION")).connect().await.context("cannot start")?;
    tracing_subscriber::registry().with(agent.log_layer()).init();
    let (identity, session) = (agent.identity(), agent.session());
    let serves = match &session {
        Some(session) => format!("{} in session {}", session.user.name, session.id),
        None => "the machine".to_owned(),
    };
    println!("agent {} (launch {}) serves {serves}", identity.name, identity.generation);
    agent.status(match &session {
        Some(session) => format!("serving {}", session.user.name),
        None => "serving the machine".to_owned(),
    })?;
    if !options.never_ready {
        agent.ready()?;
    }
    info!(session = session.map_or_else(String::new, |session| session.id), "ready");
    while let Some(event) = agent.next().await {
        match event {
            Event::Stop(stop) if options.ignore_stop => {
                println!("asked to stop ({:?}), but told to ignore that", stop.reason);
            }
            Event::Stop(stop) => {
                println!("stopping: {:?}, {:?} left", stop.reason, stop.within);
                agent.status("stopping")?;
                break;
            }
            Event::Session(session) => {
                println!("session {}: {:?}, locked: {}", session.id, session.state, session.locked);
            }
            Event::Power(event) => println!("power: {event:?}"),
            Event::Message(message) => show(message),
            Event::Request(request) => match request.method.as_str() {
                "example/echo" => match request.params::<Value>() {
                    Ok(params) => request.reply(&params),
                    Err(error) => request.fail(error),
                },
                "example/session" => {
                    let session = agent.session();
                    request.reply(&json!({
                        "session": session.as_ref().map(|session| &session.id),
                        "user": session.as_ref().map(|session| &session.user.name),
                        "locked": session.as_ref().map(|session| session.locked),
                    }));
                }
                "example/exit" => match exit_code(&request.params::<Value>()) {
                    Some(code) => {
                        request.reply(&());
                        agent.close().await;
                        return Ok(ExitCode::from(code));
                    }
                    None => request.fail(RpcError::new(
                        bilayer_agent::code::INVALID_PARAMS,
                        "expected {\"code\": 0-255}",
                    )),
                },
                // Dropped: answered with "method not found".
                _ => {}
            },
            Event::Notification(notification) => println!("heard {}", notification.method),
            Event::Disconnected => println!("lost the service"),
            Event::Reconnected => println!("found the service again"),
            _ => {}
        }
    }
    if let Some(intent) = options.goodbye {
        agent.goodbye(intent).await?;
    }
    agent.close().await;
    println!("stopped");
    Ok(ExitCode::SUCCESS)
}

fn show(message: ShowMessage) {
    println!("message: {}: {}", message.title, message.text);
    message.shown();
}

fn exit_code(params: &Result<Value, RpcError>) -> Option<u8> {
    params.as_ref().ok()?.get("code")?.as_u64()?.try_into().ok()
}

/// Waits for the time to do what a good agent never does; for ever if it was told of nothing.
async fn misbehave(options: &Options) -> anyhow::Result<ExitCode> {
    let crash = sleep_or_never(options.crash_after);
    let hang = sleep_or_never(options.hang_after);
    tokio::select! {
        () = crash => {
            eprintln!("crashing, as told");
            std::process::abort();
        }
        () = hang => {
            warn!("hanging, as told");
            println!("hanging, as told");
            // The one thread of this program: nothing else runs from here on, heartbeats included.
            loop {
                std::thread::park();
            }
        }
    }
}

async fn sleep_or_never(after: Option<Duration>) {
    match after {
        Some(after) => tokio::time::sleep(after).await,
        None => std::future::pending().await,
    }
}

/// Writes to its output as fast as it can, for ever.
fn flood() -> ! {
    loop {
        println!("{}", "all work and no play makes a dull agent ".repeat(3));
    }
}
