//! Keeps the connection to logind and turns its signals into hints.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::AbortHandle;
use zbus::message::Type;
use zbus::{Message, MessageStream, Variant};

use super::{BUS, Hints, Logind, MANAGER, PROPERTIES, SEAT, SERVICE, SESSION};
use crate::{Error, Hint};

/// logind.conf(5), where it cannot be asked.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(5);
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(30);

/// Properties of sessions and seats that change while nothing happens that matters here: how long nobody has touched a key.
const IDLE_PROPERTIES: [&str; 3] = ["IdleHint", "IdleSinceHint", "IdleSinceHintMonotonic"];

/// The task that follows logind; it ends with this.
pub(crate) struct Follower {
    link: Link,
    task: AbortHandle,
}

/// What the task and the source share.
#[derive(Clone)]
pub(crate) struct Link {
    shared: Arc<Mutex<Shared>>,
    pub(crate) hints: Hints,
}

#[derive(Default)]
struct Shared {
    logind: Option<Logind>,
    shutdown_lock: Option<OwnedFd>,
    /// A shutdown was announced, and since then not called off.
    shutdown_announced: bool,
}

impl Follower {
    /// Connects, subscribes, and only then returns: what happens from now on gives a hint.
    pub(crate) async fn start(hints: Hints) -> Result<Follower, Error> {
        let link = Link { shared: Arc::default(), hints };
        let signals = link.establish().await?;
        let task = tokio::spawn(link.clone().follow(signals)).abort_handle();
        Ok(Follower { link, task })
    }

    /// The connection; an error while it is lost.
    pub(crate) fn logind(&self) -> Result<Logind, Error> {
        self.link.shared().logind.clone().ok_or_else(|| Error::Tracking {
            action: "ask logind for the sessions".into(),
            source: "the connection to the system bus is lost; it is made anew".into(),
        })
    }

