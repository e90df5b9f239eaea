//! Telling a person something on their desktop.

use tokio::sync::Semaphore;

use super::helper;
use crate::{Answer, Error, Message, Station};

/// Whether a person can be asked something and not only told. The notifications of a desktop promise no buttons: Desktop
/// Notifications Specification, capability `actions`.
pub const MESSAGES_ANSWER: bool = false;

/// How many notifications are on their way at once; each is a process.
static AT_ONCE: Semaphore = Semaphore::const_new(8);

/// Shows a notification in a session, as its user, through whatever notification service the desktop has. Takes 2 s at most
/// once it is its turn. There is never an answer, see [`MESSAGES_ANSWER`].
pub async fn notify_user(station: &Station, message: &Message) -> Result<Option<Answer>, Error> {
    let failed = |source| Error::Notify { user: station.facts().user.clone(), source };
    let _turn = AT_ONCE.acquire().await.map_err(|closed| failed(closed.into()))?;
    let shown = helper::show_notification(station, &message.title, &message.text).await;
    shown.map(|()| None).map_err(failed)
}
