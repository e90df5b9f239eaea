//! What the numbers mean that the service manager calls the handler with.
//!
//! <https://learn.microsoft.com/windows/win32/api/winsvc/nc-winsvc-lphandler_function_ex>. This file is plain work with numbers and
//! is tested on every system; that they are the system's own is tested on Windows.

use std::time::Duration;

use crate::{Hint, Notice, SessionChange};

pub(super) const STOP: u32 = 1;
pub(super) const INTERROGATE: u32 = 4;
pub(super) const SHUTDOWN: u32 = 5;
pub(super) const PARAMCHANGE: u32 = 6;
pub(super) const POWEREVENT: u32 = 13;
pub(super) const SESSIONCHANGE: u32 = 14;
pub(super) const PRESHUTDOWN: u32 = 15;

/// `PBT_APMSUSPEND`, `PBT_APMRESUMESUSPEND` (a person woke the machine) and `PBT_APMRESUMEAUTOMATIC` (always sent, and first).
pub(super) const SUSPEND: u32 = 4;
pub(super) const RESUME_SUSPEND: u32 = 7;
pub(super) const RESUME_AUTOMATIC: u32 = 18;

/// How long the system waits for this service when it goes down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// After the announcement: the service's own time-out.
    pub(crate) preshutdown: Duration,
    /// After the shutdown itself, which all services share.
    pub(crate) shutdown: Duration,
}

/// What a control is to us.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Something to pass on.
    Notice(Notice),
    /// Nothing to do, and nothing wrong.
    Nothing,
    /// A control that this service does not have.
    Unknown,
}

/// Reads what the handler was called with: the control, its event type, and the session of its data where it has one.
pub(super) fn decode(control: u32, event: u32, session: Option<u32>, limits: &Limits) -> Decoded {
    Decoded::Notice(match control {
        STOP => Notice::Stop { shutdown: false, within: None },
        PRESHUTDOWN => Notice::Stop { shutdown: true, within: Some(cautious(limits.preshutdown)) },
        SHUTDOWN => Notice::Stop { shutdown: true, within: Some(cautious(limits.shutdown)) },
        PARAMCHANGE => Notice::Reload,
        SESSIONCHANGE => Notice::Session { change: change(event), session },
        POWEREVENT => match event {
            SUSPEND => Notice::Power(Hint::Suspend),
            RESUME_SUSPEND | RESUME_AUTOMATIC => Notice::Power(Hint::Resume),
            // The battery, the lid, the power plan: nothing that an agent is started or stopped for.
            _ => return Decoded::Nothing,
        },
        // The manager answers this one itself, from the last status that it was told.
        INTERROGATE => return Decoded::Nothing,
        _ => return Decoded::Unknown,
    })
}

fn change(reason: u32) -> SessionChange {
    match reason {
        1 => SessionChange::ConsoleConnect,
        2 => SessionChange::ConsoleDisconnect,
        3 => SessionChange::RemoteConnect,
        4 => SessionChange::RemoteDisconnect,
        5 => SessionChange::Logon,
        6 => SessionChange::Logoff,
        7 => SessionChange::Lock,
        8 => SessionChange::Unlock,
        9 => SessionChange::RemoteControl,
        10 => SessionChange::Created,
        11 => SessionChange::Terminated,
        other => SessionChange::Other(other),
    }
}

/// What agents are given of the system's time: the end of the last one must still be seen, logged and reported.
fn cautious(limit: Duration) -> Duration {
    limit.saturating_sub(Duration::from_secs(1)).max(limit / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits =
        Limits { preshutdown: Duration::from_secs(20), shutdown: Duration::from_millis(1500) };

    fn decoded(control: u32, event: u32, session: Option<u32>) -> Decoded {
        decode(control, event, session, &LIMITS)
    }

    #[test]
    fn every_session_change_has_its_name() {
        let names = [
            SessionChange::ConsoleConnect,
            SessionChange::ConsoleDisconnect,
            SessionChange::RemoteConnect,
            SessionChange::RemoteDisconnect,
            SessionChange::Logon,
            SessionChange::Logoff,
            SessionChange::Lock,
            SessionChange::Unlock,
            SessionChange::RemoteControl,
            SessionChange::Created,
            SessionChange::Terminated,
        ];
        for (reason, change) in (1..).zip(names) {
            let notice = Notice::Session { change, session: Some(3) };
            assert_eq!(decoded(SESSIONCHANGE, reason, Some(3)), Decoded::Notice(notice));
        }
        // A later Windows, or data that could not be read, is a hint all the same.
        let notice = Notice::Session { change: SessionChange::Other(12), session: None };
        assert_eq!(decoded(SESSIONCHANGE, 12, None), Decoded::Notice(notice));
    }

    #[test]
    fn sleep_and_wake_are_told_and_the_battery_is_not() {
        let power = |event| decoded(POWEREVENT, event, None);
        assert_eq!(power(4), Decoded::Notice(Notice::Power(Hint::Suspend)));
        assert_eq!(power(7), Decoded::Notice(Notice::Power(Hint::Resume)));
        assert_eq!(power(18), Decoded::Notice(Notice::Power(Hint::Resume)));
        for other in [0, 2, 9, 10, 11, 0x8013] {
            assert_eq!(power(other), Decoded::Nothing, "{other}");
        }
    }

    #[test]
    fn a_stop_lasts_as_long_as_it_takes_and_a_shutdown_as_long_as_it_may() {
        let stop = |shutdown, within| Decoded::Notice(Notice::Stop { shutdown, within });
        assert_eq!(decoded(STOP, 0, None), stop(false, None));
        assert_eq!(decoded(PRESHUTDOWN, 0, None), stop(true, Some(Duration::from_secs(19))));
        assert_eq!(decoded(SHUTDOWN, 0, None), stop(true, Some(Duration::from_millis(750))));
        assert_eq!(decoded(PARAMCHANGE, 0, None), Decoded::Notice(Notice::Reload));
        assert_eq!(decoded(INTERROGATE, 0, None), Decoded::Nothing);
    }

    #[test]
    fn what_it_does_not_accept_it_does_not_know() {
        // Pause, continue, the network's, devices, hardware profiles, time, triggers, and what a program may make up.
        for control in [0, 2, 3, 7, 8, 9, 10, 11, 12, 16, 32, 96, 128, 200, 255, 256, u32::MAX] {
            assert_eq!(decoded(control, 0, None), Decoded::Unknown, "{control}");
        }
    }
}
