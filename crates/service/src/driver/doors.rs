//! Where agents reach the service: opened before they are launched, or before those that were taken over come back.

use std::sync::Arc;

use bilayer_core::InstanceKey;
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
    /// The address of the endpoint that the agents of a session share, or that a worker has, opened if it is not open.
    pub(super) fn door_of(&mut self, instance: InstanceKey) -> Result<String, Error> {
        let open = match instance.logon.is_machine() {
            true => self.posts.get(&instance.spec).and_then(|post| post.endpoint.as_ref()),
            false => self.seats.get(&instance.logon).and_then(|seat| seat.endpoint.as_ref()),
        };
        if let Some(endpoint) = open {
            return Ok(endpoint.address.clone());
        }
        let tag = self.tag_of(instance);
        let endpoint =
            self.open(instance, |driver, station| Listener::for_agents(&driver.dirs, station, &tag))?;
        let address = endpoint.address.clone();
        let place = match instance.logon.is_machine() {
            true => self.posts.get_mut(&instance.spec).map(|post| &mut post.endpoint),
            false => self.seats.get_mut(&instance.logon).map(|seat| &mut seat.endpoint),
        };
        if let Some(place) = place {
            *place = Some(endpoint);
        }
        Ok(address)
    }

    /// An endpoint for one launch.
    pub(super) fn door_of_launch(
        &mut self,
        instance: InstanceKey,
        generation: u32,
    ) -> Result<Endpoint, Error> {
        let tag = format!("{}-{}-{generation}", self.tag_of(instance), instance.spec.0);
        self.open(instance, |driver, station| Listener::for_agents(&driver.dirs, station, &tag))
    }

    /// The endpoint of a launch of an earlier life.
    pub(super) fn door_at(&mut self, instance: InstanceKey, address: &str) -> Result<Endpoint, Error> {
        self.open(instance, |driver, station| Listener::for_agents_at(&driver.dirs, station, address))
    }

    /// Names an endpoint: the same after a restart of the service.
    fn tag_of(&self, instance: InstanceKey) -> String {
        match self.seats.get(&instance.logon) {
            Some(seat) => seat.tag.clone(),
            None => format!("worker-{}", self.name_of(instance)),
        }
    }

    fn open(
        &self,
        instance: InstanceKey,
        listen: impl FnOnce(&Self, &Station) -> Result<Listener, Error>,
    ) -> Result<Endpoint, Error> {
        let station = self.station_of(instance).expect("a door is opened for a place that was found").clone();
        let listener = listen(self, &station)?;
        let address = listener.address().to_owned();
        let door = endpoint::Door {
            logon: instance.logon,
            station,
            session: self.session_of(instance),
            user: self.user_of(instance),
            limits: Arc::clone(&self.limits),
            methods: Arc::clone(&self.methods),
            news: self.news.clone(),
            quotas: endpoint::Quotas::default(),
        };
        let accepting = tokio::spawn(endpoint::accept(listener, door)).abort_handle();
        Ok(Endpoint { address, accepting })
    }

    /// Where an instance runs, as far as that is known.
    fn station_of(&self, instance: InstanceKey) -> Option<&Station> {
        match instance.logon.is_machine() {
            true => self.posts.get(&instance.spec)?.station.as_ref(),
            false => self.seats.get(&instance.logon).map(|seat| &seat.info.station),
        }
    }
}
