//! The words that people and programs read: a stable code for programs and one sentence for people.

use core::fmt;

use crate::{FailureKind, StopReason};

/// Why an instance that should run has no process now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WaitReason {
    /// It was adopted, its process ended, and the sessions or the configuration are not known yet.
    Settling,
    /// It failed; the delay before the next start runs.
    BackOff,
    /// It failed more often than its limit allows; one start every `delay_max`.
    CrashLoop,
    /// It ended with code 0 unasked, as desktop programs do just before a logoff is announced.
    CleanExit,
    /// It ended because its session is ending, but the session is still there.
    LoggingOff,
    /// The session cannot have a process yet (no token, no user manager).
    NotReady,
    /// The account of a worker cannot be had (there is none of this name yet, or any more).
    NoAccount,
    /// The machine was short of something when it was last started.
    Busy,
    /// The operating system said that the session is gone, and has not confirmed it by an enumeration.
    SessionGone,
    /// Its session is locked.
    Locked,
    /// Its session has no display yet.
    NoDisplay,
    /// The environment of its session is not known yet.
    NoEnvironment,
    /// The agent of another session must end first.
    Handover,
    /// The operating system is about to shut down.
    Shutdown,
    /// The service is stopping.
    ServiceStop,
}

/// Why an instance stays down until a person, a new logon or a changed configuration says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HoldReason {
    /// A person stopped it.
    Operator,
    /// It can never start as configured.
    LaunchFailed,
    /// It failed more often than its limit allows.
    Limit,
    /// It ended with an exit that its spec answers with hold.
    ExitCode,
    /// It asked for it in its goodbye.
    Goodbye,
}

/// How far a stop has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The agent was asked over its connection.
    Asked,
    /// The process was asked the operating system's own way.
    Terminated,
    /// The process was killed and its end is not confirmed yet.
    Killed,
}

/// Why a spec does not serve a session: the first of its conditions that the session does not meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unserved {
    /// The spec is a worker's: it serves the machine.
    Machine,
    /// The session is on its way out.
    Closing,
    /// The session is the logon screen, and the spec does not ask for that.
    Greeter,
    /// The spec serves the console, and the session is elsewhere.
    NotConsole,
    /// The session is in the background.
    Background,
    /// The spec serves local sessions only.
    Remote,
    /// The spec serves remote sessions only.
    Local,
    /// The spec names users, and not this one.
    User,
    /// The spec names groups, and the user is in none of them.
    Group,
    /// The spec names session types, and not this one.
    Type,
}

macro_rules! words {
    ($($type:ident { $($variant:ident => $code:literal, $text:literal;)* })*) => {$(
        impl $type {
            /// Every value.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// A stable word for programs: lower case, with hyphens.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code,)* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $text,)* })
            }
        }
    )*};
}

words! {
    WaitReason {
        Settling => "settling", "waits until sessions and configuration are known";
        BackOff => "back-off", "failed and is started again after a delay";
        CrashLoop => "crash-loop", "fails again and again and is tried at the longest delay only";
        CleanExit => "clean-exit", "ended by itself and is started again unless its user logs off now";
        LoggingOff => "logging-off", "ended for a logoff and is started again if none follows";
        NotReady => "not-ready", "waits until its session can have a process";
        NoAccount => "no-account", "waits until there is its account";
        Busy => "busy", "could not start because the machine is short of something and is tried again";
        SessionGone => "session-gone", "could not start because its session is gone";
        Locked => "locked", "waits until its session is unlocked";
        NoDisplay => "no-display", "waits until its session has a display";
        NoEnvironment => "no-environment", "waits until the environment of its session is known";
        Handover => "handover", "waits until the agent of another session has ended";
        Shutdown => "shutdown", "does not start because the machine is about to shut down";
        ServiceStop => "service-stop", "does not start because the service is stopping";
    }
    HoldReason {
        Operator => "operator", "was stopped by a person and stays down until started or until the next logon";
        LaunchFailed => "launch-failed", "cannot start as configured";
        Limit => "limit", "failed more often than its limit allows";
        ExitCode => "exit-code", "ended with an exit that its configuration answers with hold";
        Goodbye => "goodbye", "asked to be left down when it said goodbye";
    }
    Unserved {
        Machine => "machine", "runs once for the machine, and in no session";
        Closing => "closing", "its user logs off";
        Greeter => "greeter", "does not serve the logon screen";
        NotConsole => "not-console", "serves the session at the console only, and this one is elsewhere";
        Background => "background", "does not serve a session in the background";
        Remote => "remote", "serves local sessions only, and this one is remote";
        Local => "local", "serves remote sessions only, and this one is local";
        User => "user", "does not have this user among its `users`";
        Group => "group", "has none of this user's groups among its `groups`";
        Type => "type", "does not have this session's type among its `types`";
    }
    Stage {
        Asked => "asked", "was asked to stop";
        Terminated => "terminated", "was told to terminate";
        Killed => "killed", "was killed and has not ended yet";
    }
    StopReason {
        Logoff => "logoff", "its user logs off";
        SessionLeft => "session-left", "its session is no longer one to serve";
        Locked => "locked", "its session was locked";
        Operator => "operator", "a person asked for it";
        Reload => "reload", "its configuration changed";
        Hang => "hang", "it sent no heartbeat in time";
        NotReady => "not-ready", "it was not ready in time";
        ServiceStop => "service-stop", "the service stops";
        Shutdown => "shutdown", "the machine shuts down";
    }
    FailureKind {
        NotReady => "not-ready", "the session cannot have a process yet";
        Gone => "gone", "the session is gone";
        Wrong => "wrong", "the agent can never start as configured";
        Busy => "busy", "the machine is short of something";
    }
}
