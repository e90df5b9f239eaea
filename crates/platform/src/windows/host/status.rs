//! What the service manager is told about this service.
//!
//! <https://learn.microsoft.com/windows/win32/api/winsvc/ns-winsvc-service_status>

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use windows_sys::Win32::Foundation::{ERROR_SERVICE_SPECIFIC_ERROR, NO_ERROR};
use windows_sys::Win32::System::Services::{
    SERVICE_ACCEPT_PARAMCHANGE, SERVICE_ACCEPT_POWEREVENT, SERVICE_ACCEPT_PRESHUTDOWN,
    SERVICE_ACCEPT_SESSIONCHANGE, SERVICE_ACCEPT_SHUTDOWN, SERVICE_ACCEPT_STOP, SERVICE_RUNNING,
    SERVICE_START_PENDING, SERVICE_STATUS, SERVICE_STATUS_HANDLE, SERVICE_STOP_PENDING, SERVICE_STOPPED,
    SERVICE_WIN32_OWN_PROCESS, SetServiceStatus,
};

use super::super::handle::succeeded;

/// How long the start may take: the configuration is read and folders are made, which a busy boot can slow down.
const START_WITHIN: Duration = Duration::from_secs(30);

/// What is added to the time that agents have, for the service itself to end.
const TO_END: Duration = Duration::from_secs(5);

/// A shutdown is announced with the first of the two; the second reaches a service whose time-out for the first is used up
/// or that the system forgot to ask.
const ACCEPTED: u32 = SERVICE_ACCEPT_STOP
    | SERVICE_ACCEPT_PRESHUTDOWN
    | SERVICE_ACCEPT_SHUTDOWN
    | SERVICE_ACCEPT_SESSIONCHANGE
    | SERVICE_ACCEPT_POWEREVENT
    | SERVICE_ACCEPT_PARAMCHANGE;

/// The one place from which the status is reported, so that reports never overtake each other and none follows the last.
pub(super) struct Status {
    /// A `SERVICE_STATUS_HANDLE`, which is good until the process ends, is never closed, and may be used from any thread.
    handle: usize,
    told: Mutex<Told>,
}

/// What was told last.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    state: State,
    /// Counts the reports of a state that passes: one that goes up says that there is progress.
    checkpoint: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    #[default]
    Starting,
    Running,
    Stopping,
    Stopped,
}

impl Status {
    /// Reports that the service starts.
    pub(super) fn starting(handle: SERVICE_STATUS_HANDLE) -> Status {
        let status = Status { handle: handle as usize, told: Mutex::default() };
        status.tell(State::Starting, START_WITHIN, 0);
        status
    }

    /// Reports that it is up.
    pub(super) fn running(&self) {
        self.tell(State::Running, Duration::ZERO, 0);
    }

    /// Reports that it stops, and how long that can still take.
    pub(super) fn stopping(&self, left: Duration) {
        self.tell(State::Stopping, left + TO_END, 0);
    }

    /// Reports that it has stopped: cleanly with 0, and otherwise with its own code, for which the manager restarts it.
    pub(super) fn stopped(&self, code: u8) {
        self.tell(State::Stopped, Duration::ZERO, code);
    }

    fn tell(&self, state: State, wait: Duration, code: u8) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(status) = told.next(state, wait, code) else { return };
        let handle = self.handle as SERVICE_STATUS_HANDLE;
        // SAFETY: the handle is from `RegisterServiceCtrlHandlerExW` and never closed; the status is complete.
        if let Err(error) = succeeded(unsafe { SetServiceStatus(handle, &status) }) {
            tracing::warn!(%error, ?state, "cannot tell the service manager the state of this service");
        }
    }
}

impl Told {
    /// The report that comes next; `None` if it would lead back.
    fn next(&mut self, state: State, wait: Duration, code: u8) -> Option<SERVICE_STATUS> {
        if state < self.state || (self.state, state) == (State::Stopped, State::Stopped) {
            return None;
        }
        let passes = matches!(state, State::Starting | State::Stopping);
        let checkpoint = match passes {
            true if self.state == state => self.checkpoint + 1,
            true => 1,
            false => 0,
        };
        *self = Told { state, checkpoint };
        Some(SERVICE_STATUS {
            dwServiceType: SERVICE_WIN32_OWN_PROCESS,
            dwCurrentState: match state {
                State::Starting => SERVICE_START_PENDING,
                State::Running => SERVICE_RUNNING,
                State::Stopping => SERVICE_STOP_PENDING,
                State::Stopped => SERVICE_STOPPED,
            },
            dwControlsAccepted: if state == State::Running { ACCEPTED } else { 0 },
            dwWin32ExitCode: if code == 0 { NO_ERROR } else { ERROR_SERVICE_SPECIFIC_ERROR },
            dwServiceSpecificExitCode: code.into(),
            dwCheckPoint: checkpoint,
            dwWaitHint: u32::try_from(wait.as_millis()).unwrap_or(u32::MAX),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn checkpoints_go_up_while_a_state_passes_and_are_0_when_it_is_reached() {
        let mut told = Told::default();
        let mut next = |state, wait| {
            let status = told.next(state, wait, 0).unwrap();
            (status.dwCurrentState, status.dwCheckPoint, status.dwWaitHint)
        };
        assert_eq!(next(State::Starting, 30 * SECOND), (SERVICE_START_PENDING, 1, 30_000));
        assert_eq!(next(State::Running, Duration::ZERO), (SERVICE_RUNNING, 0, 0));
        assert_eq!(next(State::Stopping, 9 * SECOND), (SERVICE_STOP_PENDING, 1, 9_000));
        assert_eq!(next(State::Stopping, 4 * SECOND), (SERVICE_STOP_PENDING, 2, 4_000));
        assert_eq!(next(State::Stopped, Duration::ZERO), (SERVICE_STOPPED, 0, 0));
    }

    #[test]
    fn nothing_follows_the_last_report_and_none_leads_back() {
        let mut told = Told::default();
        assert!(told.next(State::Stopping, SECOND, 0).is_some());
        assert!(told.next(State::Running, SECOND, 0).is_none());
        assert!(told.next(State::Stopped, SECOND, 0).is_some());
        for state in [State::Starting, State::Running, State::Stopping, State::Stopped] {
            assert!(told.next(state, SECOND, 1).is_none());
        }
    }

    #[test]
    fn a_failure_is_one_to_the_manager_too_and_a_clean_end_is_none() {
        let last = |code| {
            let status = Told::default().next(State::Stopped, Duration::ZERO, code).unwrap();
            (status.dwWin32ExitCode, status.dwServiceSpecificExitCode)
        };
        assert_eq!(last(0), (NO_ERROR, 0));
        assert_eq!(last(2), (ERROR_SERVICE_SPECIFIC_ERROR, 2));
    }
}
