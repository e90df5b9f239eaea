//! One session of the machine, and what it takes to start programs in it.
//!
//! logind says who and where; the user database, the leader's limits and the user's service manager say the rest. The rest is
//! fetched by one task per session, off the loop's way, which also waits for the leader's death. Whatever it learns it keeps
//! here and gives a hint.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, Semaphore};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use crate::system::account::Account;
use crate::system::cgroup;
use crate::system::environment::{self, Variables};
use crate::system::helper::{self, Unfinished};
use crate::system::leader::Leader;
use crate::system::login::Login;
use crate::system::logind::{Facts, Hints, LogindState};
use crate::system::scope_display::ScopeDisplay;
use crate::system::station::{BecomeUser, Facts as StationFacts, Relaunches};
use crate::{Cause, Hint, Kind, SessionInfo, State, Station, User};

/// How long a new session may take to get its scope, a unit that systemd starts.
const SCOPE_WITHIN: Duration = Duration::from_secs(10);
/// A display shows up a fraction of a second after its session, and nobody tells root.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
/// From here on the next look is at the next enumeration.
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// How soon after a look the next one is made because something happened to the session, which its user can have as often as they
/// like: each look is a process.
const NOTICED_APART: Duration = Duration::from_millis(100);
/// The same because a program was started again.
const RELAUNCHED_APART: Duration = Duration::from_secs(1);
/// How long to wait before the name service is asked again for a user that it does not know yet.
const ACCOUNT_AGAIN_MAX: Duration = Duration::from_secs(30);

/// What tells a logon from another, together with the leader's start time.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    path: String,
    leader: i32,
}

impl Identity {
    pub(super) fn of(facts: &Facts) -> Identity {
        Identity { path: facts.path.clone(), leader: facts.leader }
    }
}

/// A session that is followed; the task ends with it.
pub(super) struct Followed {
    facts: Facts,
    leader: Option<Arc<Leader>>,
    shared: Arc<Shared>,
    task: Option<AbortHandle>,
}

struct Shared {
    known: Mutex<Known>,
    look_again: Notify,
    relaunches: Arc<Relaunches>,
}

/// What is known beyond logind's facts.
struct Known {
    facts: Facts,
    shares_manager: bool,
    account: Option<Account>,
    login: Login,
    /// The scope was there once: if it is not there now, the session is over.
    scope_seen: bool,
    /// Once the user's service manager has answered, or has not in its time.
    variables: Option<Variables>,
    /// Made when asked for, and kept while nothing changes.
    station: Option<Station>,
}

impl Followed {
    /// Begins to follow a session. Needs a runtime.
    pub(super) fn begin(
        facts: Facts,
        shares_manager: bool,
        hints: &Hints,
        readers: &Arc<Semaphore>,
    ) -> Followed {
        // Without a leader the session is over: `describe` says so.
        let leader = Leader::watch(facts.leader).ok().map(Arc::new);
        let known = Known {
            facts: facts.clone(),
            shares_manager,
            account: None,
            login: Login::of(facts.leader, facts.uid),
            scope_seen: false,
            variables: None,
            station: None,
        };
        let shared = Arc::new(Shared {
            known: Mutex::new(known),
            look_again: Notify::new(),
            relaunches: Arc::default(),
        });
        let task = leader.clone().map(|leader| {
            let learning =
                learn(Arc::clone(&shared), Arc::clone(&leader), hints.clone(), Arc::clone(readers));
            let hints = hints.clone();
            let task = async move {
                tokio::select! {
                    () = leader.death() => {}
                    () = learning => {}
                }
                hints.raise(Hint::Sessions);
            };
            tokio::spawn(task).abort_handle()
        });
        Followed { facts, leader, shared, task }
    }

    /// Whether the leader's pid still means the leader that was found first. logind may list a session whose leader has died
    /// while its pid belongs to another by now; that is the same logon, in its end.
    pub(super) fn is_same_logon(&self) -> bool {
        self.leader.is_some() || !Leader::watch(self.facts.leader).is_ok_and(|found| !found.is_dead())
    }

    /// Takes what logind says now. Only what the environment is made of makes it read again: a user can lock and unlock as fast
    /// as they like, and each reading is a process.
    pub(super) fn learn(&mut self, facts: Facts, shares_manager: bool, again: bool) {
        let mut known = self.shared.known();
        let changed = facts.differs_beyond_state(&self.facts) || known.shares_manager != shares_manager;
        known.facts = facts.clone();
        if changed {
            known.shares_manager = shares_manager;
            known.station = None;
        }
        if changed || again || !known.display() {
            self.shared.look_again.notify_one();
        }
        drop(known);
        self.facts = facts;
    }

