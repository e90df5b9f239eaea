//! The ladder from a polite request to a kill.
//!
//! A connected agent is asked on the wire at once, its process is told the operating system's way at half the grace, and
//! killed at its end. One that is not connected is told at once. Once killed, it is killed again every second until its
//! end is confirmed: between the look-up and the kill a process may have forked.

use core::time::Duration;

use super::{Context, Fate, Slot, State};
use crate::mode::Mode;
use crate::{Action, OnServiceStop, Stage, StopReason, Time};

/// How soon a kill is repeated.
const KILL_AGAIN: Duration = Duration::from_secs(1);

/// What follows a stop. Whether the instance is still wanted then, and with which spec, is looked up at that time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum After {
    /// It is started again, waits, or is removed, whatever is wanted.
    #[default]
    Settle,
    /// The same, after it is counted as a failure.
    Fail,
    /// It is held for the operator.
    Hold,
}

/// The private part of [`State::Stopping`].
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ladder {
    began: Time,
    kill_again: Time,
    /// Whether the agent was asked on the wire.
    asked: bool,
}

impl Ladder {
    /// When the next rung is due.
    pub(super) fn next(&self, stage: Stage, deadline: Time) -> Time {
        match stage {
            Stage::Asked => self.began + (deadline - self.began) / 2,
            Stage::Terminated => deadline,
            Stage::Killed => self.kill_again,
        }
    }

    pub(super) fn shift(&mut self, by: Duration) {
        self.began = self.began + by;
        self.kill_again = self.kill_again + by;
    }
}

impl Slot {
    /// Begins to stop a running process; or lets go of it, where the service ends and the configuration says keep.
    pub(super) fn stop(&mut self, cx: &mut Context<'_>, why: StopReason, after: After) -> Fate {
        if self.is_healthy(cx) {
            self.failures.healthy();
            self.view.crash_loop = false;
        }
        if why == StopReason::Reload {
            // The failures were those of another program.
            self.forget();
        }
        self.after = after;
        let by = match cx.mode {
            Mode::Serving => None,
            Mode::Shutdown { by } => Some(*by),
            Mode::Final { keep: OnServiceStop::Keep, .. } => {
                cx.actions.push_back(Action::Abandon(cx.key, self.view.generation));
                return Fate::Removed;
            }
            Mode::Final { by, .. } => Some(*by),
        };
        let full = cx.clock + cx.spec.grace;
        let deadline = by.map_or(full, |by| by.min(full));
        self.ladder = Ladder { began: cx.clock, kill_again: cx.clock, asked: false };
        let stage = if deadline <= cx.clock {
            self.kill(cx);
            Stage::Killed
        } else if self.view.connected {
            self.ask(cx, why, deadline);
            Stage::Asked
        } else {
            cx.actions.push_back(Action::Terminate(cx.key, self.view.generation));
            Stage::Terminated
        };
        self.enter(cx, State::Stopping { stage, deadline, why });
        Fate::Stays
    }

    /// Does what is due in a stop. Where both rungs are, only the kill.
    pub(super) fn climb(&mut self, cx: &mut Context<'_>) -> Fate {
        let State::Stopping { stage, deadline, why } = self.view.state else { return Fate::Stays };
        if self.ladder.next(stage, deadline) > cx.clock {
            return Fate::Stays;
        }
        let stage = match stage {
            Stage::Asked if cx.clock < deadline => {
                cx.actions.push_back(Action::Terminate(cx.key, self.view.generation));
                Stage::Terminated
            }
            Stage::Asked | Stage::Terminated | Stage::Killed => {
                self.kill(cx);
                Stage::Killed
            }
        };
        // Still the same stop: `entered` stays.
        self.view.state = State::Stopping { stage, deadline, why };
        Fate::Stays
    }

    /// The service or the machine ends: `why` is now the reason, and `by` the latest time. Never lengthens a stop.
    pub(super) fn shorten(&mut self, cx: &mut Context<'_>, why: StopReason, by: Time) -> Fate {
        let State::Stopping { stage, deadline, .. } = self.view.state else { return Fate::Stays };
        self.view.state = State::Stopping { stage, deadline: deadline.min(by), why };
        self.climb(cx)
    }

    /// Asks an agent on the wire that connected only after its stop had begun.
    pub(super) fn ask_late(&mut self, cx: &mut Context<'_>) {
        let State::Stopping { stage, deadline, why } = self.view.state else { return };
        match stage {
            Stage::Asked | Stage::Terminated if !self.ladder.asked => self.ask(cx, why, deadline),
            Stage::Asked | Stage::Terminated | Stage::Killed => {}
        }
    }

    fn ask(&mut self, cx: &mut Context<'_>, reason: StopReason, deadline: Time) {
        self.ladder.asked = true;
        let (instance, generation) = (cx.key, self.view.generation);
        cx.actions.push_back(Action::AskToStop { instance, generation, reason, deadline });
    }

    fn kill(&mut self, cx: &mut Context<'_>) {
        self.ladder.kill_again = cx.clock + KILL_AGAIN;
        cx.actions.push_back(Action::Kill(cx.key, self.view.generation));
    }
}
