//! Telling a person something on their desktop.

use crate::{Error, Station};

/// Shows a notification in a session, as its user. Not possible on Windows yet: a toast needs a registered application, and a
/// message box would block. Agents that take `message/show` are told.
pub async fn notify_user(station: &Station, _title: &str, _text: &str) -> Result<(), Error> {
    Err(Error::Notify {
        user: station.user().map(ToString::to_string).unwrap_or_default(),
        source:
            "desktop notifications are not there on Windows yet; an agent that takes messages can show them"
                .into(),
    })
}