    pub(super) fn describe(&self) -> SessionInfo {
        let facts = &self.facts;
        let mut known = self.shared.known();
        let start = self.leader.as_ref().map_or(0, |leader| leader.start());
        SessionInfo {
            id: facts.id.clone(),
            logon: format!("{}:{}:{start}", facts.path, facts.leader),
            user: User { name: facts.user.clone(), id: facts.uid.to_string() },
            groups: known.account.as_ref().map(|account| account.groups.clone()).unwrap_or_default(),
            administrator: None,
            kind: match facts.seat.as_str() {
                _ if facts.remote => Kind::Remote,
                "seat0" => Kind::Console,
                _ => Kind::Other,
            },
            state: self.state(&mut known),
            locked: facts.locked,
            remote: facts.remote,
            session_type: Some(facts.session_type.clone()),
            greeter: facts.is_greeter(),
            environment: known.environment(),
            display: known.display(),
            station: known.station(self.leader.as_ref(), &self.shared.relaunches),
        }
    }

    /// The end of a session is the earliest of: its leader dead, its scope gone, logind calls it closing.
    fn state(&self, known: &mut Known) -> State {
        let alive = self.leader.as_ref().is_some_and(|leader| !leader.is_dead());
        let scope_is_there = scope_of(&self.facts).is_none_or(|scope| scope.is_dir());
        let scope_is_gone = known.scope_seen && !scope_is_there;
        known.scope_seen |= scope_is_there;
        match self.facts.state {
            _ if !alive || scope_is_gone => State::Closing,
            LogindState::Closing => State::Closing,
            LogindState::Active => State::Active,
            LogindState::Online => State::Inactive,
        }
    }
}

impl Drop for Followed {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

impl Shared {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn environment(&self) -> bool {
        self.account.is_some() && self.variables.is_some()
    }

    fn display(&self) -> bool {
        let shown = |variables| !self.facts.is_graphical() || environment::has_display(variables);
        self.variables.as_ref().is_some_and(shown)
    }

