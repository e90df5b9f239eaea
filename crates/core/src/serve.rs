//! Which sessions a spec serves, and what that makes of an instance.

use crate::{OnLeave, Serve, Session, SessionKind, SessionState, Spec, StopReason, WhileLocked};

/// What should become of an instance: the desired state, as far as sessions and configuration decide it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Want {
    /// Sessions or configuration are not known yet: whatever runs goes on, nothing starts.
    Unknown,
    /// It should run.
    Run(Claim),
    /// It should exist without a process while its session is locked.
    Locked(Claim),
    /// It should not exist.
    Gone(StopReason),
}

/// On what ground an instance exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Its session is in the served set.
    Served,
    /// Its session left the served set and the spec keeps what it finds there.
    Kept,
}

impl Want {
    pub(crate) fn claim(self) -> Option<Claim> {
        match self {
            Self::Run(claim) | Self::Locked(claim) => Some(claim),
            Self::Unknown | Self::Gone(_) => None,
        }
    }
}

/// What should become of the instance of `spec` in `session`.
///
/// A session that is missing from the enumeration, or closing in it, is a logoff. A spec that is missing was removed.
/// `exists` says whether there is an instance already: `on_leave = keep` keeps one but never makes one.
pub(crate) fn want(session: Option<&Session>, spec: Option<&Spec>, exists: bool) -> Want {
    let Some(session) = session.filter(|session| session.state != SessionState::Closing) else {
        return Want::Gone(StopReason::Logoff);
    };
    let Some(spec) = spec else { return Want::Gone(StopReason::Reload) };
    let claim = match (serves(spec, session), spec.on_leave) {
        (true, OnLeave::Stop | OnLeave::Keep) => Claim::Served,
        (false, OnLeave::Keep) if exists => Claim::Kept,
        (false, OnLeave::Keep | OnLeave::Stop) => return Want::Gone(StopReason::SessionLeft),
    };
    match spec.while_locked {
        WhileLocked::Stop if session.locked => Want::Locked(claim),
        WhileLocked::Stop | WhileLocked::Keep => Want::Run(claim),
    }
}

/// Whether `session` is in the set that `spec` serves.
fn serves(spec: &Spec, session: &Session) -> bool {
    let who = &session.who;
    let in_front = match spec.serve {
        Serve::Console => session.kind == SessionKind::Console && session.state == SessionState::Active,
        Serve::Active => session.state == SessionState::Active,
        Serve::All => session.state != SessionState::Closing,
    };
    in_front
        && spec.remote.is_none_or(|remote| remote == session.remote)
        && (spec.users.is_empty() || spec.users.iter().any(|user| *user == who.user || *user == who.user_id))
        && (spec.groups.is_empty() || spec.groups.iter().any(|group| who.groups.contains(group)))
        && who.session_type.as_ref().is_none_or(|kind| spec.types.is_empty() || spec.types.contains(kind))
}
