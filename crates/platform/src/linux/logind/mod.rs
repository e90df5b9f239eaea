//! systemd-logind over D-Bus: org.freedesktop.login1(5). Own few calls and no cached properties: what is asked is asked of
//! logind, and at rest nothing is.

mod facts;
mod follow;
mod hints;

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::Duration;

use futures_util::future::try_join_all;
use zbus::{Connection, DynamicType, Message, OwnedObjectPath, Variant};

#[cfg(test)]
pub(super) use self::facts::sample;
pub(super) use self::facts::{Facts, LogindState};
pub(super) use self::follow::Follower;
pub(super) use self::hints::Hints;
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

/// A connection to logind.
#[derive(Clone)]
pub(super) struct Logind {
    bus: Connection,
}

impl Logind {
    /// Connects to the system bus.
    async fn connect() -> Result<Logind, Error> {
        let connected = tokio::time::timeout(ANSWER_WITHIN, Connection::system()).await;
        let bus = answered("connect to the system bus", connected)?;
        Ok(Logind { bus })
    }

    /// All sessions, with all that a decision needs: one question for the list and one for each session, at the same time.
    /// Sessions that vanish meanwhile are left out; any other failure is a failure of the whole.
    pub(super) async fn sessions(&self) -> Result<Vec<Facts>, Error> {
        type Listed = (String, u32, String, String, OwnedObjectPath);
        let message = self.ask(MANAGER_PATH, MANAGER, "ListSessions", &()).await?;
        let body = message.body();
        let listed: Vec<Listed> =
            body.deserialize().map_err(|error| unclear("the list of sessions", error))?;
        let facts = try_join_all(listed.iter().map(|(id, .., path)| self.session(id, path.as_str()))).await?;
        Ok(facts.into_iter().flatten().collect())
    }

    async fn session(&self, id: &str, path: &str) -> Result<Option<Facts>, Error> {
        let call = self.bus.call_method(Some(SERVICE), path, Some(PROPERTIES), "GetAll", &SESSION);
        let message = match tokio::time::timeout(ANSWER_WITHIN, call).await {
            Ok(Err(zbus::Error::MethodError(name, ..))) if is_gone(name.as_str()) => return Ok(None),
            answer => answered(&format!("ask logind about session {id}"), answer)?,
        };
        let body = message.body();
        let properties: HashMap<&str, Variant<'_>> =
            body.deserialize().map_err(|error| unclear("the properties of a session", error))?;
        Facts::read(path, &properties).map(Some).ok_or_else(|| {
            unclear("the properties of a session", format!("session {id} lacks one that is needed"))
        })
    }

    /// Takes a lock that delays a shutdown until it is dropped, or until the system's longest delay is over.
    async fn delay_shutdown(&self) -> Result<OwnedFd, Error> {
        let arguments = ("shutdown", env!("CARGO_PKG_NAME"), "Ending the agents of every session", "delay");
        let message = self.ask(MANAGER_PATH, MANAGER, "Inhibit", &arguments).await?;
        let lock: zbus::OwnedFd =
            message.body().deserialize().map_err(|error| unclear("the inhibitor lock", error))?;
        Ok(lock.into())
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
        answered(&format!("ask logind: {method}"), tokio::time::timeout(ANSWER_WITHIN, call).await)
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
