//! Telling a person something on their desktop.

use super::helper;
use crate::{Error, Station};

/// Shows a notification in a session, as its user, through whatever notification service the desktop has. Takes 2 s at most.
pub async fn notify_user(station: &Station, title: &str, text: &str) -> Result<(), Error> {
    let shown = helper::show_notification(station, title, text).await;
    shown.map_err(|source| Error::Notify { user: station.facts().user.clone(), source })
}
