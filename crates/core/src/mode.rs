//! What the service as a whole is about.

use core::time::Duration;

use crate::{OnServiceStop, StopReason, Time};

/// Whether agents are served or brought down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// Agents run where they are wanted.
    Serving,
    /// The machine is about to shut down; may be called off.
    Shutdown {
        /// When the last process is gone.
        by: Time,
    },
    /// The service ends. Nothing leads back.
    Final {
        /// What agents are told.
        why: StopReason,
        /// When the last process is gone.
        by: Time,
        /// Whether agents that run now live on.
        keep: OnServiceStop,
    },
}

impl Mode {
    pub(crate) fn is_ending(&self) -> bool {
        match self {
            Self::Serving => false,
            Self::Shutdown { .. } | Self::Final { .. } => true,
        }
    }

    /// A shutdown of the machine was announced. Every further word of an end can only shorten the time that is left.
    pub(crate) fn shutdown(self, now: Time, within: Duration) -> Self {
        let by = self.at_most(now + within);
        match self {
            Self::Serving | Self::Shutdown { .. } => Self::Shutdown { by },
            // Nothing lives through a shutdown, whatever was to be kept.
            Self::Final { why, .. } => Self::Final { why, by, keep: OnServiceStop::Stop },
        }
    }

    /// The service must end. Agents are kept only when it ends alone, without the machine.
    pub(crate) fn stop(self, now: Time, why: StopReason, within: Duration, keep: OnServiceStop) -> Self {
        let by = self.at_most(now + within);
        let keep = if why == StopReason::ServiceStop { keep } else { OnServiceStop::Stop };
        match self {
            Self::Serving => Self::Final { why, by, keep },
            Self::Shutdown { .. } => Self::Final { why, by, keep: OnServiceStop::Stop },
            Self::Final { keep: before, .. } => Self::Final { why, by, keep: keep.min(before) },
        }
    }

    /// The shutdown will not take place. Not heard by a service that ends.
    pub(crate) fn called_off(self) -> Self {
        match self {
            Self::Serving | Self::Shutdown { .. } => Self::Serving,
            Self::Final { .. } => self,
        }
    }

    fn at_most(self, by: Time) -> Time {
        match self {
            Self::Serving => by,
            Self::Shutdown { by: before } | Self::Final { by: before, .. } => by.min(before),
        }
    }
}
