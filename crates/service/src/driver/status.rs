//! What there is, for people and programs.

use std::time::Duration;

use bilayer_core::{HoldReason, InstanceKey, Logon, SpecId, State, Time, WaitReason};
use bilayer_ipc::control::{
    AgentKind, AgentState, AgentStatus, LastExit, Reason, ServiceState, ServiceStatus, SessionStatus,
    StatusReport, Unserved,
};
use bilayer_platform::SessionInfo;
use jiff::{SignedDuration, Timestamp};

use super::{Driver, translate};

impl Driver {
    /// Everything, for `service/status`.
    pub(super) fn status(&self) -> StatusReport {
        StatusReport {
            service: ServiceStatus {
                name: self.config.service.name.clone(),
                display_name: self.config.service.display_name.clone(),
                version: env!("CARGO_PKG_VERSION").into(),
                pid: std::process::id(),
                mode: self.mode,
                state: if self.stopping { ServiceState::Stopping } else { ServiceState::Running },
                since: text(self.since),
                config: self.config.source.display().to_string(),
                log: self.log.clone(),
                power: self.power,
                sessions_error: self.sessions_error.clone(),
            },
            sessions: self
                .seats
                .iter()
                .filter(|(_, seat)| !seat.gone)
                .map(|(&logon, seat)| self.session_status(logon, &seat.info))
                .collect(),
            agents: self.core.instances().filter_map(|(key, _)| self.agent_status(key)).collect(),
        }
    }

    fn session_status(&self, logon: Logon, info: &SessionInfo) -> SessionStatus {
        SessionStatus {
            id: info.id.clone(),
            user: translate::wire_user(info),
            kind: translate::wire_kind(info),
            state: translate::wire_state(info),
            locked: info.locked,
            remote: info.remote,
            administrator: info.administrator,
            session_type: info.session_type.clone(),
            greeter: info.greeter,
            environment: info.environment,
            display: info.display,
            unserved: self.unserved(logon, info),
        }
    }

    /// Why there is no agent in this session, for every agent that is not.
    fn unserved(&self, logon: Logon, info: &SessionInfo) -> Vec<Unserved> {
        let session = translate::session(logon, info);
        let why = |(name, &spec): (&String, &SpecId)| {
            if self.core.instance(InstanceKey { logon, spec }).is_some() || self.workers.contains_key(&spec) {
                return None;
            }
            let why = self.core.spec(spec)?.unserved(&session)?;
            Some(Unserved {
                agent: name.clone(),
                reason: Reason { code: why.code().into(), text: why.to_string() },
            })
        };
        self.spec_ids.iter().filter_map(why).collect()
    }

    /// One instance.
    pub(super) fn agent_status(&self, key: InstanceKey) -> Option<AgentStatus> {
        let view = self.core.instance(key)?;
        let (kind, session, user) = if key.logon.is_machine() {
            let user = translate::wire_account(&self.posts.get(&key.spec)?.user);
            (AgentKind::Worker, None, user)
        } else {
            let info = &self.seats.get(&key.logon)?.info;
            (AgentKind::Agent, Some(info.id.clone()), translate::wire_user(info))
        };
        let note = self.notes.get(&key);
        let now = Timestamp::now();
        let next_retry = match view.state {
            State::Waiting { until: Some(until), .. } => Some(text(later(now, until - clock()))),
            _ => None,
        };
        let ready = match view.state {
            State::Running { ready, .. } if view.connected || ready == Some(true) => {
                Some(ready.unwrap_or(false))
            }
            _ => None,
        };
        Some(AgentStatus {
            agent: self.name_of(key),
            kind,
            session,
            user,
            state: state(&view.state),
            reason: self.reason(key, &view.state),
            pid: self.runs.current(key).map(|run| run.process.pid()),
            generation: view.generation,
            restarts: view.restarts,
            since: text(note.and_then(|note| note.since).unwrap_or(now)),
            next_retry,
            last_exit: view.last_exit.map(|exit| {
                let exit = translate::platform_exit(exit);
                let at = note.and_then(|note| note.exited_at).unwrap_or(now);
                LastExit {
                    code: match exit {
                        bilayer_platform::Exit::Code(code) => Some(code),
                        _ => None,
                    },
                    signal: exit.signal_name(),
                    unknown: exit == bilayer_platform::Exit::Unknown,
                    text: exit.to_string(),
                    at: text(at),
                }
            }),
            connected: view.connected,
            ready,
            status: note.and_then(|note| note.status.clone()),
            crash_loop: view.crash_loop,
        })
    }

    /// Why an instance is in its state: one word, and a sentence whose subject is the agent.
    fn reason(&self, key: InstanceKey, state: &State) -> Reason {
        let (code, mut text) = match state {
            State::Waiting { why, .. } => (why.code(), why.to_string()),
            State::Starting => ("starting", "is being started".into()),
            State::Running { ready: Some(false), .. } => {
                ("not-ready", "runs, but has not said that it is ready".into())
            }
            State::Running { .. } => ("running", "runs".into()),
            State::Stopping { stage, why, .. } => (why.code(), format!("{stage}: {why}")),
            // To a worker there is no logon.
            State::Held(HoldReason::Operator) if key.logon.is_machine() => {
                (HoldReason::Operator.code(), "was stopped by a person and stays down until started".into())
            }
            State::Held(why) => (why.code(), why.to_string()),
            State::Released if key.logon.is_machine() => {
                ("released", "left on purpose and stays away until started".into())
            }
            State::Released => ("released", "left on purpose and stays away until the next logon".into()),
        };
        let failed = matches!(
            state,
            State::Held(HoldReason::LaunchFailed)
                | State::Waiting {
                    why: WaitReason::NotReady
                        | WaitReason::NoAccount
                        | WaitReason::Busy
                        | WaitReason::SessionGone,
                    ..
                }
        );
        if let (true, Some(error)) = (failed, self.notes.get(&key).and_then(|note| note.error.as_ref())) {
            text = format!("{text}: {error}");
        }
        Reason { code: code.into(), text }
    }
}

fn state(state: &State) -> AgentState {
    match state {
        State::Waiting { .. } => AgentState::Waiting,
        State::Starting => AgentState::Starting,
        State::Running { .. } => AgentState::Running,
        State::Stopping { .. } => AgentState::Stopping,
        State::Held(_) => AgentState::Held,
        State::Released => AgentState::Released,
    }
}

/// The state as the log says it.
pub(super) fn word(state: AgentState) -> &'static str {
    match state {
        AgentState::Waiting => "waiting",
        AgentState::Starting => "starting",
        AgentState::Running => "running",
        AgentState::Stopping => "stopping",
        AgentState::Held => "held",
        AgentState::Released => "released",
    }
}

fn clock() -> Time {
    Time::from_nanos(bilayer_platform::now())
}

fn later(now: Timestamp, span: Duration) -> Timestamp {
    SignedDuration::try_from(span).ok().and_then(|span| now.checked_add(span).ok()).unwrap_or(now)
}

/// RFC 3339 in UTC, to the millisecond.
fn text(at: Timestamp) -> String {
    format!("{at:.3}")
}
