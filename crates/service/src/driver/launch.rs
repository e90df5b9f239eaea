//! Starting a process for an instance.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bilayer_core::{Event, Failure, FailureKind, InstanceKey, Spec};
use bilayer_ipc::Secret;
use bilayer_platform::{
    Command, ENDPOINT_PER, EndpointPer, Keep, LAUNCH_VARIABLE, LaunchErrorKind, Launched, ProcessRecord,
    Station, random_bytes,
};
use jiff::Timestamp;

use super::Driver;
use super::doors::Endpoint;
use super::news::News;
use super::runs::{Kept, Run};
use super::watch::{self, Prints};
use super::workers::Errand;
use crate::config;
use crate::output::Origin;
use crate::state::{Record, SecretHash, Secrets, Session};

/// A launch under way: what the driver holds for its process, once there is one.
pub(super) struct Launching {
    outcome: Result<Launched, bilayer_platform::LaunchError>,
    ready: Ready,
}

/// All that is there before a process is, and stays with it.
struct Ready {
    token: SecretHash,
    endpoint: Option<Endpoint>,
    /// It is to outlive this program, and this is what was written down of it.
    record: Option<Record>,
}

impl Driver {
    /// Starts this generation of an instance; of a worker, once its account is found.
    pub(super) fn launch(&mut self, instance: InstanceKey, generation: u32) {
        match instance.logon.is_machine() {
            true => self.find_account(instance, Errand::Launch(generation)),
            false => self.launch_ready(instance, generation),
        }
    }

