//! Workers: what the service runs for the machine, and in no session.
//!
//! Who a worker is, is asked anew at every launch, aside from the loop: an account can be made after the service, changed, and
//! removed. What is known since is kept here, as the facts of a session are kept in its seat.

use bilayer_core::{Event, Failure, FailureKind, InstanceKey, SpecId};
use bilayer_ipc::control::ServiceMode;
use bilayer_platform::{LaunchError, Station, User};

use super::doors::Endpoint;
use super::launch::Failed;
use super::news::News;
use super::{Driver, adopt};
use crate::state::MACHINE;

/// Where a worker is: its account, and the endpoint of the account's own that it finds the service at.
pub(super) struct Post {
    /// Whom it runs as; the name that the configuration has, with no id, until the account was found.
    pub(super) user: User,
    /// `None`: the account was not found yet in this life of the service.
    pub(super) station: Option<Station>,
    pub(super) endpoint: Option<Endpoint>,
    /// The account is being looked for, so that a worker that was taken over can be listened for.
    asked: bool,
}

impl Post {
    pub(super) fn of(user: User) -> Self {
        Self { user, station: None, endpoint: None, asked: false }
    }
}

/// An account that was looked for, by the name that the configuration had.
pub(super) struct Sought {
    account: String,
    found: Result<Station, LaunchError>,
}

/// What an account is looked for to do.
pub(super) enum Errand {
    /// To start this generation of the worker.
    Launch(u32),
    /// To listen for one that was taken over.
    Listen,
}

impl Driver {
    /// Looks for the account of a worker; the answer comes as news. In a console there is only one.
    pub(super) fn find_account(&mut self, instance: InstanceKey, errand: Errand) {
        let Some(worker) = self.workers.get(&instance.spec) else {
            return self.hear_account(instance, errand, Err(Failed::gone("it is not configured any more")));
        };
        if self.mode == ServiceMode::Console {
            return self.hear_account(instance, errand, Ok(Station::own()));
        }
        let Some(account) = worker.account.clone() else {
            let why =
                "no `account` is named for it, and none is assumed by a service of the machine; name one";
            return self.hear_account(instance, errand, Err(Failed::wrong(why)));
        };
        let unknown = || Post::of(User { name: String::new(), id: String::new() });
        let post = self.posts.entry(instance.spec).or_insert_with(unknown);
        post.user.name.clone_from(&account);
        let (service, news) = (self.config.service.name.clone(), self.news.clone());
        tokio::spawn(async move {
            let found = Station::of_account(&account, &service).await;
            // A service that has ended has no workers.
            let _ = news.send(News::Account(instance, errand, Box::new(Sought { account, found }))).await;
        });
    }

    /// An account was looked for. While that lasted, the configuration can have named another one: nothing is started as who it
    /// was not meant for.
    pub(super) fn hear_sought(&mut self, instance: InstanceKey, errand: Errand, sought: Sought) {
        let named = self.workers.get(&instance.spec).and_then(|worker| worker.account.as_ref());
        let found = match sought.found {
            Ok(_) if named != Some(&sought.account) => {
                Err(Failed::busy(format!("it is no longer to run as {}", sought.account)))
            }
            found => found.map_err(Failed::from),
        };
        self.hear_account(instance, errand, found);
    }

    /// The account was found, or was not, and what it was looked for can be done.
    fn hear_account(&mut self, instance: InstanceKey, errand: Errand, found: Result<Station, Failed>) {
        match (errand, found) {
            // Somebody stopped it meanwhile, or the service ends: a process would be started for nothing.
            (Errand::Launch(generation), _) if !self.core.wants_launch(instance, generation) => {
                let gone = Failure { kind: FailureKind::Gone, os_error: 0 };
                self.pending.push_back(Event::LaunchFailed(instance, generation, gone));
            }
            (Errand::Launch(generation), Ok(station)) => {
                self.take_post(instance.spec, station);
                self.launch_ready(instance, generation);
            }
            (Errand::Launch(generation), Err(failed)) => self.launch_failed(instance, generation, failed),
            (Errand::Listen, found) => self.listen_at_post(instance, found),
        }
    }

    /// Notes who a worker is from its next launch on. An account of another id, though of the same name, has another endpoint.
    fn take_post(&mut self, spec: SpecId, station: Station) {
        let user = station.user();
        let post = self.posts.entry(spec).or_insert_with(|| Post::of(user.clone()));
        if post.user.id != user.id {
            post.endpoint = None;
        }
        (post.user, post.station) = (user, Some(station));
    }

    /// Listens for a worker that was taken over, if its account is the one that it was launched with.
    fn listen_at_post(&mut self, instance: InstanceKey, found: Result<Station, Failed>) {
        let Some(post) = self.posts.get_mut(&instance.spec).filter(|post| post.station.is_none()) else {
            return;
        };
        let why = match found {
            Ok(station) if station.user().id == post.user.id => {
                post.station = Some(station);
                return self.listen_again();
            }
            // Asked no more: the worker stays who it is for as long as it lives.
            Ok(_) => format!("the account {} has another id by now", post.user.name),
            Err(failed) => {
                post.asked = false;
                failed.text
            }
        };
        let agent = self.name_of(instance);
        tracing::warn!(%agent, "the worker cannot connect again yet: {why}");
    }

    /// Looks for the accounts of workers that were taken over and whose accounts are not known yet.
    pub(super) fn find_accounts_again(&mut self) {
        let machine = self.runs.iter().map(|(key, _)| key).filter(|key| key.logon.is_machine());
        for instance in machine.collect::<Vec<_>>() {
            let Some(post) = self.posts.get_mut(&instance.spec) else { continue };
            if post.station.is_none() && !std::mem::replace(&mut post.asked, true) {
                self.find_account(instance, Errand::Listen);
            }
        }
    }

    /// Ends what earlier lives left of workers and was not taken over. Before the first worker is started.
    pub(super) fn clear_machine(&self) {
        for (rest, left) in Station::own().leftovers(&self.group_of("")) {
            let mut parts = rest.split('.');
            let agent = parts.next().unwrap_or_default();
            if parts.next().is_some_and(|place| place != MACHINE) || self.is_kept(&left) {
                continue;
            }
            let leaves = !self.keeps() && self.leaves_survivors(agent);
            adopt::end_and_say(&left, leaves, agent, "");
        }
    }

    /// Whether the configuration has a worker of this name.
    pub(super) fn is_worker(&self, name: &str) -> bool {
        self.config.workers.iter().any(|worker| worker.name == name)
    }
}
