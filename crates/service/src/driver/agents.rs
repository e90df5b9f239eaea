//! What agents say, and whether they are who they say.

use bilayer_core::{Event, InstanceKey};
use bilayer_ipc::Secret;
use bilayer_ipc::agent::{AgentIdentity, Initialized, PeerLimits, Program};

use super::news::{AgentNews, Hello, Welcome};
use super::runs::Wire;
use super::{Driver, translate};

/// How long a status line may be, in characters.
const STATUS_CHARS_MAX: usize = 200;

impl Driver {
    /// Somebody at an endpoint shows a secret: is it the agent that the secret was made for?
    pub(super) fn hear_hello(&mut self, hello: Hello) {
        let Some(hello) = self.runs.defer(hello) else { return };
        let Hello { logon, secret, peer, answer } = hello;
        let resume = Secret::from_random(bilayer_platform::random_bytes());
        let welcome = match self.runs.redeem(logon, &secret, &peer, &resume) {
            Ok((instance, generation)) => {
                // Before it is given out: the next life of the service must know it, too.
                self.write_down(instance);
                self.welcome(instance, generation, resume).ok_or_else(|| "its session is gone".to_owned())
            }
            // Perhaps it was let go of. Refused, it would never come back; so it is told nothing and tries the next life.
            Err(_) if self.stopping && self.keeps() => return,
            Err(error) => Err(error.to_string()),
        };
        // A client that is gone by now is told nothing.
        let _ = answer.send(welcome);
    }

    fn welcome(&self, instance: InstanceKey, generation: u32, resume: Secret) -> Option<Welcome> {
        let session = match instance.logon.is_machine() {
            true => None,
            false => Some(translate::wire_session(&self.seats.get(&instance.logon)?.info)),
        };
        let spec = self.core.spec(instance.spec)?;
        let initialized = Initialized {
            protocol: bilayer_ipc::handshake::VERSIONS.max,
            service: Program {
                name: self.config.service.name.clone(),
                version: env!("CARGO_PKG_VERSION").into(),
            },
            resume: Some(resume),
            agent: Some(AgentIdentity { name: spec.name.to_string(), generation }),
            session,
            heartbeat_ms: spec.heartbeat.map(|limit| u32::try_from(limit.as_millis()).unwrap_or(u32::MAX)),
            limits: PeerLimits {
                frame_bytes: self.limits.frame_bytes,
                requests_in_flight: self.limits.requests_in_flight,
            },
        };
        Some(Welcome { instance, generation, initialized })
    }

    /// An agent whose handshake is over said something.
    pub(super) fn hear_agent(&mut self, instance: InstanceKey, generation: u32, said: AgentNews) {
        let Some(run) = self.runs.of(instance, generation) else { return };
        let event = match said {
            AgentNews::Connected { connection, wire } => {
                if let Some(earlier) = run.wire.replace(Wire { connection, peer: wire }) {
                    earlier.peer.close("the agent came back on another connection");
                }
                Event::Connected(instance, generation)
            }
            AgentNews::Disconnected { connection } => {
                if run.wire.as_ref().is_none_or(|wire| wire.connection != connection) {
                    return;
                }
                run.wire = None;
                Event::Disconnected(instance, generation)
            }
            AgentNews::Heard { connection } => {
                if run.wire.as_ref().is_some_and(|wire| wire.connection == connection) {
                    run.secrets.confirm();
                    self.write_down(instance);
                }
                return;
            }
            AgentNews::Ready => Event::Ready(instance, generation),
            AgentNews::Heartbeat => Event::Heartbeat(instance, generation),
            AgentNews::Goodbye(intent) => Event::Goodbye(instance, generation, intent),
            AgentNews::Status(text) => {
                let text: String = text.chars().filter(|c| !c.is_control()).take(STATUS_CHARS_MAX).collect();
                self.notes.entry(instance).or_default().status = (!text.is_empty()).then_some(text);
                return;
            }
        };
        self.pending.push_back(event);
    }
}
