//! Where a process can be started: a user in a session.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use windows_sys::Win32::System::RemoteDesktop::ProcessIdToSessionId;

use super::credentials::{self, Credentials, Desktop, PrimaryToken};
use super::environment::{self, Variables};
use super::handle::succeeded;
use super::sid::Sid;
use super::token::{Token, own_sid};
use super::{logon, profile, shell};
use crate::{Command, LaunchError, LaunchErrorKind, ProcessRecord, TokenSource, User};

/// How long a domain may take to log on an account before it is asked again another time.
const LOGGED_ON_WITHIN: Duration = Duration::from_secs(30);

/// All that is needed to start a process in a session, as its user. Cheap to clone; does not change: an enumeration brings a
/// new one where something has.
#[derive(Clone)]
pub struct Station {
    facts: Arc<Facts>,
}

/// What a station is made of.
struct Facts {
    session: u32,
    user: Option<Sid>,
    /// What is started here is what this program is, unless it becomes another.
    becomes: Becomes,
    /// Why the user's token could not be had when the session was looked at.
    no_token: Option<i32>,
}

/// What a program becomes that is started here.
enum Becomes {
    /// What this program is.
    Itself,
    /// A user, in one of their sessions.
    User(BecomeUser),
    /// An account that was logged on for something of the machine's. The token is the logon: it ends when nobody has it any more.
    Account { name: String, token: Token, home: Home },
}

/// What it takes to be a user in one of their sessions.
pub(super) struct BecomeUser {
    /// The user's name and its domain, which may be the machine.
    pub(super) name: String,
    pub(super) domain: String,
    /// The number of the logon: the session can be somebody else's by the time of a launch. `None`: no token said it yet.
    pub(super) logon: Option<u64>,
    /// Held, so that a restart asks nobody. `None`: not known yet.
    pub(super) home: Option<Arc<Home>>,
    /// The environment for programs with all rights, made when one is started.
    pub(super) elevated: OnceLock<Variables>,
}

/// What Windows keeps for a user, as it was when it was read.
#[derive(PartialEq, Eq)]
pub(super) struct Home {
    pub(super) environment: Variables,
    pub(super) profile: PathBuf,
}

impl Station {
    /// This program's own user, session and environment.
    pub fn own() -> Station {
        let session = session_of(std::process::id()).expect("a process may always ask for its own session");
        let facts =
            Facts { session, user: Some(own_sid().clone()), becomes: Becomes::Itself, no_token: None };
        Station { facts: Arc::new(facts) }
    }

