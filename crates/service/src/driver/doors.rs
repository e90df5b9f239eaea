//! Where agents reach the service: opened before they are launched, or before those that were taken over come back.

use std::sync::Arc;

use bilayer_core::{InstanceKey, Logon};
use bilayer_platform::{Error, Listener, Station};
use tokio::task::AbortHandle;

use super::{Driver, endpoint};

/// A listening endpoint and the task that accepts at it. Dropping it closes both.
pub(super) struct Endpoint {
    pub(super) address: String,
    accepting: AbortHandle,
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Driver {
    /// The address of a session's own endpoint, opened if it is not open.
    pub(super) fn door_of_session(&mut self, logon: Logon) -> Result<String, Error> {
        let tag = self.seats.get(&logon).map_or_else(String::new, |seat| seat.tag.clone());
        if let Some(endpoint) = self.seats.get(&logon).and_then(|seat| seat.endpoint.as_ref()) {
            return Ok(endpoint.address.clone());
        }
        let endpoint =
            self.open(logon, |driver, station| Listener::for_agents(&driver.dirs, station, &tag))?;
        let address = endpoint.address.clone();
        if let Some(seat) = self.seats.get_mut(&logon) {
            seat.endpoint = Some(endpoint);
        }
        Ok(address)
    }

    /// An endpoint for one launch.
    pub(super) fn door_of_launch(
        &mut self,
        instance: InstanceKey,
        generation: u32,
    ) -> Result<Endpoint, Error> {
        let tag = self.seats.get(&instance.logon).map_or_else(String::new, |seat| seat.tag.clone());
        let tag = format!("{tag}-{}-{generation}", instance.spec.0);
        self.open(instance.logon, |driver, station| Listener::for_agents(&driver.dirs, station, &tag))
    }

    /// The endpoint of a launch of an earlier life.
    pub(super) fn door_at(&mut self, logon: Logon, address: &str) -> Result<Endpoint, Error> {
        self.open(logon, |driver, station| Listener::for_agents_at(&driver.dirs, station, address))
    }

    fn open(
        &self,
        logon: Logon,
        listen: impl FnOnce(&Self, &Station) -> Result<Listener, Error>,
    ) -> Result<Endpoint, Error> {
        let seat = self.seats.get(&logon).expect("a door is opened for a session that was found");
        let station = seat.info.station.clone();
        let listener = listen(self, &station)?;
        let address = listener.address().to_owned();
        let door = endpoint::Door {
            logon,
            station,
            session: seat.info.id.clone(),
            user: seat.info.user.name.clone(),
            limits: Arc::clone(&self.limits),
            methods: Arc::clone(&self.methods),
            news: self.news.clone(),
            quotas: endpoint::Quotas::default(),
        };
        let accepting = tokio::spawn(endpoint::accept(listener, door)).abort_handle();
        Ok(Endpoint { address, accepting })
    }
}
