//! Plays the day: does to the imaginary machine and to the real agents what the script says.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::time::{Duration, Instant};

use bilayer::Director;
use bilayer_ipc::control::{Call, DeliveredBy, Delivery, Recipients, Selector, Send};
use bilayer_ipc::method;
use bilayer_platform::{Dirs, Hint, Kind, SessionInfo, State, Station, User};

use super::day::{DAY, Deed, Person, Step};
use super::model::{Model, Seat};
use super::{FOLLOWS_CONSOLE, Shared, agent};
use crate::client::Client;
use crate::failure::Failure;

/// How long the engine may take for a step before the story goes on without it.
const STEP_TAKES_MAX: Duration = Duration::from_secs(10);

pub(super) struct Stage {
    director: Director,
    dirs: Dirs,
    shared: Shared,
    speed: f64,
    failure: RefCell<Option<Failure>>,
    left: Cell<bool>,
    /// Logons so far: two logons of one person are two logons.
    logons: Cell<u32>,
}

impl Stage {
    pub(super) fn new(director: Director, dirs: Dirs, shared: Shared, speed: f64) -> Self {
        let (failure, left, logons) = (RefCell::default(), Cell::new(false), Cell::new(0));
        Self { director, dirs, shared, speed, failure, left, logons }
    }

    /// Plays the whole day. The end of the service is the end of the day, so this itself never ends.
    pub(super) async fn play(&self) -> Infallible {
        if let Err(failure) = self.day().await {
            self.fail(failure).await;
        }
        std::future::pending().await
    }

    /// The demo itself cannot go on.
    pub(super) async fn fail(&self, failure: Failure) {
        self.failure.replace(Some(failure));
        self.stop().await;
    }

    /// Somebody has seen enough.
    pub(super) async fn leave(&self) {
        self.left.set(true);
        self.stop().await;
    }

    pub(super) fn was_left(&self) -> bool {
        self.left.get()
    }

    /// What went wrong with the demo itself.
    pub(super) fn failure(&self) -> Option<Failure> {
        self.failure.take()
    }

    async fn stop(&self) {
        if let Ok(client) = self.client().await {
            // A service that is stopping already needs no telling.
            let _ = client.call_raw(method::SERVICE_STOP, &()).await;
        }
    }

    async fn day(&self) -> Result<(), Failure> {
        for step in DAY {
            self.shared.change(|model| model.begin(step, Instant::now()));
            self.deed(step).await?;
            self.played_out().await;
            self.rest(step.rest).await;
        }
        Ok(())
    }

    async fn deed(&self, step: &Step) -> Result<(), Failure> {
        match step.deed {
            Deed::Open => {}
            Deed::LogOn(person) => self.sessions(|seats| {
                seats.iter_mut().for_each(|seat| seat.front = false);
                self.logons.set(self.logons.get() + 1);
                seats.push(Seat {
                    session: person.session(),
                    user: person.name(),
                    front: true,
                    locked: false,
                });
            }),
            Deed::Lock(person) => self.sessions(|seats| lock(seats, person, true)),
            Deed::Unlock(person) => self.sessions(|seats| lock(seats, person, false)),
            Deed::Front(person) => {
                self.sessions(|seats| {
                    seats.iter_mut().for_each(|seat| seat.front = seat.user == person.name());
                });
            }
            Deed::Crash(person) => self.tell(person, agent::CRASH).await?,
            Deed::Hang(person) => self.tell(person, agent::HANG).await?,
            Deed::Message(text) => self.message(text).await?,
            Deed::LogOff(person) => {
                self.tell(person, agent::LOG_OFF).await?;
                self.played_out().await;
                self.rest(Duration::from_millis(1500)).await;
                self.sessions(|seats| seats.retain(|seat| seat.user != person.name()));
            }
            Deed::ShutDown => {
                self.director.hint(Hint::ShutdownAnnounced { within: Duration::from_secs(5) });
                self.until(|model| model.rows.iter().all(|row| row.pid.is_none())).await;
                self.stop().await;
            }
        }
        Ok(())
    }

