//! systemd-logind over D-Bus: org.freedesktop.login1(5). Own few calls and no cached properties: what is asked is asked of
//! logind, and at rest nothing is.

mod facts;
mod follow;
mod hints;
mod shutdown_lock;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use zbus::{Connection, DynamicType, Message, OwnedObjectPath, Variant};

#[cfg(test)]
pub(super) use self::facts::sample;
pub(super) use self::facts::{Facts, LogindState};
pub(super) use self::follow::Follower;
pub(super) use self::hints::Hints;
use self::shutdown_lock::ShutdownLock;
use super::bus::{answered_error, system_bus};
use crate::{Cause, Error};

const SERVICE: &str = "org.freedesktop.login1";
const MANAGER_PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const SEAT: &str = "org.freedesktop.login1.Seat";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";

/// How long logind may take for one question. It starts sessions one after the other, so it can be slow while many log on.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How long the bus itself may take to say who is on it, once logind has not answered.
const EXPLAIN_WITHIN: Duration = Duration::from_secs(1);

/// How many questions may wait for their answers. The bus has a limit of its own, `max_replies_per_connection` of
/// dbus-daemon(1), and fails what goes past it.
const QUESTIONS_MAX: usize = 64;

/// How long a shutdown waits for whoever holds it up, at most; `None` where logind does not say. Blocks until it answers, and not
/// longer than a question takes; not to be called by what a runtime runs.
pub fn shutdown_delay() -> Option<Duration> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    runtime.block_on(async { Logind::connect().await.ok()?.shutdown_delay().await.ok() })
}

/// A connection to logind.
#[derive(Clone)]
pub(super) struct Logind {
    bus: Connection,
}

impl Logind {
    /// Connects to the system bus.
    async fn connect() -> Result<Logind, Error> {
        let connected = tokio::time::timeout(ANSWER_WITHIN, system_bus()).await;
        let bus = answered("connect to the system bus", connected)?;
        Ok(Logind { bus })
    }

    /// All sessions, with all that a decision needs. Those at the objects `known` are asked about together with the question
    /// for the list, and new ones when the list is there; at rest that is one burst of questions. Sessions that have vanished
    /// are left out; any other failure is a failure of the whole.
    pub(super) async fn sessions(&self, known: &[String]) -> Result<Vec<Facts>, Error> {
        let (listed, mut found) = join(self.list(), self.look_at(known)).await;
        let listed = listed?;
        let new: Vec<String> = listed.iter().filter(|path| !found.contains_key(*path)).cloned().collect();
        found.extend(self.look_at(&new).await);
        listed.iter().filter_map(|path| found.remove(path)?.transpose()).collect()
    }

    /// The same failure in better words where the bus says that logind is not on it. What we ask has the bus start it; one that runs,
    /// and has not found back to a bus that was started again (as that of systemd 257), is waited for in vain.
    pub(super) async fn explain(&self, error: Error) -> Error {
        let call = self.bus.call_method(Some(BUS), BUS_PATH, Some(BUS), "NameHasOwner", &SERVICE);
        let answer = tokio::time::timeout(EXPLAIN_WITHIN, call).await;
        let is_there = answer.ok().and_then(Result::ok).and_then(|answer| answer.body().deserialize().ok());
        if is_there != Some(false) {
            return error;
        }
        let advice = "it is not on the system bus, and was not started for the question; where it runs, it has lost its \
                      connection, and `systemctl restart systemd-logind` gives it a new one";
        Error::Tracking { action: "ask logind for the sessions".into(), source: advice.into() }
    }

    /// The objects of all sessions.
    async fn list(&self) -> Result<Vec<String>, Error> {
        type Listed = (String, u32, String, String, OwnedObjectPath);
        let message = self.ask(MANAGER_PATH, MANAGER, "ListSessions", &()).await?;
        let listed: Vec<Listed> =
            message.body().deserialize().map_err(|error| unclear("the list of sessions", error))?;
        Ok(listed.into_iter().map(|(.., path)| path.to_string()).collect())
    }

