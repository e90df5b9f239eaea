//! The platform's words in the core's, and both in the wire's.

use std::sync::Arc;

use bilayer_core::{Exit, Goodbye, Logon, Session, SessionKind, SessionState, StopReason, Who};
use bilayer_ipc::agent;
use bilayer_platform::{Kind, SessionInfo, State};

pub(super) fn session(logon: Logon, info: &SessionInfo) -> Session {
    Session {
        logon,
        state: match info.state {
            State::Active => SessionState::Active,
            State::Inactive => SessionState::Inactive,
            State::Closing => SessionState::Closing,
        },
        kind: match info.kind {
            Kind::Console => SessionKind::Console,
            Kind::Remote => SessionKind::Remote,
            Kind::Other => SessionKind::Other,
        },
        locked: info.locked,
        remote: info.remote,
        display: info.display,
        who: Arc::new(Who {
            session: info.id.clone(),
            user: info.user.name.clone(),
            user_id: info.user.id.clone(),
            groups: info.groups.clone(),
            session_type: info.session_type.clone(),
        }),
    }
}

pub(super) fn exit(exit: bilayer_platform::Exit) -> Exit {
    match exit {
        bilayer_platform::Exit::Code(code) => Exit::Code(code),
        bilayer_platform::Exit::Signal(signal) => Exit::Signal(signal),
        bilayer_platform::Exit::Unknown => Exit::Unknown,
    }
}

pub(super) fn platform_exit(exit: Exit) -> bilayer_platform::Exit {
    match exit {
        Exit::Code(code) => bilayer_platform::Exit::Code(code),
        Exit::Signal(signal) => bilayer_platform::Exit::Signal(signal),
        Exit::Unknown => bilayer_platform::Exit::Unknown,
    }
}

pub(super) fn wire_session(info: &SessionInfo) -> agent::Session {
    agent::Session {
        id: info.id.clone(),
        user: wire_user(info),
        kind: wire_kind(info),
        state: wire_state(info),
        locked: info.locked,
        remote: info.remote,
    }
}

pub(super) fn wire_user(info: &SessionInfo) -> agent::User {
    agent::User { name: info.user.name.clone(), id: info.user.id.clone() }
}

pub(super) fn wire_kind(info: &SessionInfo) -> agent::SessionKind {
    match info.kind {
        Kind::Console => agent::SessionKind::Console,
        Kind::Remote => agent::SessionKind::Remote,
        Kind::Other => agent::SessionKind::Other,
    }
}

pub(super) fn wire_state(info: &SessionInfo) -> agent::SessionState {
    match info.state {
        State::Active => agent::SessionState::Active,
        State::Inactive => agent::SessionState::Inactive,
        State::Closing => agent::SessionState::Closing,
    }
}

pub(super) fn stop_reason(reason: StopReason) -> agent::StopReason {
    match reason {
        StopReason::Logoff => agent::StopReason::Logoff,
        StopReason::SessionLeft => agent::StopReason::SessionLeft,
        StopReason::Locked => agent::StopReason::Locked,
        StopReason::Operator => agent::StopReason::Operator,
        StopReason::Reload => agent::StopReason::Reload,
        StopReason::Hang => agent::StopReason::Hang,
        StopReason::NotReady => agent::StopReason::NotReady,
        StopReason::ServiceStop => agent::StopReason::ServiceStop,
        StopReason::Shutdown => agent::StopReason::Shutdown,
    }
}

pub(super) fn goodbye(intent: agent::Intent) -> Goodbye {
    match intent {
        agent::Intent::Restart => Goodbye::Restart,
        agent::Intent::Hold => Goodbye::Hold,
        agent::Intent::Release => Goodbye::Release,
        agent::Intent::LoggingOff => Goodbye::LoggingOff,
    }
}
