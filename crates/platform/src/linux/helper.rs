//! What has to be done as another user: this program again, as a child with that user's uid.
//!
//! A user's bus refuses root, and root should not read what a user can make up, so both happen there: the service sees only
//! what comes out of a pipe, with a limit and a deadline.

use std::collections::HashMap;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard};
use zbus::connection::Builder;
use zbus::{Connection, Variant};

use super::environment::{self, ENVIRONMENT_LENGTH_MAX, Variables};
use super::launch;
use crate::{Cause, Command, Exit, Station};

/// The first argument of a helper. A program that does not know it must not take it for one of its own.
const MARK: &str = "--bilayer-in-session-helper";
/// What a notification says, in the helper's environment: everybody can read its arguments in /proc, and only the same user its
/// environment.
const TITLE: &str = "BILAYER_NOTIFICATION_TITLE";
const TEXT: &str = "BILAYER_NOTIFICATION_TEXT";
/// How long a helper may take from its birth to its end.
const DONE_WITHIN: Duration = Duration::from_secs(2);

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

/// Runs the helper if this process was started as one. Call it first in `main`.
pub fn helper_main() -> Option<ExitCode> {
    let mut args = std::env::args().skip(1);
    if args.next()? != MARK {
        return None;
    }
    let words: Vec<String> = args.collect();
    // On a thread of its own, so that it works also where `main` is run by a runtime already.
    let errand = std::thread::spawn(move || -> Result<(), Cause> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        runtime.block_on(async { tokio::time::timeout(DONE_WITHIN, perform(&words)).await? })
    });
    let outcome = errand.join().unwrap_or_else(|_| Err("the helper failed".into()));
    match outcome {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            // Read by the service and put into its own message.
            let _ = write!(io::stdout(), "{error}");
            Some(ExitCode::FAILURE)
        }
    }
}

/// The environment of a user's service manager.
pub(super) async fn manager_environment(
    station: &Station,
    unfinished: &Unfinished,
) -> Result<Variables, Cause> {
    let turn = unfinished.turn()?;
    errand(station, &command("environment"), turn).await.map(|bytes| environment::parse(&bytes))
}

/// Shows a notification to a user.
pub(super) async fn show_notification(station: &Station, title: &str, text: &str) -> Result<(), Cause> {
    errand(station, &notification(title, text), ()).await.map(drop)
}

fn notification(title: &str, text: &str) -> Command {
    Command { env: vec![(TITLE.into(), title.into()), (TEXT.into(), text.into())], ..command("notify") }
}

fn command(word: &str) -> Command {
    Command {
        args: vec![MARK.into(), word.into()],
        cwd: Some(PathBuf::from("/")),
        trust_writable_program: true,
        // The very file that runs now, also if it was replaced meanwhile.
        ..Command::new("/proc/self/exe", "")
    }
}

/// Runs a helper at a station and hands out what it wrote. `turn` is held until the helper has ended.
async fn errand(station: &Station, command: &Command, turn: impl Send + 'static) -> Result<Vec<u8>, Cause> {
    let (process, output) = launch::run(station, command).await?;
    let mut bytes = Vec::new();
    let work = async {
        output.take(ENVIRONMENT_LENGTH_MAX as u64 + 1).read_to_end(&mut bytes).await?;
        if bytes.len() > ENVIRONMENT_LENGTH_MAX {
            return Err(io::Error::other("a helper wrote more than 256 KiB"));
        }
        Ok(process.exited().await)
    };
    let ended = tokio::time::timeout(DONE_WITHIN, work).await;
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
        Err(_) => Err("no answer within 2 s".into()),
    }
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
        let deaf =
            Command { program: "/bin/sleep".into(), args: vec!["1000".into()], ..command("environment") };
        let unfinished = Unfinished::default();
        let (held, ended) = (unfinished.turn().unwrap(), Unfinished::default());
        assert!(manager_environment(&Station::own(), &unfinished).await.is_err());
        drop(held);
        let late = errand(&Station::own(), &deaf, ended.turn().unwrap()).await;
        assert_eq!(late.unwrap_err().to_string(), "no answer within 2 s");
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
