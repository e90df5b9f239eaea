//! An agent that does one thing wrong, or writes down what happens to it.
//!
//! `connected FILE` speaks with the service, and appends `PID MS` when it has found it again after so many milliseconds ·
//! `asked FILE` hears nothing but the service, appends `start PID` when that has it and `asked REASON` when it is to stop, and leaves ·
//! `session UID TYPE HOST` opens a session of that user from afar and stays in it ·
//! `witness FILE [MS]` appends `start PID` and, 200 or so many milliseconds after it was asked to end, `end PID` · `deaf` ignores being asked ·
//! `parent` starts a child in a session of its own and leaves · `gone` leaves at once with code 3 · `desktop` shows
//! notifications as a desktop does, by printing them · `knock SOCKET` is a stranger who says nothing and prints how many bytes
//! it was told before the other side closed; it leaves with code 4 where it is not let near.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::fs::OpenOptions;
use std::future::pending;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use bilayer_agent::{Agent, Event};
use futures_util::StreamExt;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<ExitCode> {
    let args: Vec<_> = std::env::args().collect();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    match args[1..] {
        ["connected", file] => stay_connected(file).await.map_err(std::io::Error::other)?,
        ["asked", file] => wait_to_be_asked(file).await.map_err(std::io::Error::other)?,
        // Long enough that a successor which does not wait would be seen to start in between.
        ["witness", file] => witness(file, 200).await?,
        ["witness", file, takes_ms] => {
            witness(file, takes_ms.parse().map_err(std::io::Error::other)?).await?;
        }
        ["session", uid, kind, host] => {
            open_session(uid, kind, host).await.map_err(std::io::Error::other)?;
        }
        ["deaf"] => deaf().await?,
        ["parent"] => leave_a_child()?,
        ["desktop"] => show_notifications().await.map_err(std::io::Error::other)?,
        ["knock", socket] => return Ok(knock(socket)),
        ["gone"] => return Ok(ExitCode::from(3)),
        _ => return Ok(ExitCode::from(2)),
    }
    Ok(ExitCode::SUCCESS)
}

async fn stay_connected(file: &str) -> anyhow::Result<()> {
    let mut agent = Agent::builder("e2e-agent", env!("CARGO_PKG_VERSION")).connect().await?;
    agent.ready()?;
    let mut lost = Instant::now();
    while let Some(event) = agent.next().await {
        match event {
            Event::Disconnected => lost = Instant::now(),
            Event::Reconnected => {
                append(file, &format!("{} {}\n", std::process::id(), lost.elapsed().as_millis()))?;
            }
            Event::Stop(_) => break,
            _ => {}
        }
    }
    agent.close().await;
    Ok(())
}

async fn wait_to_be_asked(file: &str) -> anyhow::Result<()> {
    let _deaf_to = [signal(SignalKind::terminate())?, signal(SignalKind::hangup())?];
    let mut agent = Agent::builder("e2e-agent", env!("CARGO_PKG_VERSION")).connect().await?;
    agent.ready()?;
    note(file, "start")?;
    while let Some(event) = agent.next().await {
        if let Event::Stop(stop) = event {
            append(file, &format!("asked {:?}\n", stop.reason))?;
            break;
        }
    }
    agent.close().await;
    Ok(())
}

async fn witness(file: &str, takes_ms: u64) -> std::io::Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    // What is in the scope of a session is also hung up on when systemd ends it: SendSIGHUP, systemd.kill(5).
    let _hang_up = signal(SignalKind::hangup())?;
    note(file, "start")?;
    end.recv().await;
    let _ = tokio::time::timeout(Duration::from_millis(takes_ms), pending::<()>()).await;
    note(file, "end")
}

fn note(file: &str, what: &str) -> std::io::Result<()> {
    append(file, &format!("{what} {}\n", std::process::id()))
}

fn append(file: &str, line: &str) -> std::io::Result<()> {
    // One write to a file opened for appending: lines of two processes do not mix (open(2), O_APPEND).
    OpenOptions::new().append(true).open(file)?.write_all(line.as_bytes())
}

async fn deaf() -> std::io::Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    println!("deaf to SIGTERM");
    loop {
        end.recv().await;
        println!("not listening");
    }
}

fn knock(socket: &str) -> ExitCode {
    let Ok(mut stream) = UnixStream::connect(socket) else { return ExitCode::from(4) };
    let mut told = Vec::new();
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut told);
    println!("{}", told.len());
    ExitCode::SUCCESS
}

fn leave_a_child() -> std::io::Result<()> {
    Command::new("setsid").args(["--fork", "sleep", "4242"]).status()?;
    println!("left a child behind");
    Ok(())
}

/// Opens a session of this user as a server of remote logins does, with itself as the leader, and stays in it: org.freedesktop.login1(5),
/// `CreateSession`. The session lasts as long as the descriptor of the answer is open.
async fn open_session(uid: &str, kind: &str, host: &str) -> anyhow::Result<()> {
    let bus = zbus::Connection::system().await?;
    let properties: Vec<(&str, zbus::Variant<'_>)> = Vec::new();
    let (uid, leader, service): (u32, u32, _) = (uid.parse()?, std::process::id(), "e2e-agent");
    let (class, desktop, remote, from) = ("user", "", true, "");
    let (seat, terminal, tty, display) = ("", 0_u32, "", "");
    let session = (
        uid, leader, service, kind, class, desktop, seat, terminal, tty, display, remote, from, host,
        properties,
    );
    let name = "org.freedesktop.login1";
    let manager = Some("org.freedesktop.login1.Manager");
    let answer =
        bus.call_method(Some(name), "/org/freedesktop/login1", manager, "CreateSession", &session).await?;
    signal(SignalKind::terminate())?.recv().await;
    drop(answer);
    Ok(())
}

/// The parameters of `Notify`.
type Notification<'a> =
    (&'a str, u32, &'a str, &'a str, &'a str, Vec<&'a str>, HashMap<&'a str, zbus::Variant<'a>>, i32);

/// Stands for the desktop's notification service, which a container has not: the Desktop Notifications Specification's
/// `Notify`, on the user's own bus.
async fn show_notifications() -> zbus::Result<()> {
    let bus = zbus::Connection::session().await?;
    let mut calls = zbus::MessageStream::from(&bus);
    bus.request_name("org.freedesktop.Notifications").await?;
    println!("shows notifications");
    while let Some(call) = calls.next().await {
        let call = call?;
        let header = call.header();
        if header.member().is_some_and(|member| member == "Notify") {
            let body = call.body();
            let (_app, _replaces, _icon, title, text, ..): Notification<'_> = body.deserialize()?;
            println!("notification {title:?} {text:?}");
            bus.reply(&header, &1_u32).await?;
        }
    }
    Ok(())
}