    /// Everything is done that had to be done before an announced shutdown: it need not wait for us any longer.
    pub(crate) fn release_shutdown(&self) {
        self.link.shared().shutdown_lock = None;
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// For as long as the source lives: follows, and when the connection is lost makes it anew.
    async fn follow(self, mut signals: MessageStream) {
        loop {
            while let Some(Ok(message)) = signals.next().await {
                self.interpret(&message);
            }
            tracing::warn!(
                "the connection to the system bus is lost; sessions stay as last known until it is back"
            );
            self.shared().logind = None;
            let mut wait = RECONNECT_FIRST;
            signals = loop {
                tokio::time::sleep(wait).await;
                match self.establish().await {
                    Ok(signals) => break signals,
                    Err(error) => tracing::debug!(%error, "no connection to logind yet"),
                }
                wait = (wait * 2).min(RECONNECT_MAX);
            };
            tracing::info!("sessions are followed again");
            // Whatever happened meanwhile was not signalled to us.
            self.hints.raise(Hint::Sessions);
        }
    }

    async fn establish(&self) -> Result<MessageStream, Error> {
        let logind = Logind::connect().await?;
        let signals = MessageStream::from(&logind.bus);
        let properties_of = |interface| {
            format!(
                "type='signal',sender='{SERVICE}',interface='{PROPERTIES}',member='PropertiesChanged',arg0='{interface}'"
            )
        };
        let rules = [
            format!("type='signal',sender='{SERVICE}',interface='{MANAGER}'"),
            properties_of(SESSION),
            properties_of(SEAT),
            format!(
                "type='signal',sender='{BUS}',interface='{BUS}',member='NameOwnerChanged',arg0='{SERVICE}'"
            ),
        ];
        for rule in &rules {
            logind.subscribe(rule).await?;
        }
        self.shared().logind = Some(logind.clone());
        let link = self.clone();
        aside(async move {
            link.lock_shutdown(&logind).await;
            // An announcement may have been made before the subscription stood, or one called off while there was none.
            match logind.is_shutting_down().await {
                Ok(true) => link.announce_shutdown(&logind).await,
                Ok(false) => link.call_off_missed_shutdown(),
                Err(error) => tracing::debug!(%error, "logind does not say whether a shutdown is announced"),
            }
        });
        Ok(signals)
    }

    fn interpret(&self, message: &Message) {
        if message.message_type() != Type::Signal {
            return;
        }
        let header = message.header();
        let (Some(interface), Some(member)) = (header.interface(), header.member()) else { return };
        let starts = || message.body().deserialize::<bool>().unwrap_or(false);
        match (interface.as_str(), member.as_str()) {
            (MANAGER, "PrepareForSleep") if starts() => self.hints.raise(Hint::Suspend),
            (MANAGER, "PrepareForSleep") => {
                self.hints.raise(Hint::Resume);
                self.hints.raise(Hint::Sessions);
            }
            (MANAGER, "PrepareForShutdown") => {
                let (link, starts, logind) = (self.clone(), starts(), self.shared().logind.clone());
                let Some(logind) = logind else { return };
                if starts {
                    aside(async move { link.announce_shutdown(&logind).await });
                } else {
                    self.call_off_shutdown();
                    aside(async move { link.lock_shutdown(&logind).await });
                }
            }
            (
                MANAGER,
                "SessionNew" | "SessionRemoved" | "UserNew" | "UserRemoved" | "SeatNew" | "SeatRemoved",
            ) => {
                self.hints.raise(Hint::Sessions);
            }
            // It was restarted or it died: either way its sessions may be other ones.
            (BUS, "NameOwnerChanged") => self.hints.raise(Hint::Sessions),
            (PROPERTIES, "PropertiesChanged") if matters(message) => self.hints.raise(Hint::Sessions),
            _ => {}
        }
    }

    async fn announce_shutdown(&self, logind: &Logind) {
        // logind's own clock runs already, so the question is asked with little patience.
        let asked = tokio::time::timeout(Duration::from_millis(500), logind.shutdown_delay()).await;
        let within = asked.ok().and_then(Result::ok).unwrap_or(SHUTDOWN_DELAY);
        self.shared().shutdown_announced = true;
        self.hints.raise(Hint::ShutdownAnnounced { within });
    }

    fn call_off_shutdown(&self) {
        self.shared().shutdown_announced = false;
        self.hints.raise(Hint::ShutdownCalledOff);
    }

    /// No shutdown is announced now: if one was, nobody could tell us that it is no more.
    fn call_off_missed_shutdown(&self) {
        if self.shared().shutdown_announced {
            self.call_off_shutdown();
        }
    }

    /// Holds the lock if it is not held. Without it, agents have no time of their own in a shutdown; that is worth a warning
    /// and no more.
    async fn lock_shutdown(&self, logind: &Logind) {
        if self.shared().shutdown_lock.is_some() {
            return;
        }
        match logind.delay_shutdown().await {
            Ok(lock) => self.shared().shutdown_lock = Some(lock),
            Err(error) => tracing::warn!(%error, "a shutdown will not wait for the agents"),
        }
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks logind something beside the task that takes its signals: answers stand in line behind signals, so whoever waits for an
/// answer must not be the one to take them.
fn aside(questions: impl Future<Output = ()> + Send + 'static) {
    tokio::spawn(questions);
}

/// Whether a change is of a property that an enumeration would show.
fn matters(message: &Message) -> bool {
    type Changed<'a> = (&'a str, HashMap<&'a str, Variant<'a>>, Vec<&'a str>);
    let body = message.body();
    match body.deserialize::<Changed<'_>>() {
        Ok((_, changed, invalidated)) => {
            changed.keys().chain(&invalidated).any(|property| !IDLE_PROPERTIES.contains(property))
        }
        // A hint too many costs one enumeration; one too few costs up to 30 s.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_missed_calling_off_is_made_up_for_once() {
        let link = Link { shared: Arc::default(), hints: Hints::default() };
        link.call_off_missed_shutdown();
        link.shared().shutdown_announced = true;
        link.call_off_missed_shutdown();
        link.call_off_missed_shutdown();
        link.hints.raise(Hint::Suspend);
        assert_eq!(link.hints.next().await, Hint::ShutdownCalledOff);
        assert_eq!(link.hints.next().await, Hint::Suspend);
    }
}
