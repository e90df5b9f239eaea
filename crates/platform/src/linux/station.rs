//! Where a process can be started: a user in a session.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{getegid, geteuid};
use tokio::sync::Notify;

use super::account::Account;
use super::environment;
use super::leader::Leader;
use super::login::Login;
use super::{cgroup, is_privileged, keep};
use crate::{LaunchError, LaunchErrorKind, ProcessRecord, User};

/// All that is needed to start a process in a session, as its user. Cheap to clone; does not change: an enumeration brings a
/// new one where something has.
#[derive(Clone)]
pub struct Station {
    facts: Arc<Facts>,
}

/// What a station is made of.
pub(crate) struct Facts {
    pub(crate) user: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// What becomes of a process that is started here; `None`: it stays what this process is.
    pub(crate) become_user: Option<BecomeUser>,
    /// In order of names, each once. Held, so that a restart asks nobody.
    pub(crate) environment: Arc<Vec<(OsString, OsString)>>,
    /// Whether the environment is complete: the user's service manager answered, or will not.
    pub(crate) environment_known: bool,
    /// The control group below which instances are born; `None`: they are told by process group and descent.
    pub(crate) scope: Option<PathBuf>,
    /// Whether memory can run out there alone, or the kernel then kills all that lives there at once.
    pub(crate) has_memory_rules: bool,
    /// Whom it interests that a program was started here again.
    pub(crate) relaunches: Option<Arc<Relaunches>>,
}

/// Programs that are started at a station after the first one.
#[derive(Default)]
pub(crate) struct Relaunches {
    launched: AtomicBool,
    again: Notify,
}

impl Relaunches {
    /// Resolves at the next one, or at once if there was one since the last time.
    pub(crate) async fn next(&self) {
        self.again.notified().await;
    }
}

/// What it takes to be a user in one of their sessions.
pub(crate) struct BecomeUser {
    pub(crate) groups: Vec<u32>,
    pub(crate) login: Login,
    pub(crate) leader: Option<Arc<Leader>>,
}

impl Station {
    pub(crate) fn new(facts: Facts) -> Station {
        Station { facts: Arc::new(facts) }
    }

    /// This program's own user, session and environment.
    pub fn own() -> Station {
        let (uid, gid) = (geteuid().as_raw(), getegid().as_raw());
        let mut environment: Vec<_> = std::env::vars_os().collect();
        // Of a variable that is there twice getenv(3) finds the first.
        environment.sort_by(|(a, _), (b, _)| a.cmp(b));
        environment.dedup_by(|(later, _), (first, _)| later == first);
        let value_of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Station::new(Facts {
            user: value_of("USER").or_else(|| value_of("LOGNAME")).unwrap_or_else(|| format!("uid {uid}")),
            uid,
            gid,
            become_user: None,
            environment: Arc::new(environment),
            environment_known: true,
            scope: cgroup::own_delegated(),
            has_memory_rules: false,
            relaunches: None,
        })
    }

    /// This program's own user and place, for its own errands: without its environment, which may hold secrets, but for where
    /// the loader finds its libraries (ld.so(8)).
    pub(super) fn for_errands() -> Station {
        let libraries = "LD_LIBRARY_PATH";
        let environment = std::env::var_os(libraries).map(|folders| (libraries.into(), folders));
        Station::new(Facts {
            user: String::new(),
            uid: geteuid().as_raw(),
            gid: getegid().as_raw(),
            become_user: None,
            environment: Arc::new(environment.into_iter().collect()),
            environment_known: true,
            scope: None,
            has_memory_rules: false,
            relaunches: None,
        })
    }

    /// A user without a session: only what the user database says of them. What is started here belongs to no session and is
    /// not ended by any logoff. `NotFound`: there is no user with this uid. Needs a runtime, and privilege to be of use.
    pub async fn of_user(uid: u32) -> io::Result<Station> {
        let account = Account::look_up(uid).await?;
        Ok(Station::new(Facts {
            user: account.name.clone(),
            uid,
            gid: account.gid,
            become_user: Some(BecomeUser {
                groups: account.gids.clone(),
                login: Login::default(),
                leader: None,
            }),
            environment: Arc::new(environment::listed(&environment::of_account(&account))),
            environment_known: true,
            scope: None,
            has_memory_rules: false,
            relaunches: None,
        }))
    }