    /// What logind says of each of these sessions.
    async fn look_at(&self, paths: &[String]) -> HashMap<String, Result<Option<Facts>, Error>> {
        let mut found = HashMap::with_capacity(paths.len());
        for together in paths.chunks(QUESTIONS_MAX) {
            let answers = join_all(together.iter().map(|path| self.session(path))).await;
            found.extend(together.iter().cloned().zip(answers));
        }
        found
    }

    async fn session(&self, path: &str) -> Result<Option<Facts>, Error> {
        let call = self.bus.call_method(Some(SERVICE), path, Some(PROPERTIES), "GetAll", &SESSION);
        let message = match tokio::time::timeout(ANSWER_WITHIN, call).await {
            Ok(Err(error)) if answered_error(&error).is_some_and(|(name, _)| is_gone(&name)) => {
                return Ok(None);
            }
            answer => answered(&format!("ask logind about the session {path}"), answer)?,
        };
        let body = message.body();
        let properties: HashMap<&str, Variant<'_>> =
            body.deserialize().map_err(|error| unclear("the properties of a session", error))?;
        Facts::read(path, &properties)
            .map(Some)
            .ok_or_else(|| unclear("the properties of a session", format!("{path} lacks one that is needed")))
    }

    /// Takes a lock that delays a shutdown until it is dropped, or until the system's longest delay is over.
    async fn delay_shutdown(&self, service: &str) -> Result<ShutdownLock, Error> {
        let arguments = ("shutdown", service, "Agents in the users' sessions are asked to end", "delay");
        let message = self.ask(MANAGER_PATH, MANAGER, "Inhibit", &arguments).await?;
        let lock: zbus::OwnedFd =
            message.body().deserialize().map_err(|error| unclear("the inhibitor lock", error))?;
        Ok(ShutdownLock::new(lock.into()))
    }

    /// How long a shutdown waits for such locks.
    async fn shutdown_delay(&self) -> Result<Duration, Error> {
        let message = self.manager_property("InhibitDelayMaxUSec").await?;
        match message.body().deserialize() {
            Ok(Variant::U64(microseconds)) => Ok(Duration::from_micros(microseconds)),
            other => Err(unclear("InhibitDelayMaxUSec", format!("{other:?}"))),
        }
    }

    /// Whether a shutdown was announced that has not happened yet.
    async fn is_shutting_down(&self) -> Result<bool, Error> {
        let message = self.manager_property("PreparingForShutdown").await?;
        Ok(matches!(message.body().deserialize(), Ok(Variant::Bool(true))))
    }

    async fn manager_property(&self, name: &str) -> Result<Message, Error> {
        self.ask(MANAGER_PATH, PROPERTIES, "Get", &(MANAGER, name)).await
    }

    async fn ask<B>(&self, path: &str, interface: &str, method: &str, arguments: &B) -> Result<Message, Error>
    where
        B: serde::Serialize + DynamicType,
    {
        let call = self.bus.call_method(Some(SERVICE), path, Some(interface), method, arguments);
        answered(&format!("ask logind for {method}"), tokio::time::timeout(ANSWER_WITHIN, call).await)
    }

    /// Asks the bus to send us what matches.
    async fn subscribe(&self, rule: &str) -> Result<(), Error> {
        let call = self.bus.call_method(Some(BUS), BUS_PATH, Some(BUS), "AddMatch", &rule);
        answered("subscribe to logind's signals", tokio::time::timeout(ANSWER_WITHIN, call).await).map(drop)
    }
}

fn answered<T>(
    action: &str,
    answer: Result<Result<T, zbus::Error>, tokio::time::error::Elapsed>,
) -> Result<T, Error> {
    let failed = |source: Cause| Error::Tracking { action: action.into(), source };
    match answer {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(failed(error.into())),
        Err(_) => Err(failed(format!("no answer within {} s", ANSWER_WITHIN.as_secs()).into())),
    }
}

fn unclear(what: &str, problem: impl Into<Cause>) -> Error {
    Error::Tracking { action: format!("read {what}"), source: problem.into() }
}

/// What the bus and logind answer for a session that has ended since it was listed.
fn is_gone(error: &str) -> bool {
    matches!(
        error,
        "org.freedesktop.DBus.Error.UnknownObject"
            | "org.freedesktop.DBus.Error.UnknownInterface"
            | "org.freedesktop.login1.NoSuchSession"
    )
}