    /// An account that something of the machine's runs as, as [`check_worker_account`](super::check_worker_account) lets it pass:
    /// nobody needs to be logged on. `service` is the service's name. What is started here is in this program's own session, where
    /// there is no desktop. Needs a runtime; the account is logged on aside, since a domain may have to be asked.
    ///
    /// # Errors
    ///
    /// `NotReady`: there is no such account now. `Busy`: the domain did not say. `Wrong`: this program may not log it on.
    pub async fn of_account(name: &str, service: &str) -> Result<Station, LaunchError> {
        let (account, service) = (name.to_owned(), service.to_owned());
        let logged_on = tokio::task::spawn_blocking(move || {
            let Some((token, user)) = logon::of_worker(&account, &service)? else {
                return Ok(Station::own());
            };
            let session = Station::own().session();
            let home = logon::home_of(&token).map_err(|error| logon::refused(&account, error))?;
            let becomes = Becomes::Account { name: account, token, home };
            let facts = Facts { session, user: Some(user), becomes, no_token: None };
            Ok(Station { facts: Arc::new(facts) })
        });
        match tokio::time::timeout(LOGGED_ON_WITHIN, logged_on).await {
            Ok(done) => done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())),
            // A logon that is over later is given back with its token, which nobody takes.
            Err(_) => Err(logon::refused(name, io::ErrorKind::TimedOut.into())),
        }
    }

    /// Whose processes run here.
    pub fn user(&self) -> User {
        let id = self.facts.user.as_ref().map_or_else(String::new, Sid::to_string);
        let name = match &self.facts.becomes {
            Becomes::Itself => std::env::var("USERNAME").unwrap_or_else(|_| id.clone()),
            Becomes::User(user) => user.name.clone(),
            Becomes::Account { name, .. } => name.clone(),
        };
        User { name, id }
    }

    /// The user's name with its domain, `DOMAIN\name`; empty where it is not known.
    pub fn account(&self) -> String {
        match &self.facts.becomes {
            Becomes::User(user) => format!(r"{}\{}", user.domain, user.name),
            Becomes::Itself => std::env::var("USERDOMAIN")
                .map_or_else(|_| String::new(), |domain| format!(r"{domain}\{}", self.user().name)),
            Becomes::Account { .. } => String::new(),
        }
    }

    /// What an earlier life of this program left here of launches whose names begin like this: the rest of each name, and what
    /// ends it. As far as the system can list them, which Windows cannot: a launch finds the job of its own name.
    pub fn leftovers(&self, _prefix: &str) -> Vec<(String, ProcessRecord)> {
        Vec::new()
    }

    /// A user in a session. `no_token` is why there is no token, where there is none.
    pub(super) fn of_user(
        session: u32,
        user: Option<Sid>,
        becomes: BecomeUser,
        no_token: Option<i32>,
    ) -> Station {
        Station { facts: Arc::new(Facts { session, user, becomes: Becomes::User(becomes), no_token }) }
    }

    /// Whether enough is known to prepare a launch. Asks nobody.
    ///
    /// # Errors
    ///
    /// `NotReady`: the session's token, or the environment of its user, is not there yet. Other kinds: the token was refused.
    pub fn ready(&self) -> Result<(), LaunchError> {
        let Becomes::User(becomes) = &self.facts.becomes else { return Ok(()) };
        match (&self.facts.user, self.facts.no_token) {
            (Some(_), _) if becomes.home.is_some() => Ok(()),
            (None, Some(code)) => {
                Err(credentials::no_token(&self.name(), io::Error::from_raw_os_error(code)))
            }
            _ => Err(self.refused(LaunchErrorKind::NotReady, "the environment of the user is not known yet")),
        }
    }

    /// What a command is started with here: `None` at this program's own station, where it is a child like any other.
    ///
    /// Asks the system for the token, which takes about a tenth of a millisecond, and makes sure that it is that of the logon
    /// which this station stands for. The rest is known already.
    ///
    /// # Errors
    ///
    /// `NotReady`, `Gone` where the session is somebody else's by now, `Wrong` where this program is not LocalSystem.
    pub(super) fn credentials(&self, command: &Command) -> Result<Option<Credentials>, LaunchError> {
        let refused = |error| credentials::no_token(&self.name(), error);
        let becomes = match &self.facts.becomes {
            Becomes::Itself => return Ok(None),
            Becomes::Account { token, home, .. } => {
                let token = PrimaryToken::from_token(token).map_err(refused)?;
                return Ok(Some(Credentials {
                    token,
                    environment: home.environment.clone(),
                    profile: home.profile.clone(),
                    desktop: Desktop::None,
                }));
            }
            Becomes::User(becomes) => becomes,
        };
        self.ready()?;
        let token = self.token(becomes, command.token)?;
        let (token, elevated) = credentials::elevate(token, command.elevation).map_err(refused)?;
        let user = token.user().map_err(refused)?;
        if Some(&user) != self.facts.user.as_ref() {
            return Err(self.refused(LaunchErrorKind::Gone, "the session belongs to another user by now"));
        }
        let home = becomes.home.as_ref().expect("a station that is ready knows it");
        let environment = match becomes.elevated.get() {
            _ if !elevated => home.environment.clone(),
            Some(environment) => environment.clone(),
            None => {
                let system = profile::system_environment().map_err(refused)?;
                let profile = home.profile.to_string_lossy();
                let made = environment::elevated(system, &becomes.domain, &becomes.name, &profile);
                becomes.elevated.get_or_init(|| made).clone()
            }
        };
        let token = PrimaryToken::from_token(&token).map_err(refused)?;
        let (profile, desktop) = (home.profile.clone(), Desktop::Interactive);
        Ok(Some(Credentials { token, environment, profile, desktop }))
    }

    /// The session's token, which is that of the logon and never this service's own.
    fn token(&self, becomes: &BecomeUser, from: TokenSource) -> Result<Token, LaunchError> {
        let refused = |error| credentials::no_token(&self.name(), error);
        let token = match (Token::of_session(self.session()), from) {
            (Ok(token), _) => token,
            (Err(error), TokenSource::Session) => return Err(refused(error)),
            // The first answer is the one that people can do something about.
            (Err(error), TokenSource::Shell) => {
                let is_the_user = |found: &Sid| Some(found) == self.sid();
                return shell::token_of(self.session(), is_the_user).map_err(|_| refused(error));
            }
        };
        let (user, logon) = (token.user().map_err(refused)?, token.logon().map_err(refused)?);
        if user.is_local_system() {
            let advice = "it is that of the system itself, which no agent is given";
            return Err(self.refused(LaunchErrorKind::Wrong, advice));
        }
        if Some(&user) != self.sid() || becomes.logon.is_some_and(|known| known != logon) {
            return Err(self.refused(LaunchErrorKind::Gone, "the session belongs to another logon by now"));
        }
        Ok(token)
    }

    /// Its user's identifier; `None` until a token has said it.
    pub(super) fn sid(&self) -> Option<&Sid> {
        self.facts.user.as_ref()
    }

    pub(super) fn session(&self) -> u32 {
        self.facts.session
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        match &self.facts.becomes {
            Becomes::Itself => format!("session {}", self.facts.session),
            Becomes::User(becomes) => format!("session {} ({})", self.facts.session, becomes.name),
            Becomes::Account { name, .. } => format!("the account {name}"),
        }
    }

    fn refused(&self, kind: LaunchErrorKind, advice: &str) -> LaunchError {
        LaunchError::refused("start a program in", self.name(), kind, advice)
    }
}

/// Without the environment: it may hold secrets.
impl fmt::Debug for Station {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Station")
            .field("session", &self.facts.session)
            .field("user", &self.facts.user)
            .finish_non_exhaustive()
    }
}

/// The session that a process is in.
pub(super) fn session_of(pid: u32) -> io::Result<u32> {
    let mut session = 0;
    // SAFETY: `session` is ours to be written.
    succeeded(unsafe { ProcessIdToSessionId(pid, &mut session) })?;
    Ok(session)
}
