//! What the service does not do itself: this program again, as a child.
//!
//! A user's bus refuses root, and root should not read what a user can make up, so both happen in a child with that user's uid.
//! The name service loads whatever libraries its configuration names, so it is asked in a child too, which stays who this
//! program is. The service sees only what comes out of a pipe, with a limit and a deadline.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard};
use zbus::connection::Builder;
use zbus::{Connection, Variant};

use super::environment::{self, ENVIRONMENT_LENGTH_MAX, Variables};
use super::{account, launch};
use crate::{Cause, Command, Exit, Station};

/// The first argument of a helper. A program that does not know it must not take it for one of its own.
const MARK: &str = "--bilayer-helper";
/// The first word of a question to the name service.
pub(super) const LOOK_UP: &str = "look-up";
/// What a notification says, in the helper's environment: everybody can read its arguments in /proc, and only the same user its
/// environment.
const TITLE: &str = "BILAYER_NOTIFICATION_TITLE";
const TEXT: &str = "BILAYER_NOTIFICATION_TEXT";
/// How long a helper in a session may take from its birth to its end.
const DONE_WITHIN: Duration = Duration::from_secs(2);
const IN_SESSION: Bounds = Bounds { within: DONE_WITHIN, length: ENVIRONMENT_LENGTH_MAX };

/// Whether a copy of this program is a helper where it is told to: its `main` calls [`helper_main`].
static POSSIBLE: AtomicBool = AtomicBool::new(false);

/// What a helper may take.
#[derive(Clone, Copy)]
pub(super) struct Bounds {
    /// From its birth to its end.
    pub(super) within: Duration,
    /// What it may write, in bytes.
    pub(super) length: usize,
}

/// A session's helper that was killed and has not ended: its user keeps it from that, in a file system of their own making. While
/// there is one, there is no other.
#[derive(Clone, Default)]
pub(super) struct Unfinished {
    turn: Arc<Mutex<()>>,
}

impl Unfinished {
    fn turn(&self) -> Result<OwnedMutexGuard<()>, Cause> {
        Arc::clone(&self.turn)
            .try_lock_owned()
            .map_err(|_| "the last helper was killed and has not ended yet".into())
    }
}

/// Runs the helper if this process was started as one. Call it first in `main`: a program that does not cannot read the
/// environment of its users' sessions, and has the name service in its own process.
pub fn helper_main() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_none_or(|first| first != MARK) {
        POSSIBLE.store(true, Ordering::Relaxed);
        return None;
    }
    // This program writes text only.
    let words: Vec<String> = args.map(|word| word.to_string_lossy().into_owned()).collect();
    let outcome = match words.first().map(String::as_str) {
        Some(LOOK_UP) => account::answer_in_child(&words).map_err(Cause::from),
        _ => perform_in_time(words),
    };
    match outcome {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            // Read by the service and put into its own message.
            let _ = write!(io::stdout(), "{error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// Whether this program can be its own helper.
pub(super) fn is_possible() -> bool {
    POSSIBLE.load(Ordering::Relaxed)
}

/// Puts a question to the name service, as this program's own user; these are the bytes of its answer.
pub(super) async fn look_up(
    question: &[String],
    bounds: Bounds,
    turn: impl Send + 'static,
) -> Result<Vec<u8>, Cause> {
    errand(&Station::for_errands(), &command(question), bounds, turn).await
}

/// The environment of a user's service manager.
pub(super) async fn manager_environment(
    station: &Station,
    unfinished: &Unfinished,
) -> Result<Variables, Cause> {
    let turn = unfinished.turn()?;
    let command = command(&["environment".into()]);
    errand(station, &command, IN_SESSION, turn).await.map(|bytes| environment::parse(&bytes))
}

/// Shows a notification to a user.
pub(super) async fn show_notification(station: &Station, title: &str, text: &str) -> Result<(), Cause> {
    errand(station, &notification(title, text), IN_SESSION, ()).await.map(drop)
}

fn notification(title: &str, text: &str) -> Command {
    Command {
        env: vec![(TITLE.into(), title.into()), (TEXT.into(), text.into())],
        ..command(&["notify".into()])
    }
}

fn command(words: &[String]) -> Command {
    Command {
        args: [&[MARK.to_owned()], words].concat(),
        cwd: Some(PathBuf::from("/")),
        trust_writable_program: true,
        // The very file that runs now, also if it was replaced meanwhile.
        ..Command::new("/proc/self/exe", "")
    }
}

/// Runs a helper at a station and hands out what it wrote. `turn` is held until the helper has ended.
async fn errand(
    station: &Station,
    command: &Command,
    bounds: Bounds,
    turn: impl Send + 'static,
) -> Result<Vec<u8>, Cause> {
    let (process, output) = launch::run(station, command).await?;
    let mut bytes = Vec::new();
    let work = async {
        output.take(bounds.length as u64 + 1).read_to_end(&mut bytes).await?;
        if bytes.len() > bounds.length {
            return Err(io::Error::other(format!("a helper wrote more than {} KiB", bounds.length / 1024)));
        }
        Ok(process.exited().await)
    };
    let ended = tokio::time::timeout(bounds.within, work).await;
    if !matches!(ended, Ok(Ok(_))) {
        process.kill_all()?;
        // Not waited for here: a user can keep a killed process from ending (in a file system of their own making), and others
        // stand in line behind this errand.
        tokio::spawn(async move {
            process.exited().await;
            drop(turn);
        });
    }
    match ended {
        Ok(Ok(Exit::Code(0))) => Ok(bytes),
        Ok(Ok(Exit::Code(1))) => Err(String::from_utf8_lossy(&bytes).into_owned().into()),
        Ok(Ok(exit)) => Err(format!("the helper ended early: {exit}").into()),
        Ok(Err(error)) => Err(error.into()),
        Err(_) => Err(format!("no answer within {} s", bounds.within.as_secs()).into()),
    }
}

/// Does something in a session, in a runtime of its own: on a thread, so that it works also where `main` is run by one already.
fn perform_in_time(words: Vec<String>) -> Result<(), Cause> {
    let errand = std::thread::spawn(move || -> Result<(), Cause> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        runtime.block_on(async { tokio::time::timeout(DONE_WITHIN, perform(&words)).await? })
    });
    errand.join().unwrap_or_else(|_| Err("the helper failed".into()))
}

async fn perform(words: &[&str]) -> Result<(), Cause> {
    match words {
        ["environment"] => print_environment().await,
        ["notify"] => notify(&std::env::var(TITLE)?, &std::env::var(TEXT)?).await,
        _ => Err("unknown errand".into()),
    }
}

async fn user_bus() -> Result<Connection, Cause> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = set("DBUS_SESSION_BUS_ADDRESS")
        .or_else(|| Some(format!("unix:path={}/bus", set("XDG_RUNTIME_DIR")?)))
        .ok_or("the session has no bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set")?;
    Ok(Builder::address(address.as_str()).build().await?)
}