    /// Changes who sits where, and says so to the service.
    fn sessions(&self, change: impl FnOnce(&mut Vec<Seat>)) {
        let sessions = self.shared.change(|model| {
            change(&mut model.seats);
            model.mark(Instant::now());
            model.seats.iter().map(|seat| self.session(seat)).collect()
        });
        self.director.sessions(sessions);
    }

    fn session(&self, seat: &Seat) -> SessionInfo {
        SessionInfo {
            id: seat.session.to_owned(),
            logon: format!("demo-{}", seat.user),
            user: User { name: seat.user.to_owned(), id: format!("100{}", seat.session) },
            administrator: None,
            groups: Vec::new(),
            kind: Kind::Console,
            state: if seat.front { State::Active } else { State::Inactive },
            locked: seat.locked,
            remote: false,
            session_type: None,
            greeter: false,
            environment: true,
            display: true,
            station: Station::own(),
        }
    }

    /// Calls a method of the demo's own on the agent in front of `person`.
    async fn tell(&self, person: Person, method: &str) -> Result<(), Failure> {
        let selector = Selector {
            agent: Some(FOLLOWS_CONSOLE.to_owned()),
            session: Some(person.session().to_owned()),
            ..Selector::default()
        };
        let call = Call { selector, method: method.to_owned(), params: None, timeout_ms: Some(100) };
        let client = self.client().await?;
        self.shared.change(|model| model.mark(Instant::now()));
        // None of these methods is ever answered: the agent crashes, hangs or leaves instead.
        let _ = client.call_raw(method::AGENTS_CALL, &call).await;
        Ok(())
    }

    async fn message(&self, text: &str) -> Result<(), Failure> {
        let to = Recipients { all: true, ..Recipients::default() };
        let send = Send {
            to,
            title: "Demo".to_owned(),
            text: text.to_owned(),
            level: Default::default(),
            buttons: Default::default(),
            wait: false,
            timeout_ms: None,
        };
        let deliveries: Vec<Delivery> = self.client().await?.call(method::MESSAGE_SEND, &send).await?;
        self.shared.change(|model| {
            for Delivery { user, delivered, error, .. } in deliveries {
                model.effect(match (delivered, error) {
                    (Some(DeliveredBy::Agent), _) => format!("shown to {} by the agent", user.name),
                    (Some(DeliveredBy::Desktop), _) => format!("shown to {} by the desktop", user.name),
                    (None, error) => format!("not shown to {}: {}", user.name, error.unwrap_or_default()),
                });
            }
        });
        Ok(())
    }

    async fn client(&self) -> Result<Client, Failure> {
        Client::open(&self.dirs)
            .await?
            .ok_or_else(|| Failure::failed("the demo's own service does not answer"))
    }

    async fn played_out(&self) {
        self.until(Model::has_played_out).await;
    }

    /// Waits until the model shows it, or for as long as a step may take.
    async fn until(&self, shows: impl Fn(&Model) -> bool) {
        let shown = async {
            loop {
                // Asked for before looking, so that no change can slip in between.
                let changed = self.shared.changed.notified();
                if shows(&self.shared.model.borrow()) {
                    return;
                }
                changed.await;
            }
        };
        if tokio::time::timeout(STEP_TAKES_MAX, shown).await.is_err() {
            self.shared.change(|model| {
                model.effect(format!("nothing for {} s; going on", STEP_TAKES_MAX.as_secs()));
            });
        }
    }

    async fn rest(&self, duration: Duration) {
        tokio::time::sleep(duration.div_f64(self.speed)).await;
    }
}

fn lock(seats: &mut [Seat], person: Person, locked: bool) {
    for seat in seats {
        if seat.user == person.name() {
            seat.locked = locked;
        }
    }
}
