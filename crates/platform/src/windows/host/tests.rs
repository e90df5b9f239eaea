//! The real handler, called as the service manager calls it.

use std::future::Future;
use std::task::{self, Poll, Waker};

use windows_sys::Win32::System::Services::{
    SERVICE_CONTROL_INTERROGATE, SERVICE_CONTROL_PARAMCHANGE, SERVICE_CONTROL_PAUSE,
    SERVICE_CONTROL_POWEREVENT, SERVICE_CONTROL_PRESHUTDOWN, SERVICE_CONTROL_SESSIONCHANGE,
    SERVICE_CONTROL_SHUTDOWN, SERVICE_CONTROL_STOP,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    PBT_APMPOWERSTATUSCHANGE, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND, PBT_APMSUSPEND,
    WTS_CONSOLE_CONNECT, WTS_CONSOLE_DISCONNECT, WTS_REMOTE_CONNECT, WTS_REMOTE_DISCONNECT,
    WTS_SESSION_CREATE, WTS_SESSION_LOCK, WTS_SESSION_LOGOFF, WTS_SESSION_LOGON, WTS_SESSION_REMOTE_CONTROL,
    WTS_SESSION_TERMINATE, WTS_SESSION_UNLOCK,
};

use super::*;
use crate::{Hint, SessionChange};

fn context() -> Context {
    let limits = Limits { preshutdown: Duration::from_secs(10), shutdown: Duration::from_secs(5) };
    Context { inbox: Inbox::new(), limits }
}

fn call(context: &Context, control: u32, event: u32, data: Option<&WTSSESSION_NOTIFICATION>) -> u32 {
    let data = data.map_or(ptr::null_mut(), |data| ptr::from_ref(data).cast_mut().cast());
    // SAFETY: as the manager calls it: the data is null or a notification, the context is one that lives.
    unsafe { handler(control, event, data, ptr::from_ref(context).cast_mut().cast()) }
}

fn heard(context: &Context) -> Option<Notice> {
    let mut waker = task::Context::from_waker(Waker::noop());
    match std::pin::pin!(context.inbox.next()).poll(&mut waker) {
        Poll::Ready(notice) => Some(notice),
        Poll::Pending => None,
    }
}

#[test]
fn every_session_change_reaches_the_inbox_with_its_session() {
    let context = context();
    let changes = [
        (WTS_CONSOLE_CONNECT, SessionChange::ConsoleConnect),
        (WTS_CONSOLE_DISCONNECT, SessionChange::ConsoleDisconnect),
        (WTS_REMOTE_CONNECT, SessionChange::RemoteConnect),
        (WTS_REMOTE_DISCONNECT, SessionChange::RemoteDisconnect),
        (WTS_SESSION_LOGON, SessionChange::Logon),
        (WTS_SESSION_LOGOFF, SessionChange::Logoff),
        (WTS_SESSION_LOCK, SessionChange::Lock),
        (WTS_SESSION_UNLOCK, SessionChange::Unlock),
        (WTS_SESSION_REMOTE_CONTROL, SessionChange::RemoteControl),
        (WTS_SESSION_CREATE, SessionChange::Created),
        (WTS_SESSION_TERMINATE, SessionChange::Terminated),
    ];
    for (reason, change) in changes {
        let data =
            WTSSESSION_NOTIFICATION { cbSize: size_of::<WTSSESSION_NOTIFICATION>() as u32, dwSessionId: 7 };
        assert_eq!(call(&context, SERVICE_CONTROL_SESSIONCHANGE, reason, Some(&data)), NO_ERROR);
        assert_eq!(heard(&context), Some(Notice::Session { change, session: Some(7) }));
    }
    // Data that is not there, or too short to be what it should be, is not read; the hint counts.
    let short = WTSSESSION_NOTIFICATION { cbSize: 4, dwSessionId: 7 };
    for data in [None, Some(&short)] {
        assert_eq!(call(&context, SERVICE_CONTROL_SESSIONCHANGE, WTS_SESSION_LOGON, data), NO_ERROR);
        let notice = Notice::Session { change: SessionChange::Logon, session: None };
        assert_eq!(heard(&context), Some(notice));
    }
}

#[test]
fn stop_shutdown_and_preshutdown_come_with_their_deadlines() {
    let context = context();
    let stop = |control| {
        assert_eq!(call(&context, control, 0, None), NO_ERROR);
        heard(&context)
    };
    let notice = |shutdown, within: Option<u64>| {
        Some(Notice::Stop { shutdown, within: within.map(Duration::from_secs) })
    };
    assert_eq!(stop(SERVICE_CONTROL_STOP), notice(false, None));
    assert_eq!(stop(SERVICE_CONTROL_PRESHUTDOWN), notice(true, Some(9)));
    assert_eq!(stop(SERVICE_CONTROL_SHUTDOWN), notice(true, Some(4)));
}

#[test]
fn power_reload_and_questions() {
    let context = context();
    let power = |event| {
        assert_eq!(call(&context, SERVICE_CONTROL_POWEREVENT, event, None), NO_ERROR);
        heard(&context)
    };
    assert_eq!(power(PBT_APMSUSPEND), Some(Notice::Power(Hint::Suspend)));
    assert_eq!(power(PBT_APMRESUMEAUTOMATIC), Some(Notice::Power(Hint::Resume)));
    assert_eq!(power(PBT_APMRESUMESUSPEND), Some(Notice::Power(Hint::Resume)));
    assert_eq!(power(PBT_APMPOWERSTATUSCHANGE), None);
    assert_eq!(call(&context, SERVICE_CONTROL_PARAMCHANGE, 0, None), NO_ERROR);
    assert_eq!(heard(&context), Some(Notice::Reload));
    assert_eq!(call(&context, SERVICE_CONTROL_INTERROGATE, 0, None), NO_ERROR);
    assert_eq!(heard(&context), None);
}

#[test]
fn what_it_does_not_know_it_says_so() {
    let context = context();
    for control in [SERVICE_CONTROL_PAUSE, 128, 255] {
        assert_eq!(call(&context, control, 0, None), ERROR_CALL_NOT_IMPLEMENTED);
        assert_eq!(heard(&context), None);
    }
}