/// org.freedesktop.systemd1(5): the manager's `Environment`, with a NUL after each entry.
async fn print_environment() -> Result<(), Cause> {
    let bus = user_bus().await?;
    let name = "org.freedesktop.systemd1";
    let arguments = ("org.freedesktop.systemd1.Manager", "Environment");
    let path = "/org/freedesktop/systemd1";
    let reply =
        bus.call_method(Some(name), path, Some("org.freedesktop.DBus.Properties"), "Get", &arguments).await?;
    let body = reply.body();
    let entries: Vec<String> = body.deserialize::<Variant<'_>>()?.try_into()?;
    let mut out = io::stdout().lock();
    for entry in entries {
        out.write_all(entry.as_bytes())?;
        out.write_all(&[0])?;
    }
    Ok(out.flush()?)
}

/// Desktop Notifications Specification, `org.freedesktop.Notifications.Notify`.
async fn notify(title: &str, text: &str) -> Result<(), Cause> {
    let bus = user_bus().await?;
    let name = "org.freedesktop.Notifications";
    let hints: HashMap<&str, Variant<'_>> = HashMap::new();
    let actions: &[&str] = &[];
    // The text may hold markup by the specification; ours is plain.
    let plain = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let arguments = ("", 0_u32, "", title, plain.as_str(), actions, hints, -1_i32);
    bus.call_method(Some(name), "/org/freedesktop/Notifications", Some(name), "Notify", &arguments).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_helper_that_does_not_end_keeps_the_next_from_its_birth() {
        // Instead of a helper, a program that hears no deadline.
        let deaf = Command { program: "/bin/sleep".into(), args: vec!["1000".into()], ..command(&[]) };
        let bounds = Bounds { within: Duration::from_secs(1), ..IN_SESSION };
        let unfinished = Unfinished::default();
        let (held, ended) = (unfinished.turn().unwrap(), Unfinished::default());
        assert!(manager_environment(&Station::own(), &unfinished).await.is_err());
        drop(held);
        let late = errand(&Station::own(), &deaf, bounds, ended.turn().unwrap()).await;
        assert_eq!(late.unwrap_err().to_string(), "no answer within 1 s");
        // Killed and not waited for: its turn is over with its life, which nothing has had the time to see yet.
        assert!(ended.turn().is_err());
        let over = tokio::time::timeout(Duration::from_secs(10), ended.turn.lock());
        assert!(over.await.is_ok());
    }

    #[test]
    fn what_a_notification_says_is_in_no_argument() {
        let command = notification("a title", "a secret");
        assert_eq!(command.args, [MARK, "notify"]);
        assert_eq!(command.env, [(TITLE.into(), "a title".into()), (TEXT.into(), "a secret".to_owned())]);
    }
}
