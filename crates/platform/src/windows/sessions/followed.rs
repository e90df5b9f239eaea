//! One session of the machine, and what it takes to start programs in it.
//!
//! Terminal services say who and where, and the token who exactly. The environment, the folder of the profile and the names of the
//! groups are fetched by one task per session, off the loop's way. Whatever it learns it keeps here and gives a hint.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use std::{future, io};

use tokio::sync::{Notify, Semaphore, watch};
use tokio::task::AbortHandle;

use super::bearer::{self, Bearer, Learned};
use super::facts::{Identity, Told};
use crate::system::account::Names;
use crate::system::sid::Sid;
use crate::system::station::{BecomeUser, Home};
use crate::{Kind, SessionInfo, Station, User};

/// How long reading the environment may take before the launch need not wait for this reading.
const LEARNED_WITHIN: Duration = Duration::from_secs(30);
/// An environment that is older is read again at the next enumeration: whoever changes a variable of a user tells no service.
const GOOD_FOR: Duration = Duration::from_secs(10 * 60);
/// How many sessions are asked about at a time, of each kind of question.
const READERS_MAX: usize = 8;

/// What all sessions share.
pub(super) struct Common {
    /// Something was learned.
    pub(super) news: Notify,
    names: Names,
    homes: Arc<Semaphore>,
    groups: Arc<Semaphore>,
}

impl Common {
    pub(super) fn new() -> Common {
        Common {
            news: Notify::new(),
            names: Names::default(),
            homes: Arc::new(Semaphore::new(READERS_MAX)),
            groups: Arc::new(Semaphore::new(READERS_MAX)),
        }
    }
}

/// A session that is followed; the task ends with it.
pub(super) struct Followed {
    told: Told,
    /// `None` until the list it first appeared in was looked at as a whole.
    kind: Option<Kind>,
    identity: Identity,
    bearer: Result<Bearer, i32>,
    shared: Arc<Shared>,
    task: AbortHandle,
}

struct Shared {
    known: Mutex<Known>,
    look_again: Notify,
    /// Whether the task has looked once.
    looked: watch::Sender<bool>,
}

/// What the task found out.
#[derive(Default)]
struct Known {
    user: Option<Sid>,
    home: Option<Arc<Home>>,
    /// When the home was read, on the platform's clock; 0 for never.
    read_at: u64,
    groups: Vec<String>,
    /// Made when asked for, and kept while nothing changes.
    station: Option<Station>,
}

