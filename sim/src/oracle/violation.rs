//! What a broken invariant looks like.

use std::fmt;

use bilayer_core::InstanceKey;

/// The invariants, one sentence each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// No process is started without a session that its spec serves, or kept.
    Served,
    /// Never two processes of one instance.
    OneProcess,
    /// Where a spec serves the console, the agent of one session starts only once that of the other has ended.
    Handover,
    /// Nothing is started between the announcement of a shutdown and its being called off, or after a stop.
    Ending,
    /// What is held or released stays down until an operator, a new logon, a return or a reload says otherwise.
    Down,
    /// A restart comes no sooner than the policy says.
    TooSoon,
    /// What should run is started in time.
    TooLate,
    /// A process that should not run is being stopped.
    NotStopped,
    /// A process is stopped for a reason.
    StoppedForNothing,
    /// A stop goes from rung to rung in time, and no faster.
    Ladder,
    /// After a stop the service finishes once, when and not before all is gone.
    Finish,
    /// What is said about a process that is gone changes nothing.
    Stale,
    /// Nothing happens by time alone while the machine sleeps.
    Asleep,
    /// After a tick nothing is due any more.
    Deadline,
    /// Generations go up.
    Generation,
    /// What a process leaves behind is dealt with before the next one starts.
    Leftovers,
    /// What can be read of an instance agrees with what was done to it.
    View,
    /// Every change of state is reported.
    Reported,
    /// The wire is used only while it is there.
    Wire,
    /// Left alone, everything becomes what it should be.
    Settles,
}

impl Rule {
    /// Every invariant.
    pub const ALL: &[Self] = &[
        Self::Served,
        Self::OneProcess,
        Self::Handover,
        Self::Ending,
        Self::Down,
        Self::TooSoon,
        Self::TooLate,
        Self::NotStopped,
        Self::StoppedForNothing,
        Self::Ladder,
        Self::Finish,
        Self::Stale,
        Self::Asleep,
        Self::Deadline,
        Self::Generation,
        Self::Leftovers,
        Self::View,
        Self::Reported,
        Self::Wire,
        Self::Settles,
    ];
}

/// An invariant that does not hold.
#[derive(Debug)]
pub struct Violation {
    /// Which one.
    pub rule: Rule,
    /// The instance it was broken for, where it is about one.
    pub key: Option<InstanceKey>,
    /// What was seen.
    pub text: String,
}

/// Holds, or does not. Boxed, so that holding costs one word.
pub(crate) type Verdict = Result<(), Box<Violation>>;

impl Violation {
    #[cold]
    pub(crate) fn new(rule: Rule, key: Option<InstanceKey>, text: impl Into<String>) -> Box<Self> {
        Box::new(Self { rule, key, text: text.into() })
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.rule, self.text)?;
        match self.key {
            Some(key) => write!(f, " (logon {}, spec {})", key.logon.0, key.spec.0),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Violation {}
