//! Suspend, shutdown and the end of the service.
//!
//! Between suspend and resume timers stand still: a machine that was frozen half way into a grace must not wake up to a
//! kill. The end of the service or of the machine is the exception, for nobody would wait for it.

use alloc::vec::Vec;
use core::time::Duration;

use crate::instance::{Input, State};
use crate::mode::Mode;
use crate::{Action, InstanceKey, StopReason, Supervisor, Time};

/// What was said about an end under way.
#[derive(Clone, Debug, Default)]
pub(crate) struct End {
    /// When the last process is gone.
    deadline: Time,
    /// What was reported last.
    reported: Option<(u32, Time)>,
    finished: bool,
}

impl Supervisor {
    pub(crate) fn suspend(&mut self) {
        if self.suspended.is_none() {
            self.suspended = Some(self.now);
            self.freeze();
        }
    }

    pub(crate) fn resume(&mut self) {
        self.suspended = None;
        self.thaw();
    }

    pub(crate) fn shutdown_announced(&mut self, within: Duration) {
        self.thaw();
        self.mode = self.mode.shutdown(self.now, within);
        self.review_mode();
    }

    pub(crate) fn shutdown_called_off(&mut self) {
        let before = self.mode;
        self.mode = self.mode.called_off();
        if self.mode != before {
            self.end = End::default();
            if self.suspended.is_some() {
                self.freeze();
            }
            self.review_mode();
        }
    }

    pub(crate) fn stop(&mut self, why: StopReason, within: Duration) {
        self.thaw();
        self.mode = self.mode.stop(self.now, why, within, self.on_service_stop);
        self.review_mode();
    }

    /// Says how far an end has come, where that changed, and that it is over, once.
    pub(crate) fn report_progress(&mut self) {
        if !self.mode.is_ending() || self.end.finished {
            return;
        }
        let progress = (self.live, self.end.deadline);
        let is_news = match self.end.reported {
            None => self.live > 0,
            Some(reported) => reported != progress && (self.live, reported.0) != (0, 0),
        };
        if is_news {
            self.end.reported = Some(progress);
            self.actions.push_back(Action::Progress { remaining: self.live, deadline: self.end.deadline });
        }
        if self.live == 0 && matches!(self.mode, Mode::Final { .. }) {
            self.end.finished = true;
            self.actions.push_back(Action::Finished);
        }
    }

    /// Computes when the last process is gone. A launch that is still under way is stopped by the end of all at the latest.
    pub(crate) fn update_end(&mut self) {
        let by = match self.mode {
            Mode::Serving => return,
            Mode::Shutdown { by } | Mode::Final { by, .. } => by,
        };
        let last = |state: &State| match *state {
            State::Stopping { deadline, .. } => deadline,
            State::Starting | State::Running { .. } => by,
            State::Waiting { .. } | State::Held(_) | State::Released => Time::ZERO,
        };
        let latest = self.slots.values().map(|slot| last(&slot.view.state)).max();
        self.end.deadline = latest.unwrap_or(Time::ZERO).max(self.now);
    }

    /// Every instance looks at the new mode.
    fn review_mode(&mut self) {
        let all: Vec<InstanceKey> = self.slots.keys().collect();
        for key in all {
            if let Some(slot) = self.slots.get(key) {
                let want = slot.want;
                self.drive(key, Input::Review(want));
            }
        }
        self.update_end();
    }

    fn freeze(&mut self) {
        match self.mode {
            Mode::Serving => self.frozen = Some(self.now),
            Mode::Shutdown { .. } | Mode::Final { .. } => {}
        }
    }

    /// Timers go on: every deadline moves by the time that they stood still.
    fn thaw(&mut self) {
        let Some(since) = self.frozen.take() else { return };
        let by = self.now - since;
        for (key, slot) in self.slots.iter_mut() {
            let before = slot.view.state;
            slot.shift(by);
            let entry = self.specs.get(key.spec).expect("a spec stays as long as it has instances");
            let deadline = slot.deadline(&entry.spec);
            self.timers.set(key, &mut slot.armed, deadline, false);
            if slot.view.state != before {
                self.actions.push_back(Action::Changed(key));
            }
        }
    }
}