    /// Starts this generation where it belongs. What became of it is queued now, if it is clear at once, and else comes as
    /// news: until a new process has become its program, its user can keep it as long as they like, and the loop must not
    /// wait for that.
    pub(super) fn launch_ready(&mut self, instance: InstanceKey, generation: u32) {
        let (mut launching, ready) = match self.begin(instance, generation) {
            Ok(begun) => begun,
            Err(failed) => return self.launch_failed(instance, generation, failed),
        };
        match launching.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => self.hear_launched(instance, generation, Launching { outcome, ready }),
            Poll::Pending => {
                self.runs.expect(instance, ready.token.clone());
                let news = self.news.clone();
                tokio::spawn(async move {
                    let launching = Launching { outcome: launching.await, ready };
                    // A service that has ended has no agents.
                    let _ = news.send(News::Launched(instance, generation, Box::new(launching))).await;
                });
            }
        }
    }

    /// Queues what became of a launch.
    pub(super) fn hear_launched(&mut self, instance: InstanceKey, generation: u32, launching: Launching) {
        let Launching { outcome, ready } = launching;
        let early = self.runs.expected(instance);
        match outcome {
            Ok(launched) => self.launched(instance, generation, launched, ready),
            Err(error) => {
                if let Some(record) = &ready.record {
                    self.records.forget(record);
                    self.outputs.iter().for_each(|outputs| outputs.remove(&record.label));
                }
                self.launch_failed(instance, generation, error.into());
            }
        }
        for hello in early {
            self.hear_hello(hello);
        }
    }

    fn launched(
        &mut self,
        instance: InstanceKey,
        generation: u32,
        Launched { process, stdout, stderr, ends }: Launched,
        Ready { token, endpoint, record }: Ready,
    ) {
        let process = Arc::new(process);
        let origin = Origin {
            agent: self.name_of(instance),
            session: self.session_of(instance),
            user: self.user_of(instance),
            pid: process.pid(),
        };
        let files = self.outputs.clone().zip(record.as_ref().map(|record| record.label.clone()));
        let prints = Some(Prints { stdout, stderr, ends, files });
        let watched = Arc::clone(&process);
        tokio::spawn(watch::watch(instance, generation, watched, prints, origin, self.news.clone()));
        self.notes.entry(instance).or_default().error = None;
        // A process that has no record of its own could not be had so that it outlives us.
        let kept = record.zip(process.record().cloned()).map(|(mut record, process)| {
            record.process = process;
            Box::new(Kept { record, is_saved: true, is_cut_off: false })
        });
        let secrets = Secrets::new(token);
        self.runs.insert(instance, Run { generation, process, secrets, wire: None, endpoint, kept });
        self.write_down(instance);
        self.pending.push_back(Event::Launched(instance, generation));
    }

    pub(super) fn launch_failed(&mut self, instance: InstanceKey, generation: u32, failed: Failed) {
        self.tell_exits();
        let note = self.notes.entry(instance).or_default();
        // A failure that repeats is one line in the log, not one a second.
        if note.error.as_deref() != Some(&*failed.text) {
            let (agent, session) = (self.name_of(instance), self.session_of(instance));
            match failed.failure.kind {
                // Every logon begins like this; that it waits, and for what, is said all the same.
                FailureKind::NotReady => tracing::debug!(%agent, %session, generation, "{}", failed.text),
                FailureKind::Gone | FailureKind::Wrong | FailureKind::Busy => {
                    tracing::warn!(%agent, %session, generation, "{}", failed.text);
                }
            }
        }
        self.notes.entry(instance).or_default().error = Some(failed.text);
        self.pending.push_back(Event::LaunchFailed(instance, generation, failed.failure));
    }

    /// All that has to be there before the process is.
    fn begin(&mut self, instance: InstanceKey, generation: u32) -> Result<Begun, Failed> {
        let (station, session) = self.place_of(instance)?;
        let (agent_name, of, spec) = self.program_of(instance)?;
        // An endpoint is opened for a user, who must be known for that.
        station.ready()?;
        let (fingerprint, agent_name) = (spec.fingerprint, agent_name.to_owned());
        let mut command = Command {
            args: of.args.clone(),
            cwd: of.cwd.clone(),
            env: of.env.clone(),
            trust_writable_program: of.trust_writable_program,
            elevation: of.elevation,
            token: of.token,
            console_window: self.console_windows,
            leave_survivors: spec.survivors == bilayer_core::Survivors::Leave,
            ..Command::new(&of.program, self.group_of(&agent_name))
        };
        let opened = match ENDPOINT_PER {
            EndpointPer::Session => self.door_of(instance).map(|address| (address, None)),
            EndpointPer::Launch => self
                .door_of_launch(instance, generation)
                .map(|endpoint| (endpoint.address.clone(), Some(endpoint))),
        };
        let (address, endpoint) = opened.map_err(|error| Failed::busy(crate::chain(&error)))?;
        let token = Secret::from_random(random_bytes());
        command.env.push(("BILAYER_ENDPOINT".into(), address.clone()));
        command.env.push(("BILAYER_TOKEN".into(), token.expose().into()));
        command.env.push(("BILAYER_SERVER".into(), self.identity.clone()));
        let token = SecretHash::of(&token);
        let launch = format!("{}.{:016x}", session.tag(), u64::from_ne_bytes(random_bytes()));
        command.env.push((LAUNCH_VARIABLE.into(), format!("{}.{launch}", command.name)));
        let mut record = None;
        // Without a place for what it prints it could not outlive us: its pipes end with us. It is worth more now than then.
        if self.keeps()
            && let Some(outputs) = self.outputs()
        {
            let label = format!("{agent_name}.{launch}");
            command.keep = Some(Keep { outputs, label: label.clone() });
            record = Some(Record {
                agent: agent_name,
                session,
                generation,
                fingerprint,
                since_ms: Timestamp::now().as_millisecond(),
                process: ProcessRecord::intended(&station, &command),
                label,
                endpoint: endpoint.is_some().then_some(address),
                secrets: Secrets::new(token.clone()),
            });
        }
        if let Some(Err(error)) = record.as_ref().map(|record| self.records.save(record)) {
            // Said when it is written down again with its process, and fails again.
            tracing::debug!("cannot write down a launch: {error}");
        }
        let vacated = self.vacated.extract_if(.., |(of, _)| *of == instance).next();
        let launching = Box::pin(async move {
            match vacated {
                Some((_, vacated)) => bilayer_platform::relaunch(&station, &command, vacated).await,
                None => bilayer_platform::launch(&station, &command).await,
            }
        });
        Ok((launching, Ready { token, endpoint, record }))
    }

    /// Where an instance is to run, and what is written down of that.
    fn place_of(&self, instance: InstanceKey) -> Result<(Station, Session), Failed> {
        if instance.logon.is_machine() {
            let post = self.posts.get(&instance.spec);
            let found = post.and_then(|post| Some((post.station.clone()?, Session::of_machine(&post.user))));
            return found.ok_or_else(|| Failed::gone("its account is not known"));
        }
        match self.seats.get(&instance.logon) {
            Some(seat) if !seat.gone => Ok((seat.info.station.clone(), Session::of(&seat.info))),
            _ => Err(Failed::gone("its session is gone")),
        }
    }

    /// What an instance is to run, by its name.
    fn program_of(&self, instance: InstanceKey) -> Result<(&str, &config::Command, &Spec), Failed> {
        let found = match instance.logon.is_machine() {
            true => self.workers.get(&instance.spec).map(|of| (&*of.name, &of.command, &of.spec)),
            false => self.agents.get(&instance.spec).map(|of| (&*of.name, &of.command, &of.spec)),
        };
        found.ok_or_else(|| Failed::gone("it is not configured any more"))
    }
}

type Begun = (Pin<Box<dyn Future<Output = Result<Launched, bilayer_platform::LaunchError>> + Send>>, Ready);

/// A launch that did not happen, for the core and for people.
pub(super) struct Failed {
    failure: Failure,
    pub(super) text: String,
}

impl Failed {
    pub(super) fn gone(text: &str) -> Self {
        Self::of(FailureKind::Gone, text)
    }

    pub(super) fn wrong(text: &str) -> Self {
        Self::of(FailureKind::Wrong, text)
    }

    pub(super) fn busy(text: String) -> Self {
        Self::of(FailureKind::Busy, text)
    }

    fn of(kind: FailureKind, text: impl Into<String>) -> Self {
        Self { failure: Failure { kind, os_error: 0 }, text: text.into() }
    }
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
