//! The platform's words in the core's, and both in the wire's.

use std::sync::Arc;

use bilayer_core::{Exit, Goodbye, Logon, Session, SessionKind, SessionState, Spec, StopReason, Who};
use bilayer_ipc::agent;
use bilayer_platform::{Kind, SessionInfo, State, User, account_key};

/// A spec as the core compares it: accounts in the form in which the system compares them.
pub(super) fn spec(spec: &Spec) -> Spec {
    let keys = |names: &[String]| names.iter().map(|name| account_key(name)).collect();
    Spec { users: keys(&spec.users), groups: keys(&spec.groups), ..spec.clone() }
}

/// A session as the core compares it.
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
        environment: info.environment,
        display: info.display,
        who: Arc::new(Who {
            session: info.id.clone(),
            user: account_key(&info.user.name),
            account: account_key(&info.station.account()),
            user_id: account_key(&info.user.id),
            groups: info.groups.iter().map(|group| account_key(group)).collect(),
            session_type: info.session_type.clone(),
            greeter: info.greeter,
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
    wire_account(&info.user)
}

pub(super) fn wire_account(user: &User) -> agent::User {
    agent::User { name: user.name.clone(), id: user.id.clone() }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_compared_as_the_system_compares_them() {
        let mut named = Spec::new("desk");
        (named.users, named.groups) = (vec!["Alice".into()], vec![r"ACME\Staff".into()]);
        let info = SessionInfo {
            id: "2".into(),
            logon: "boot".into(),
            user: User { name: "ALICE".into(), id: "1001".into() },
            groups: vec![r"acme\STAFF".into()],
            administrator: None,
            kind: Kind::Console,
            state: State::Active,
            locked: false,
            remote: false,
            session_type: None,
            greeter: false,
            environment: true,
            display: true,
            station: bilayer_platform::Station::own(),
        };
        let ignores_case = account_key("A") == account_key("a");
        let served = spec(&named).unserved(&session(Logon(0), &info)).is_none();
        assert_eq!(served, ignores_case);
        (named.users, named.groups) = (vec!["ALICE".into()], vec![r"acme\STAFF".into()]);
        assert!(spec(&named).unserved(&session(Logon(0), &info)).is_none());
    }
}
