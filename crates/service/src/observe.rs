//! Watching the engine at work.

use bilayer_core::{Action, Event, InstanceKey};
use bilayer_ipc::control::AgentStatus;

/// Something that the engine did or heard, as it happens.
#[derive(Clone, Debug)]
pub enum Observation {
    /// The core is told this.
    Event(Event),
    /// The core wants this, and it is about to be done.
    Action(Action),
    /// The state of an instance changed to this.
    Agent(Box<AgentStatus>),
    /// An instance is no more.
    Removed(InstanceKey),
    /// Every agent is gone and the service ends.
    Finished,
}

/// Called on the service's thread for everything that happens, so it must be quick.
pub type Observer = Box<dyn FnMut(&Observation) + Send>;
