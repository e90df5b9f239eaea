//! Life under systemd: what it wants comes as signals, and what it is told goes to the socket that it names, sd_notify(3).
//!
//! Nothing of this is inherited by anybody: a process that is launched has an environment of its own.

mod going_down;
mod notifier;
mod told;

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use self::notifier::Notifier;
use self::told::{State, Told};
use super::{clock, proc, signals::Signals};
use crate::{HostError, Notice, Signal};

/// The service manager that started this program: what it wants, and what it is told.
#[derive(Clone)]
pub struct ServiceHost(Arc<Shared>);

struct Shared {
    name: String,
    notifier: Notifier,
    told: Mutex<Told>,
    /// Taken over when the service is up, and not before: until then a stop may simply end the process.
    signals: Mutex<Option<Signals>>,
    /// A stop was heard, and not passed on yet.
    stop_heard: AtomicBool,
    watchdog: Option<Watchdog>,
}

struct Watchdog {
    /// How long the manager goes without a word before it ends the service.
    within: Duration,
    /// When the next word is due, by [`clock::now`].
    next: AtomicU64,
}

impl ServiceHost {
    /// The name that the service manager knows this service by.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// What the manager wants next. Cancel safe. For one who waits; needs a runtime.
    pub async fn next(&self) -> Notice {
        if !self.0.stop_heard.load(Ordering::Relaxed) {
            match poll_fn(|context| self.poll_signal(context)).await {
                Signal::Stop => self.0.stop_heard.store(true, Ordering::Relaxed),
                Signal::Reload => return Notice::Reload,
            }
        }
        let shutdown = going_down::is_system_going_down().await;
        self.0.stop_heard.store(false, Ordering::Relaxed);
        // The manager waits for as long as it is told that the stop goes on, also when the system goes down.
        Notice::Stop { shutdown, within: None }
    }

    /// Tells the manager that the service is up, or up again after a reload. Needs a runtime.
    pub fn running(&self) {
        self.with_signals(|_| ());
        self.tell(State::Running, String::new());
    }

    /// Tells the manager that the service reads its configuration again; [`Self::running`] ends that.
    pub fn reloading(&self) {
        self.tell(State::Reloading, format!("MONOTONIC_USEC={}\n", clock::now() / 1_000));
    }

    /// Tells the manager that the service stops: so many processes are left, and `left` is the longest it can take.
    pub fn stopping(&self, remaining: u32, left: Duration) {
        let longest_us = (left + told::TO_END).as_micros();
        let left = match remaining {
            0 => String::new(),
            1 => ": 1 process is left".to_owned(),
            count => format!(": {count} processes are left"),
        };
        self.tell(State::Stopping, format!("EXTEND_TIMEOUT_USEC={longest_us}\nSTATUS=Stopping{left}\n"));
    }

    /// Tells the manager in one line what the service does, for people who ask it.
    pub fn status(&self, text: &str) {
        self.0.notifier.send(&told::status(text));
    }

    /// Tells the manager that the service's loop goes round, if it wants to know and has not been told for a while.
    pub fn alive(&self) {
        let Some(watchdog) = &self.0.watchdog else { return };
        if watchdog.is_due(clock::now()) {
            self.0.notifier.send("WATCHDOG=1\n");
        }
    }

    /// How often the loop must go round at least.
    pub fn round_within(&self) -> Option<Duration> {
        self.0.watchdog.as_ref().map(|watchdog| watchdog.within / 2)
    }

    fn tell(&self, state: State, more: String) {
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = told.next(state) {
            self.0.notifier.send(&format!("{text}{more}"));
        }
    }

    fn poll_signal(&self, context: &mut Context<'_>) -> Poll<Signal> {
        self.with_signals(|signals| signals.poll_next(context)).unwrap_or(Poll::Pending)
    }

    /// With the signals of this process, which are taken over if they are not yet; `None` if they cannot be.
    fn with_signals<T>(&self, of: impl FnOnce(&mut Signals) -> T) -> Option<T> {
        let mut signals = self.0.signals.lock().unwrap_or_else(PoisonError::into_inner);
        if signals.is_none() {
            *signals = Signals::new()
                .inspect_err(|error| {
                    tracing::error!(%error, "cannot listen for signals: a stop ends this service without a grace");
                })
                .ok();
        }
        signals.as_mut().map(of)
    }
}

impl Watchdog {
    /// What sd_watchdog_enabled(3) reads from the environment.
    fn from_environment() -> Option<Watchdog> {
        let number = |name| std::env::var(name).ok()?.parse::<u64>().ok();
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid| pid == u64::from(std::process::id()));
        let within = Duration::from_micros(number("WATCHDOG_USEC").filter(|within| is_ours && *within > 0)?);
        Some(Watchdog { within, next: AtomicU64::new(0) })
    }

    /// Whether a word is due; then the next one is due when a quarter of the time is over.
    fn is_due(&self, now: u64) -> bool {
        let is_due = now >= self.next.load(Ordering::Relaxed);
        if is_due {
            let pause = u64::try_from(self.within.as_nanos() / 4).unwrap_or(u64::MAX);
            self.next.store(now.saturating_add(pause), Ordering::Relaxed);
        }
        is_due
    }
}

/// Runs `body` as the service that the manager started this process for, and returns its exit code, which is to become that of
/// the process.
///
/// To be called on the main thread.
///
/// # Errors
///
/// The manager did not start this process, or not as a service.
pub fn run_as_service(body: impl FnOnce(ServiceHost) -> u8 + Send + 'static) -> Result<u8, HostError> {
    let notifier = Notifier::from_environment().map_err(HostError::Connect)?;
    let notifier = notifier.ok_or(HostError::NotStartedByManager)?;
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let groups = proc::manager_groups(own).map_err(HostError::Connect)?;
    let name =
        groups.iter().find_map(|group| service_of(group)).ok_or(HostError::NotStartedByManager)?.to_owned();
    let host = ServiceHost(Arc::new(Shared {
        name,
        notifier,
        told: Mutex::default(),
        signals: Mutex::default(),
        stop_heard: AtomicBool::new(false),
        watchdog: Watchdog::from_environment(),
    }));
    Ok(body(host))
}

/// The service whose control group this is, or that it is below of.
fn service_of(group: &str) -> Option<&str> {
    group.rsplit('/').find_map(|unit| unit.strip_suffix(".service")).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_known_by_its_control_group() {
        assert_eq!(service_of("/system.slice/acme-desk.service"), Some("acme-desk"));
        assert_eq!(service_of("/machine.slice/bed.scope/system.slice/acme.service/layer0"), Some("acme"));
        assert_eq!(service_of("/user.slice/user-0.slice/session-1.scope"), None);
        assert_eq!(service_of("/"), None);
        assert_eq!(service_of("/.service"), None);
    }

    #[test]
    fn the_watchdog_is_told_four_times_as_often_as_it_must() {
        let watchdog = Watchdog { within: Duration::from_nanos(400), next: AtomicU64::new(0) };
        let due: Vec<u64> = (1_000..1_400).step_by(10).filter(|now| watchdog.is_due(*now)).collect();
        assert_eq!(due, [1_000, 1_100, 1_200, 1_300]);
    }
}
