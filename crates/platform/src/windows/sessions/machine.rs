//! Every session of the machine, as terminal services track them.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until, timeout};

use super::bearer::{self, Bearer};
use super::facts::{self, Identity, Told};
use super::followed::{Common, Followed};
use super::query;
use crate::{Error, Hint, SessionInfo};

/// How long terminal services may take to answer. Right after a boot they may not even run.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
/// How long an enumeration waits for the environment of sessions that it shows first, so that it shows them complete.
const COMPLETE_WITHIN: Duration = Duration::from_millis(500);
/// A token is ready a fraction of a second after its session, and nobody tells services.
const AGAIN_FIRST: Duration = Duration::from_millis(100);
/// From here on the next look is at the next enumeration.
const AGAIN_MAX: Duration = Duration::from_secs(5);

/// The sessions, and what is known about each.
pub(super) struct Machine {
    common: Arc<Common>,
    /// By session number: it is used again, but not by two at a time.
    followed: HashMap<u32, Followed>,
    /// A question that terminal services have not answered in their time. They are not asked another before.
    asked: Option<JoinHandle<io::Result<Vec<Seen>>>>,
    again: Again,
}

/// A session with a user, and the user.
struct Seen {
    told: Told,
    /// Whether the others of the list matter to it only: it has no user, or is none.
    is_a_persons: bool,
    bearer: Result<Bearer, i32>,
}

impl Machine {
    pub(super) fn open() -> Machine {
        Machine {
            common: Arc::new(Common::new()),
            followed: HashMap::new(),
            asked: None,
            again: Again::default(),
        }
    }

    /// Only what was found out here: the service manager tells of all else.
    pub(super) async fn hint(&mut self) -> Hint {
        tokio::select! {
            () = self.common.news.notified() => {}
            () = self.again.is_due() => {}
        }
        Hint::Sessions
    }

    pub(super) async fn enumerate(&mut self) -> Result<Vec<SessionInfo>, Error> {
        let seen = self.ask().await.map_err(|source| Error::Tracking {
            action: "list the sessions of the machine".into(),
            source: source.into(),
        })?;
        let told: Vec<Told> = seen.iter().map(|seen| seen.told.clone()).collect();
        let mut before = std::mem::take(&mut self.followed);
        let mut order = Vec::with_capacity(seen.len());
        let mut fresh = Vec::new();
        for Seen { told, bearer, .. } in seen.into_iter().filter(|seen| seen.is_a_persons) {
            let id = told.id;
            let old = before.remove(&id).map(|mut old| (old.is_still(&told, &bearer), old));
            let followed = match old {
                Some((true, mut same)) => {
                    same.learn(told, bearer);
                    same
                }
                other => {
                    let last: Option<Identity> = other.map(|(_, old)| old.identity().clone());
                    let begun = Followed::begin(told, bearer, last.as_ref(), &self.common);
                    fresh.push(begun.looked());
                    begun
                }
            };
            order.push(id);
            self.followed.insert(id, followed);
        }
        self.place(&told);
        // Those that take longer are shown as they are, and a hint follows.
        let all_looked = async {
            for looked in fresh {
                looked.await;
            }
        };
        let _ = timeout(COMPLETE_WITHIN, all_looked).await;
        self.again.after(self.followed.values().filter(|followed| !followed.is_ready()).count());
        Ok(order.iter().filter_map(|id| self.followed.get(id)).map(Followed::describe).collect())
    }

    fn place(&mut self, told: &[Told]) {
        let before = |told: &Told| self.followed.get(&told.id).and_then(Followed::kind);
        let kinds = facts::kinds(told, query::console(), before);
        for (told, kind) in told.iter().zip(kinds) {
            if let Some(followed) = self.followed.get_mut(&told.id) {
                followed.place(kind);
            }
        }
    }

    /// Asks terminal services, on a thread of its own: they are another process, which may hang.
    async fn ask(&mut self) -> io::Result<Vec<Seen>> {
        let asked = self.asked.get_or_insert_with(|| tokio::task::spawn_blocking(look));
        let Ok(answer) = timeout(ANSWER_WITHIN, asked).await else {
            let late = "terminal services did not answer within 10 s; is the service TermService well?";
            return Err(io::Error::new(io::ErrorKind::TimedOut, late));
        };
        self.asked = None;
        answer.map_err(io::Error::other)?
    }
}

fn look() -> io::Result<Vec<Seen>> {
    let seen = |told: Told| {
        let is_a_persons = told.is_a_persons();
        let bearer = if is_a_persons { bearer::read(told.id) } else { Err(io::ErrorKind::NotFound.into()) };
        Seen { told, is_a_persons, bearer: bearer.map_err(|error| error.raw_os_error().unwrap_or(0)) }
    };
    Ok(query::sessions()?.into_iter().map(seen).collect())
}

/// When sessions that are not ready are looked at again.
#[derive(Default)]
struct Again {
    /// How many there were.
    waiting: usize,
    wait: Duration,
    due: Option<Instant>,
}

impl Again {
    /// After an enumeration with so many that are not ready.
    fn after(&mut self, waiting: usize) {
        self.wait = if waiting > self.waiting { AGAIN_FIRST } else { self.wait * 3 / 2 };
        self.waiting = waiting;
        let due = waiting > 0 && self.wait <= AGAIN_MAX;
        self.due = due.then(|| Instant::now() + self.wait);
    }

    async fn is_due(&mut self) {
        match self.due {
            Some(due) => sleep_until(due).await,
            None => std::future::pending().await,
        }
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ready_is_looked_at_again_for_a_while() {
        let mut again = Again::default();
        again.after(0);
        assert!(again.due.is_none());
        let mut looks = 0;
        again.after(2);
        while again.due.is_some() {
            looks += 1;
            again.after(1);
        }
        assert!((8..14).contains(&looks), "{looks}");
        again.after(2);
        assert_eq!(again.wait, AGAIN_FIRST, "a new one is looked at soon");
    }
}