    /// An account that something of the machine's runs as, by name or uid: nobody needs to be logged on. What is started here lives
    /// below this program's own control group, has of the environment what the user database says, and cannot become more than
    /// its account is. Needs a runtime; asks the name service, aside.
    ///
    /// # Errors
    ///
    /// `NotReady`: there is no such account now. `Busy`: the name service did not say. `Wrong`: this program may not become it.
    pub async fn of_account(name: &str, _service: &str) -> Result<Station, LaunchError> {
        let account = Account::find(name).await.map_err(|source| no_account(name, source))?;
        let becomes_other = is_privileged();
        if !becomes_other && account.uid != geteuid().as_raw() {
            let advice =
                "only root can; run the service as root, or the worker under the service's own account";
            return Err(LaunchError::refused("become the account", name, LaunchErrorKind::Wrong, advice));
        }
        Ok(Station::new(Facts {
            user: account.name.clone(),
            uid: account.uid,
            gid: account.gid,
            become_user: becomes_other.then(|| BecomeUser {
                groups: account.gids.clone(),
                // There is nothing that root could gain, and what it lets go of before it executes its program it must have back.
                login: Login { no_new_privileges: account.uid != 0, ..Login::default() },
                leader: None,
            }),
            environment: Arc::new(environment::listed(&environment::of_worker(&account))),
            environment_known: true,
            scope: cgroup::own_delegated(),
            has_memory_rules: false,
            relaunches: None,
        }))
    }

    /// The user's name with its domain, which Linux has not.
    pub fn account(&self) -> String {
        String::new()
    }

    /// Whose processes run here.
    pub fn user(&self) -> User {
        User { name: self.facts.user.clone(), id: self.facts.uid.to_string() }
    }

    /// What an earlier life of this program left here of launches whose names begin like this: the rest of each name, and what
    /// ends it. Where there are no control groups, the rest goes on with a dot and what else the launch was marked with.
    pub fn leftovers(&self, prefix: &str) -> Vec<(String, ProcessRecord)> {
        let Some(scope) = &self.facts.scope else { return keep::marked_with(prefix) };
        let found = cgroup::below(scope, prefix).into_iter();
        found.map(|name| (name[prefix.len()..].to_owned(), keep::of_group(&scope.join(&name)))).collect()
    }

    /// Whether enough is known for a launch. Asks nobody.
    ///
    /// # Errors
    ///
    /// `NotReady`: the environment of its session is not known yet.
    pub fn ready(&self) -> Result<(), LaunchError> {
        if self.facts.environment_known {
            return Ok(());
        }
        let advice = "the environment of their session is not known yet";
        let user = self.facts.user.clone();
        Err(LaunchError::refused("start a program for", user, LaunchErrorKind::NotReady, advice))
    }

    /// A program was started here.
    pub(crate) fn note_launch(&self) {
        if let Some(relaunches) = &self.facts.relaunches
            && relaunches.launched.swap(true, Ordering::Relaxed)
        {
            relaunches.again.notify_one();
        }
    }

    pub(crate) fn facts(&self) -> &Facts {
        &self.facts
    }

    pub(crate) fn uid(&self) -> u32 {
        self.facts.uid
    }
}

#[cfg(test)]
impl Station {
    /// Where this program becomes what it is already, with what else a test has there. Only root may become anybody.
    pub(crate) fn to_become_ourselves(with: impl FnOnce(&mut Facts)) -> Station {
        let own = Station::own();
        let groups = rustix::process::getgroups().unwrap_or_default();
        let mut facts = Facts {
            user: "root".into(),
            uid: own.uid(),
            gid: own.facts().gid,
            become_user: Some(BecomeUser {
                groups: groups.into_iter().map(|gid| gid.as_raw()).collect(),
                login: Login::default(),
                leader: None,
            }),
            environment: Arc::clone(&own.facts().environment),
            environment_known: true,
            scope: None,
            has_memory_rules: false,
            relaunches: None,
        };
        with(&mut facts);
        Station::new(facts)
    }
}

fn no_account(name: &str, source: io::Error) -> LaunchError {
    match source.kind() {
        io::ErrorKind::NotFound => {
            let advice = "there is none of this name; make it (useradd --system), or change `account`";
            LaunchError::refused("find the account", name, LaunchErrorKind::NotReady, advice)
        }
        _ => LaunchError::system("ask the name service for the account", name, LaunchErrorKind::Busy, source),
    }
}

/// Without the environment: it may hold secrets.
impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Facts { user, uid, scope, .. } = &*self.facts;
        f.debug_struct("Station")
            .field("user", user)
            .field("uid", uid)
            .field("scope", scope)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_has_nothing_of_the_services_environment() {
        let (own, errand) = (Station::own(), Station::for_errands());
        assert!(own.facts().environment.iter().any(|(name, _)| name == "PATH"));
        assert!(errand.facts().environment.iter().all(|(name, _)| name == "LD_LIBRARY_PATH"));
    }
}