impl Followed {
    /// Begins to follow a session. `before`: the logon that had its number. Needs a runtime.
    pub(super) fn begin(
        told: Told,
        bearer: Result<Bearer, i32>,
        before: Option<&Identity>,
        common: &Arc<Common>,
    ) -> Followed {
        let number = bearer.as_ref().ok().map(|bearer| bearer.logon);
        let shared = Arc::new(Shared {
            known: Mutex::default(),
            look_again: Notify::new(),
            looked: watch::Sender::new(false),
        });
        let learning = learn(Arc::clone(&shared), told.clone(), Arc::clone(common));
        Followed {
            identity: Identity::new(&told, number, before),
            kind: None,
            task: tokio::spawn(learning).abort_handle(),
            told,
            bearer,
            shared,
        }
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// Whether what is told now is told about the logon that is followed here.
    pub(super) fn is_still(&mut self, told: &Told, bearer: &Result<Bearer, i32>) -> bool {
        let number = bearer.as_ref().ok().map(|bearer| bearer.logon);
        let same_user = match (bearer, &self.bearer) {
            (Ok(now), Ok(before)) => now.user == before.user,
            _ => true,
        };
        same_user && self.identity.is_still(told, number)
    }

    /// Takes what is told now of the same logon.
    pub(super) fn learn(&mut self, told: Told, bearer: Result<Bearer, i32>) {
        let refusal = |bearer: &Result<Bearer, i32>| bearer.as_ref().err().copied();
        let changed = told != self.told || refusal(&bearer) != refusal(&self.bearer);
        let mut known = self.shared.known();
        if changed {
            known.station = None;
        }
        let age = Duration::from_nanos(crate::now().saturating_sub(known.read_at));
        if changed || known.home.is_none() || age > GOOD_FOR {
            self.shared.look_again.notify_one();
        }
        drop(known);
        // A token that was there once and is refused now tells nothing new of who its user is.
        if bearer.is_ok() || self.bearer.is_err() {
            self.bearer = bearer;
        }
        let locked = told.locked.or(self.told.locked);
        self.told = Told { locked, ..told };
    }

    pub(super) fn place(&mut self, kind: Kind) {
        self.kind = Some(kind);
    }

    /// Whether a program could be started in it now.
    pub(super) fn is_ready(&self) -> bool {
        self.station(&mut self.shared.known()).ready().is_ok()
    }

    /// Resolves once the task has looked at it.
    pub(super) fn looked(&self) -> impl Future<Output = ()> + use<> {
        let mut looked = self.shared.looked.subscribe();
        async move {
            // The sender lives as long as the session; one that is gone is not waited for.
            let _ = looked.wait_for(|looked| *looked).await;
        }
    }

    pub(super) fn describe(&self) -> SessionInfo {
        let mut known = self.shared.known();
        let station = self.station(&mut known);
        let user = station.sid().map(ToString::to_string);
        SessionInfo {
            id: self.told.id.to_string(),
            logon: self.identity.text().to_owned(),
            user: User { name: self.told.user.clone(), id: user.unwrap_or_default() },
            groups: known.groups.clone(),
            administrator: self.bearer.as_ref().ok().map(|bearer| bearer.administrator),
            kind: self.kind.unwrap_or(Kind::Other),
            state: self.told.state(),
            locked: self.told.locked.unwrap_or(false),
            remote: self.kind == Some(Kind::Remote),
            session_type: None,
            greeter: false,
            // The window station of a session is there before its user is.
            environment: true,
            display: true,
            station,
        }
    }

    fn station(&self, known: &mut Known) -> Station {
        if let Some(station) = &known.station {
            return station.clone();
        }
        let user = self.bearer.as_ref().ok().map(|bearer| bearer.user.clone()).or_else(|| known.user.clone());
        let becomes = BecomeUser {
            name: self.told.user.clone(),
            domain: self.told.domain.clone(),
            logon: self.identity.number(),
            home: known.home.clone(),
            elevated: OnceLock::new(),
        };
        let station = Station::of_user(self.told.id, user, becomes, self.bearer.as_ref().err().copied());
        known.station.insert(station).clone()
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Fetches what takes longer, and again whenever asked to. Never ends, but with its session.
async fn learn(shared: Arc<Shared>, told: Told, common: Arc<Common>) -> future::Pending<()> {
    let Told { id, domain, user, .. } = told;
    let mut failing = false;
    loop {
        let (domain, user) = (domain.clone(), user.clone());
        let learned = off_the_loop(&common.homes, move || bearer::learn(id, &domain, &user)).await;
        let groups = match learned {
            Ok(Learned { user, home, groups }) => {
                failing = false;
                take_home(&shared, user, home, &common);
                groups
            }
            Err(error) => {
                // Right after a logon there is no token, and that is said elsewhere.
                if !std::mem::replace(&mut failing, true) {
                    tracing::debug!(session = id, %error, "the user's environment cannot be read yet");
                }
                Vec::new()
            }
        };
        shared.looked.send_replace(true);
        if shared.known().groups.is_empty() && !groups.is_empty() {
            let namer = Arc::clone(&common);
            let names = off_the_loop(&common.groups, move || Ok(namer.names.of_groups(&groups))).await;
            match names {
                Ok(names) => {
                    shared.known().groups = names;
                    common.news.notify_one();
                }
                Err(error) => {
                    tracing::warn!(session = id, %error, "the names of the user's groups are not known yet");
                }
            }
        }
        shared.look_again.notified().await;
    }
}

/// Keeps what was read, and gives a hint if it is new.
fn take_home(shared: &Shared, user: Sid, home: Arc<Home>, common: &Common) {
    let mut known = shared.known();
    known.read_at = crate::now();
    let same = known.home.as_ref() == Some(&home) && known.user.as_ref() == Some(&user);
    if !same {
        (known.user, known.home, known.station) = (Some(user), Some(home), None);
        common.news.notify_one();
    }
}

/// Does something that may take long on a thread of its own, a few at a time. What is given up after the deadline keeps its turn
/// until it really ends, so that a system that does not answer is not asked by ever more threads.
async fn off_the_loop<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "the system did not answer within 30 s");
    let answer = async {
        let turn = Arc::clone(turns).acquire_owned().await.map_err(io::Error::other)?;
        let working = tokio::task::spawn_blocking(move || {
            let answer = work();
            drop(turn);
            answer
        });
        working.await.map_err(io::Error::other)?
    };
    tokio::time::timeout(LEARNED_WITHIN, answer).await.unwrap_or_else(|_| Err(late()))
}
