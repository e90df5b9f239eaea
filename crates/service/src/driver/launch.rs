//! Starting a process for an instance.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bilayer_core::{Event, Failure, FailureKind, InstanceKey};
use bilayer_ipc::Secret;
use bilayer_platform::{ENDPOINT_PER, EndpointPer, LaunchErrorKind, Launched, Listener};
use tokio::task::AbortHandle;

use super::news::News;
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

/// A launch under way: what the driver holds for its process, once there is one.
pub(super) struct Launching {
    outcome: Result<Launched, bilayer_platform::LaunchError>,
    token: SecretHash,
    endpoint: Option<Endpoint>,
}

impl Driver {
    /// Starts this generation of an instance. What became of it is queued now, if it is clear at once, and else comes as
    /// news: until a new process has become its program, its user can keep it as long as they like, and the loop must not
    /// wait for that.
    pub(super) fn launch(&mut self, instance: InstanceKey, generation: u32) {
        let (mut launching, token, endpoint) = match self.begin(instance, generation) {
            Ok(begun) => begun,
            Err(failed) => return self.launch_failed(instance, generation, failed),
        };
        let token = SecretHash::of(&token);
        match launching.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => {
                self.hear_launched(instance, generation, Launching { outcome, token, endpoint });
            }
            Poll::Pending => {
                self.runs.expect(instance, token.clone());
                let news = self.news.clone();
                tokio::spawn(async move {
                    let launching = Launching { outcome: launching.await, token, endpoint };
                    // A service that has ended has no agents.
                    let _ = news.send(News::Launched(instance, generation, Box::new(launching))).await;
                });
            }
        }
    }

    /// Queues what became of a launch.
    pub(super) fn hear_launched(&mut self, instance: InstanceKey, generation: u32, launching: Launching) {
        let Launching { outcome, token, endpoint } = launching;
        let early = self.runs.expected(instance);
        match outcome {
            Ok(launched) => self.launched(instance, generation, launched, token, endpoint),
            Err(error) => self.launch_failed(instance, generation, error.into()),
        }
        for hello in early {
            self.hear_hello(hello);
        }
    }

    fn launched(
        &mut self,
        instance: InstanceKey,
        generation: u32,
        Launched { process, stdout, stderr }: Launched,
        token: SecretHash,
        endpoint: Option<Endpoint>,
    ) {
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
        let run =
            Run { generation, process, token: Some(token), resume: None, wire: None, _endpoint: endpoint };
        self.runs.insert(instance, run);
        self.pending.push_back(Event::Launched(instance, generation));
    }

    fn launch_failed(&mut self, instance: InstanceKey, generation: u32, failed: Failed) {
        let note = self.notes.entry(instance).or_default();
        // A failure that repeats is one line in the log, not one a second.
        if note.error.as_deref() != Some(&*failed.text) {
            let (agent, session) = (self.name_of(instance), self.session_of(instance));
            tracing::warn!(%agent, %session, generation, "{}", failed.text);
        }
        self.notes.entry(instance).or_default().error = Some(failed.text);
        self.pending.push_back(Event::LaunchFailed(instance, generation, failed.failure));
    }

    /// All that has to be there before the process is.
    fn begin(&mut self, instance: InstanceKey, generation: u32) -> Result<Begun, Failed> {
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
        // An endpoint is opened for a user, who must be known for that.
        station.ready()?;
        let name = format!("bilayer-{}-{}", self.config.service.name, agent.name);
        let mut command = bilayer_platform::Command {
            args: agent.command.args.clone(),
            cwd: agent.command.cwd.clone(),
            env: agent.command.env.clone(),
            trust_writable_program: agent.command.trust_writable_program,
            leave_survivors: agent.spec.survivors == bilayer_core::Survivors::Leave,
            ..bilayer_platform::Command::new(&agent.command.program, name)
        };
        let (address, endpoint) = self.endpoint(instance, generation)?;
        let token = Secret::from_random(bilayer_platform::random_bytes());
        command.env.push(("BILAYER_ENDPOINT".into(), address));
        command.env.push(("BILAYER_TOKEN".into(), token.expose().into()));
        command.env.push(("BILAYER_SERVER".into(), self.identity.clone()));
        let launching = Box::pin(async move { bilayer_platform::launch(&station, &command).await });
        Ok((launching, token, endpoint))
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

type Begun = (
    Pin<Box<dyn Future<Output = Result<Launched, bilayer_platform::LaunchError>> + Send>>,
    Secret,
    Option<Endpoint>,
);

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
