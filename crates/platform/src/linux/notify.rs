//! Telling a person something on their desktop.

use crate::{Error, Station};

/// Shows a notification in a session, as its user.
pub async fn notify_user(station: &Station, _title: &str, _text: &str) -> Result<(), Error> {
    Err(Error::Notify { user: station.uid().to_string(), source: "there is no notification service".into() })
}
