//! Which sessions a spec serves, and what that makes of an instance.

use alloc::string::String;

use crate::{OnLeave, Serve, Session, SessionKind, SessionState, Spec, StopReason, Unserved, WhileLocked};

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
    // A worker can have the name that an agent had.
    let Some(spec) = spec.filter(|spec| spec.serve != Serve::Machine) else {
        return Want::Gone(StopReason::Reload);
    };
    let claim = match (spec.unserved(session).is_none(), spec.on_leave) {
        (true, OnLeave::Stop | OnLeave::Keep) => Claim::Served,
        (false, OnLeave::Keep) if exists => Claim::Kept,
        (false, OnLeave::Keep | OnLeave::Stop) => return Want::Gone(StopReason::SessionLeft),
    };
    match spec.while_locked {
        WhileLocked::Stop if session.locked => Want::Locked(claim),
        WhileLocked::Stop | WhileLocked::Keep => Want::Run(claim),
    }
}

/// What should become of the worker of `spec`: it runs for as long as it is configured.
pub(crate) fn want_of_machine(spec: Option<&Spec>) -> Want {
    match spec {
        Some(spec) if spec.serve == Serve::Machine => Want::Run(Claim::Served),
        Some(_) | None => Want::Gone(StopReason::Reload),
    }
}

impl Spec {
    /// Why `session` is not in the set that this spec serves; `None` if it is. What `on_leave` keeps is served no more.
    pub fn unserved(&self, session: &Session) -> Option<Unserved> {
        let who = &session.who;
        let active = session.state == SessionState::Active;
        let is_listed = |list: &[String], name: &String| list.is_empty() || list.contains(name);
        if session.state == SessionState::Closing {
            return Some(Unserved::Closing);
        }
        if who.greeter && !self.greeter {
            return Some(Unserved::Greeter);
        }
        match self.serve {
            Serve::Machine => return Some(Unserved::Machine),
            Serve::Console if session.kind != SessionKind::Console => return Some(Unserved::NotConsole),
            Serve::Console | Serve::Active if !active => return Some(Unserved::Background),
            Serve::Console | Serve::Active | Serve::All => {}
        }
        match self.remote {
            Some(false) if session.remote => return Some(Unserved::Remote),
            Some(true) if !session.remote => return Some(Unserved::Local),
            Some(_) | None => {}
        }
        let is_named = is_listed(&self.users, &who.user)
            || self.users.contains(&who.user_id)
            || !who.account.is_empty() && self.users.contains(&who.account);
        if !who.greeter && !is_named {
            return Some(Unserved::User);
        }
        let is_member = self.groups.is_empty() || self.groups.iter().any(|group| who.groups.contains(group));
        if !who.greeter && !is_member {
            return Some(Unserved::Group);
        }
        let wrong_type = who.session_type.as_ref().is_some_and(|kind| !is_listed(&self.types, kind));
        wrong_type.then_some(Unserved::Type)
    }
}
