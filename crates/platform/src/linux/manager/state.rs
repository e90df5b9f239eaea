//! What systemd says of a unit, in the words that both systems share.

use std::path::PathBuf;
use std::time::Duration;

use crate::{RunEnd, RunState, RunStatus};

/// Of the siginfo of a process that ended: it exited by itself. waitid(2).
const CLD_EXITED: i32 = libc::CLD_EXITED;

/// The properties of a unit that anybody here asks for: org.freedesktop.systemd1(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct UnitFacts {
    /// Its own name; another one if it was asked for by an alias.
    pub(super) id: String,
    /// `loaded`, `not-found`, `masked`, `bad-setting`, …
    pub(super) load_state: String,
    /// `active`, `inactive`, `activating`, …
    pub(super) active_state: String,
    /// `running`, `auto-restart`, …
    pub(super) sub_state: String,
    /// The file that it comes from; empty if from none.
    pub(super) fragment: PathBuf,
    /// Files that change what that one says.
    pub(super) drop_ins: Vec<String>,
    /// `enabled`, `disabled`, `static`, …; empty for a unit without a file.
    pub(super) file_state: String,
    /// 0 while there is none.
    pub(super) main_pid: u32,
    /// `success`, `exit-code`, `signal`, `watchdog`, `timeout`, …: how its last life ended.
    pub(super) result: String,
    /// How its last process ended, as in waitid(2); 0 before that.
    pub(super) exec_code: i32,
    /// Its exit code or its signal.
    pub(super) exec_status: i32,
    /// systemd is about to start, stop or reload it.
    pub(super) has_job: bool,
}

impl UnitFacts {
    /// Whether there is such a unit.
    pub(super) fn is_found(&self) -> bool {
        !matches!(self.load_state.as_str(), "" | "not-found")
    }

    /// Whether somebody forbade that it is ever started.
    pub(super) fn is_masked(&self) -> bool {
        self.load_state == "masked"
    }

    /// What it does.
    pub(super) fn state(&self) -> RunStatus {
        let state = match (self.active_state.as_str(), self.sub_state.as_str()) {
            // A start that was asked for and has not begun.
            ("inactive" | "failed", _) | ("activating", "auto-restart") if self.has_job => RunState::Starting,
            ("activating", "auto-restart" | "auto-restart-queued") => RunState::Retrying,
            ("activating", _) => RunState::Starting,
            ("deactivating", _) => RunState::Stopping,
            ("inactive" | "failed" | "maintenance", _) => RunState::Stopped,
            // Active, reloading, refreshing, and whatever a later systemd adds.
            _ => RunState::Running,
        };
        RunStatus {
            state,
            pid: (self.main_pid != 0).then_some(self.main_pid),
            ended: matches!(state, RunState::Stopped | RunState::Retrying).then(|| self.end()).flatten(),
            checkpoint: 0,
            // systemd itself ends a start and a stop that take too long.
            wait_hint: match state {
                RunState::Starting | RunState::Stopping => Duration::MAX,
                RunState::Running | RunState::Stopped | RunState::Retrying | RunState::Paused => {
                    Duration::ZERO
                }
            },
        }
    }

    fn end(&self) -> Option<RunEnd> {
        match (self.result.as_str(), self.exec_code) {
            ("watchdog", _) => Some(RunEnd::Hung),
            ("timeout", _) => Some(RunEnd::TimedOut),
            (_, 0) => None,
            ("success", _) => Some(RunEnd::Clean),
            (_, CLD_EXITED) => Some(RunEnd::Code(self.exec_status.cast_unsigned())),
            _ => Some(RunEnd::Signal(u8::try_from(self.exec_status).unwrap_or_default())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(active: &str, sub: &str, result: &str, code: i32, status: i32) -> UnitFacts {
        UnitFacts {
            active_state: active.to_owned(),
            sub_state: sub.to_owned(),
            result: result.to_owned(),
            exec_code: code,
            exec_status: status,
            ..UnitFacts::default()
        }
    }

    #[test]
    fn states_and_ends_in_our_words() {
        let said = |active, sub, result, code, status| {
            let status = facts(active, sub, result, code, status).state();
            (status.state, status.ended)
        };
        use RunState::{Retrying, Running, Starting, Stopped, Stopping};
        assert_eq!(said("active", "running", "success", 0, 0), (Running, None));
        assert_eq!(said("reloading", "reload", "success", 0, 0), (Running, None));
        assert_eq!(said("activating", "start", "exit-code", 1, 1), (Starting, None));
        assert_eq!(said("deactivating", "stop-sigterm", "success", 0, 0), (Stopping, None));
        assert_eq!(said("inactive", "dead", "success", 0, 0), (Stopped, None));
        assert_eq!(said("inactive", "dead", "success", 1, 0), (Stopped, Some(RunEnd::Clean)));
        assert_eq!(said("failed", "failed", "exit-code", 1, 2), (Stopped, Some(RunEnd::Code(2))));
        assert_eq!(said("activating", "auto-restart", "signal", 2, 9), (Retrying, Some(RunEnd::Signal(9))));
        assert_eq!(said("failed", "failed", "core-dump", 3, 6), (Stopped, Some(RunEnd::Signal(6))));
        assert_eq!(said("activating", "auto-restart", "watchdog", 3, 6), (Retrying, Some(RunEnd::Hung)));
        assert_eq!(said("failed", "failed", "timeout", 2, 15), (Stopped, Some(RunEnd::TimedOut)));
        let asked_for = UnitFacts { has_job: true, ..facts("failed", "failed", "exit-code", 1, 2) };
        assert_eq!(asked_for.state().state, Starting);
    }
}
