//! Keeps the connection to logind and turns its signals into hints.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::AbortHandle;
use zbus::message::Type;
use zbus::{Message, MessageStream, Variant};

use super::{BUS, Hints, Logind, MANAGER, PROPERTIES, SEAT, SERVICE, SESSION, ShutdownLock};
use crate::{Error, Hint};

/// logind.conf(5), where it cannot be asked.
const SHUTDOWN_DELAY: Duration = Duration::from_secs(5);
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
const RECONNECT_MAX: Duration = Duration::from_secs(30);

/// Properties of sessions and seats that change while nothing happens that matters here: how long nobody has touched a key.
const IDLE_PROPERTIES: [&str; 3] = ["IdleHint", "IdleSinceHint", "IdleSinceHintMonotonic"];

/// The parameters of `NameOwnerChanged`: name, old and new owner; empty: none.
type Owners<'a> = (&'a str, &'a str, &'a str);

/// The task that follows logind; it ends with this.
pub(crate) struct Follower {
    link: Link,
    task: AbortHandle,
}

/// What the tasks and the source share.
#[derive(Clone)]
struct Link {
    shared: Arc<Mutex<Shared>>,
    hints: Hints,
    /// Who holds up a shutdown, for people.
    service: Arc<str>,
}

#[derive(Default)]
struct Shared {
    logind: Option<Logind>,
    /// Why there is no connection, while there is none.
    problem: Option<Arc<Error>>,
    shutdown_lock: Option<ShutdownLock>,
    /// A shutdown was announced, and since then not called off.
    shutdown_announced: bool,
}

impl Follower {
    /// Connects, subscribes, and only then returns: what happens from now on gives a hint. Where there is no bus, or it does not
    /// answer, it is tried again until it does; that gives a hint, too.
    pub(crate) async fn start(hints: Hints, service: &str) -> Follower {
        let link = Link { shared: Arc::default(), hints, service: service.into() };
        let signals = link.establish().await.map_err(|error| link.lost(error)).ok();
        let task = tokio::spawn(link.clone().follow(signals)).abort_handle();
        Follower { link, task }
    }

    /// The connection; an error while there is none.
    pub(crate) fn logind(&self) -> Result<Logind, Error> {
        let shared = self.link.shared();
        shared.logind.clone().ok_or_else(|| Error::Tracking {
            action: "ask logind for the sessions".into(),
            source: match &shared.problem {
                Some(problem) => Arc::clone(problem).into(),
                None => "there is no connection to the system bus yet".into(),
            },
        })
    }

    /// Everything is done that had to be done before an announced shutdown: it need not wait for us any longer. Said of one that
    /// was called off meanwhile, it is not heard.
    pub(crate) fn release_shutdown(&self) {
        let mut shared = self.link.shared();
        if shared.shutdown_announced {
            shared.shutdown_lock = None;
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Link {
    /// For as long as the source lives: follows, and where there is no connection makes one.
    async fn follow(self, mut signals: Option<MessageStream>) {
        loop {
            let mut connected = match signals.take() {
                Some(connected) => connected,
                None => self.establish_again().await,
            };
            while let Some(Ok(message)) = connected.next().await {
                self.interpret(&message);
            }
            tracing::warn!(
                "the connection to the system bus is lost; sessions stay as last known until it is back"
            );
            let source = "it has closed the connection, which is made anew".into();
            self.lost(Error::Tracking { action: "stay connected to the system bus".into(), source });
        }
    }

    async fn establish_again(&self) -> MessageStream {
        let mut wait = RECONNECT_FIRST;
        let signals = loop {
            tokio::time::sleep(wait).await;
            match self.establish().await {
                Ok(signals) => break signals,
                Err(error) => self.lost(error),
            }
            wait = (wait * 2).min(RECONNECT_MAX);
        };
        tracing::info!("the connection to the system bus is back; the sessions are looked at anew");
        // Whatever happened meanwhile was not signalled to us.
        self.hints.raise(Hint::Sessions);
        signals
    }

    fn lost(&self, problem: Error) {
        let mut shared = self.shared();
        shared.logind = None;
        shared.problem = Some(Arc::new(problem));
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
        {
            let mut shared = self.shared();
            (shared.logind, shared.problem) = (Some(logind.clone()), None);
        }
        self.meet(logind);
        Ok(signals)
    }

    /// What is between us and a logind that was not known before: it was connected to, or it was started again.
    fn meet(&self, logind: Logind) {
        let link = self.clone();
        aside(async move {
            // An announcement may have been made before the subscription stood, or one called off while there was none.
            match logind.is_shutting_down().await {
                Ok(true) => link.announce_shutdown(&logind).await,
                Ok(false) => {
                    link.call_off_missed_shutdown();
                    link.lock_shutdown(&logind).await;
                }
                // It is not there. When it is, it is met.
                Err(error) => {
                    let error = logind.explain(error).await;
                    let cause = std::error::Error::source(&error).map(ToString::to_string);
                    tracing::warn!(%error, cause, "sessions stay as last known until logind answers");
                }
            }
        });
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
            // It went or it is back: either way its sessions may be other ones.
            (BUS, "NameOwnerChanged") => {
                self.hints.raise(Hint::Sessions);
                let is_back =
                    message.body().deserialize().is_ok_and(|(_, _, new): Owners<'_>| !new.is_empty());
                let logind = self.shared().logind.clone();
                if let (true, Some(logind)) = (is_back, logind) {
                    self.meet(logind);
                }
            }
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

    /// Holds the lock if it is not held. Without it a shutdown goes on beside the agents' leaving, and they have the time that
    /// systemd gives to whatever it ends; that is worth a warning and no more.
    async fn lock_shutdown(&self, logind: &Logind) {
        if self.shared().shutdown_lock.as_ref().is_some_and(ShutdownLock::is_held) {
            return;
        }
        match logind.delay_shutdown(&self.service).await {
            Ok(lock) => self.shared().shutdown_lock = Some(lock),
            Err(error) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, cause, "a shutdown will not wait for the agents");
            }
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

    fn link() -> Link {
        Link { shared: Arc::default(), hints: Hints::default(), service: "acme".into() }
    }

    #[tokio::test]
    async fn a_missed_calling_off_is_made_up_for_once() {
        let link = link();
        link.call_off_missed_shutdown();
        link.shared().shutdown_announced = true;
        link.call_off_missed_shutdown();
        link.call_off_missed_shutdown();
        link.hints.raise(Hint::Suspend);
        assert_eq!(link.hints.next().await, Hint::ShutdownCalledOff);
        assert_eq!(link.hints.next().await, Hint::Suspend);
    }

    #[tokio::test]
    async fn the_lock_is_let_go_of_in_a_shutdown_and_not_after_it() {
        let link = link();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        link.shared().shutdown_lock = Some(ShutdownLock::new(writer));
        let task = tokio::spawn(async {}).abort_handle();
        let follower = Follower { link: link.clone(), task };
        // The agents of a shutdown that was called off have ended only now.
        follower.release_shutdown();
        assert!(link.shared().shutdown_lock.as_ref().is_some_and(ShutdownLock::is_held));
        link.shared().shutdown_announced = true;
        follower.release_shutdown();
        assert!(link.shared().shutdown_lock.is_none());
        drop(reader);
    }
}