    fn station(&mut self, leader: Option<&Arc<Leader>>, relaunches: &Arc<Relaunches>) -> Station {
        if let Some(station) = &self.station {
            return station.clone();
        }
        let scope = scope_of(&self.facts);
        let station = Station::new(StationFacts {
            user: self.facts.user.clone(),
            uid: self.facts.uid,
            gid: self.account.as_ref().map_or(self.facts.uid, |account| account.gid),
            become_user: Some(BecomeUser {
                groups: self.account.as_ref().map(|account| account.gids.clone()).unwrap_or_default(),
                login: self.login.clone(),
                leader: leader.cloned(),
            }),
            environment: Arc::new(self.variables.as_ref().map(environment::listed).unwrap_or_default()),
            environment_known: self.environment(),
            has_memory_rules: scope.as_deref().is_some_and(cgroup::has_memory_rules),
            scope,
            relaunches: Some(Arc::clone(relaunches)),
        });
        self.station = Some(station.clone());
        station
    }
}

/// Fetches what logind does not say; again whenever asked to. Ends never, but with its session.
async fn learn(shared: Arc<Shared>, leader: Arc<Leader>, hints: Hints, readers: Arc<Semaphore>) {
    let uid = shared.known().facts.uid;
    // Both take some milliseconds of a logon.
    let ((), account) = tokio::join!(wait_for_scope(&shared), look_up(uid));
    shared.known().account = Some(account.clone());
    let mut manager = Variables::new();
    let mut unanswered = None;
    let unfinished = Unfinished::default();
    let mut display_of_scope = ScopeDisplay::default();
    let mut wait = AGAIN_FIRST;
    loop {
        // Closed never: it lives as long as this task holds it.
        let turn = readers.acquire().await;
        let looked = Instant::now();
        match ask_manager(&shared, &account, &leader, &unfinished).await {
            Ok(answer) => {
                manager = answer;
                unanswered = None;
            }
            // What it said before still stands.
            Err(error) => {
                let why = error.to_string();
                if unanswered.as_ref() != Some(&why) {
                    say_unanswered(&shared, &account, &why);
                }
                unanswered = Some(why);
            }
        }
        drop(turn);
        let variables = complete(&shared, &account, &manager, &mut display_of_scope).await;
        let display = {
            let mut known = shared.known();
            // PAM's modules are run one after another, and logind's is not the last.
            let login = Login::of(known.facts.leader, uid);
            if known.variables.as_ref() != Some(&variables) || known.login != login {
                known.variables = Some(variables);
                known.login = login;
                known.station = None;
                hints.raise(Hint::Sessions);
            }
            known.display()
        };
        if display || wait > AGAIN_MAX {
            reason_to_look_again(&shared, looked).await;
            if display {
                wait = AGAIN_FIRST;
            }
        } else {
            tokio::time::sleep(wait).await;
            wait += wait / 2;
        }
    }
}

/// Where a display is, often only the user's service manager knows; other sessions miss little without it.
fn say_unanswered(shared: &Shared, account: &Account, why: &str) {
    let facts = &shared.known().facts;
    let (user, session) = (&account.name, &facts.id);
    let without = "its agents do without what it knows of the environment";
    if facts.is_graphical() {
        tracing::warn!(%user, %session, "the user's service manager does not say its environment: {why}; {without}");
    } else {
        tracing::debug!(%user, %session, "the user's service manager does not say its environment: {why}; {without}");
    }
}

/// Something happened to the session, or a program was started in it again: the program may have died of an environment that is
/// out of date, as with a compositor that was started anew and has another display.
async fn reason_to_look_again(shared: &Shared, looked: Instant) {
    let relaunched = async {
        shared.relaunches.next().await;
        tokio::time::sleep_until(looked + RELAUNCHED_APART).await;
    };
    let noticed = async {
        shared.look_again.notified().await;
        tokio::time::sleep_until(looked + NOTICED_APART).await;
    };
    tokio::select! {
        () = noticed => {}
        () = relaunched => {}
    }
}

/// logind announces a session before its scope is there, and does not say when it is.
async fn wait_for_scope(shared: &Shared) {
    let Some(scope) = scope_of(&shared.known().facts) else { return };
    let mut wait = Duration::from_millis(1);
    while !scope.is_dir() && wait < SCOPE_WITHIN {
        tokio::time::sleep(wait).await;
        wait *= 2;
    }
}

async fn look_up(uid: u32) -> Account {
    let mut wait = AGAIN_FIRST;
    loop {
        match Account::look_up(uid).await {
            Ok(account) => return account,
            Err(error) => {
                tracing::warn!(uid, %error, "cannot look up a user who has logged on; trying again");
            }
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(ACCOUNT_AGAIN_MAX);
    }
}

/// The environment of the user's service manager.
async fn ask_manager(
    shared: &Shared,
    account: &Account,
    leader: &Arc<Leader>,
    unfinished: &Unfinished,
) -> Result<Variables, Cause> {
    let (login, scope) = {
        let known = shared.known();
        (known.login.clone(), scope_of(&known.facts))
    };
    let errand = Station::new(StationFacts {
        user: account.name.clone(),
        uid: account.uid,
        gid: account.gid,
        become_user: Some(BecomeUser {
            groups: account.gids.clone(),
            login,
            leader: Some(Arc::clone(leader)),
        }),
        environment: Arc::new(environment::listed(&environment::of_account(account))),
        environment_known: true,
        scope,
        has_memory_rules: false,
        relaunches: None,
    });
    helper::manager_environment(&errand, unfinished).await
}

/// All of the environment.
async fn complete(
    shared: &Shared,
    account: &Account,
    manager: &Variables,
    display: &mut ScopeDisplay,
) -> Variables {
    let (facts, shares_manager) = {
        let known = shared.known();
        (known.facts.clone(), known.shares_manager)
    };
    let scope = scope_of(&facts).filter(|_| environment::lacks_display(manager, shares_manager));
    let seen = match &scope {
        Some(scope) => display.seen(scope).await,
        None => Variables::new(),
    };
    environment::compose(account, manager, &facts, &seen, shares_manager)
}

/// The control group of a session's scope, systemd.special(7); `None` without the unified hierarchy.
fn scope_of(facts: &Facts) -> Option<PathBuf> {
    let unified = cgroup::is_unified() && !facts.scope.is_empty();
    unified.then(|| cgroup::folder_of(&format!("user.slice/user-{}.slice/{}", facts.uid, facts.scope)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::logind::sample;

    #[tokio::test]
    async fn looks_are_apart_whatever_happens_to_the_session() {
        let (facts, variables, station) = (sample(), None, None);
        let known = Known {
            facts,
            shares_manager: false,
            account: None,
            login: Login::default(),
            scope_seen: false,
            variables,
            station,
        };
        let shared =
            Shared { known: Mutex::new(known), look_again: Notify::new(), relaunches: Arc::default() };
        let looked = Instant::now();
        shared.look_again.notify_one();
        reason_to_look_again(&shared, looked).await;
        assert!(looked.elapsed() >= NOTICED_APART);
        // One that comes later is not held up.
        shared.look_again.notify_one();
        assert!(tokio::time::timeout(Duration::ZERO, reason_to_look_again(&shared, looked)).await.is_ok());
    }
}
