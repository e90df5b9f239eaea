//! Starting a process for an instance.

use std::sync::Arc;

use bilayer_core::{Event, Failure, FailureKind, InstanceKey};
use bilayer_ipc::Secret;
use bilayer_platform::{ENDPOINT_PER, EndpointPer, LaunchErrorKind, Launched, Listener};
use tokio::task::AbortHandle;

use super::runs::Run;
use super::secret::SecretHash;
use super::{Driver, endpoint, watch};
use crate::output::Origin;

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
    /// Starts this generation of an instance, and queues what became of it.
    pub(super) fn launch(&mut self, instance: InstanceKey, generation: u32) {
        let event = match self.try_launch(instance, generation) {
            Ok(()) => Event::Launched(instance, generation),
            Err(failed) => {
                let note = self.notes.entry(instance).or_default();
                // A failure that repeats is one line in the log, not one a second.
                if note.error.as_deref() != Some(&*failed.text) {
                    let (agent, session) = (self.name_of(instance), self.session_of(instance));
                    tracing::warn!(%agent, %session, generation, "{}", failed.text);
                }
                self.notes.entry(instance).or_default().error = Some(failed.text);
                Event::LaunchFailed(instance, generation, failed.failure)
            }
        };
        self.pending.push_back(event);
    }

    fn try_launch(&mut self, instance: InstanceKey, generation: u32) -> Result<(), Failed> {
        let gone = |text: &str| Failed {
            failure: Failure { kind: FailureKind::Gone, os_error: 0 },
            text: text.into(),
        };
        let station = match self.seats.get(&instance.logon) {
            Some(seat) if !seat.gone => seat.info.station.clone(),
            _ => return Err(gone("its session is gone")),
        };
        let Some(agent) = self.agents.get(&instance.spec) else {
            return Err(gone("it is not configured any more"));
        };
        let name = format!("bilayer-{}-{}", self.config.service.name, agent.name);
        let mut command = bilayer_platform::Command {
            program: agent.command.program.clone(),
            args: agent.command.args.clone(),
            cwd: agent.command.cwd.clone(),
            env: agent.command.env.clone(),
            name,
            trust_writable_program: agent.command.trust_writable_program,
            leave_survivors: agent.spec.survivors == bilayer_core::Survivors::Leave,
        };
        let (address, own_endpoint) = self.endpoint(instance, generation)?;
        let token = Secret::from_random(bilayer_platform::random_bytes());
        command.env.push(("BILAYER_ENDPOINT".into(), address));
        command.env.push(("BILAYER_TOKEN".into(), token.expose().into()));
        command.env.push(("BILAYER_SERVER".into(), self.identity.clone()));

        let Launched { process, stdout, stderr } = bilayer_platform::launch(&station, &command)?;
        let process = Arc::new(process);
        let origin = Origin {
            agent: self.name_of(instance),
            session: self.session_of(instance),
            user: self.user_of(instance),
            pid: process.pid(),
        };
        tokio::spawn(watch::watch(
            instance,
            generation,
            Arc::clone(&process),
            (stdout, stderr),
            origin,
            self.news.clone(),
        ));
        self.notes.entry(instance).or_default().error = None;
        self.runs.insert(
            instance,
            Run {
                generation,
                process,
                token: Some(SecretHash::of(&token)),
                resume: None,
                wire: None,
                _endpoint: own_endpoint,
            },
        );
        Ok(())
    }

    /// The address that the agent dials, listened at before it is launched.
    fn endpoint(
        &mut self,
        instance: InstanceKey,
        generation: u32,
    ) -> Result<(String, Option<Endpoint>), Failed> {
        let Some(seat) = self.seats.get_mut(&instance.logon) else {
            return Err(Failed {
                failure: Failure { kind: FailureKind::Gone, os_error: 0 },
                text: "its session is gone".into(),
            });
        };
        if let Some(endpoint) = &seat.endpoint {
            return Ok((endpoint.address.clone(), None));
        }
        let tag = match ENDPOINT_PER {
            EndpointPer::Session => seat.tag.clone(),
            EndpointPer::Launch => format!("{}-{}-{generation}", seat.tag, instance.spec.0),
        };
        let listener = Listener::for_agents(&self.dirs, &seat.info.station, &tag).map_err(|error| {
            Failed { failure: Failure { kind: FailureKind::Busy, os_error: 0 }, text: crate::chain(&error) }
        })?;
        let address = listener.address().to_owned();
        let door = endpoint::Door {
            logon: instance.logon,
            station: seat.info.station.clone(),
            session: seat.info.id.clone(),
            user: seat.info.user.name.clone(),
            limits: Arc::clone(&self.limits),
            methods: Arc::clone(&self.methods),
            news: self.news.clone(),
            quotas: endpoint::Quotas::default(),
        };
        let accepting = tokio::spawn(endpoint::accept(listener, door)).abort_handle();
        let endpoint = Endpoint { address: address.clone(), accepting };
        Ok(match ENDPOINT_PER {
            EndpointPer::Session => {
                seat.endpoint = Some(endpoint);
                (address, None)
            }
            EndpointPer::Launch => (address, Some(endpoint)),
        })
    }
}

/// A launch that did not happen, for the core and for people.
struct Failed {
    failure: Failure,
    text: String,
}

impl From<bilayer_platform::LaunchError> for Failed {
    fn from(error: bilayer_platform::LaunchError) -> Self {
        let kind = match error.kind {
            LaunchErrorKind::NotReady => FailureKind::NotReady,
            LaunchErrorKind::Gone => FailureKind::Gone,
            LaunchErrorKind::Wrong => FailureKind::Wrong,
            LaunchErrorKind::Busy => FailureKind::Busy,
        };
        Self { failure: Failure { kind, os_error: error.os_error }, text: crate::chain(&error) }
    }
}
