//! Telling a person something on their desktop, and asking them.

use std::io;
use std::thread;
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use windows_sys::Win32::System::RemoteDesktop::{WTS_CURRENT_SERVER_HANDLE, WTSSendMessageW};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    IDABORT, IDCANCEL, IDIGNORE, IDNO, IDOK, IDRETRY, IDTIMEOUT, IDYES, MB_ABORTRETRYIGNORE, MB_ICONERROR,
    MB_ICONINFORMATION, MB_ICONWARNING, MB_OK, MB_OKCANCEL, MB_RETRYCANCEL, MB_SETFOREGROUND, MB_YESNO,
    MB_YESNOCANCEL, MESSAGEBOX_RESULT, MESSAGEBOX_STYLE,
};

use super::handle::succeeded;
use crate::{Answer, Buttons, Error, Gravity, Message, Station};

/// Whether a person can be asked something and not only told.
pub const MESSAGES_ANSWER: bool = true;

/// How many messages are waited for at once. Each is a thread, since the call blocks until the answer, and a thread ends with
/// its message: a terminal server's users can be asked side by side, and no flood of questions becomes a flood of threads.
static AT_ONCE: Semaphore = Semaphore::const_new(256);

/// What a thread needs that makes one call.
const STACK_BYTES: usize = 128 * 1024;

/// How long the system may take over a message apart from the person's time. A terminal service that hangs keeps its thread,
/// and nobody else.
const MARGIN: Duration = Duration::from_secs(5);

/// Shows a message box in a session: `WTSSendMessageW`. It belongs to the system, not to this program, so it is no dialog in the
/// service's own session. Answers `None` where no answer was waited for.
pub async fn notify_user(station: &Station, message: &Message) -> Result<Option<Answer>, Error> {
    let failed = |source: io::Error| Error::Notify { user: station.name(), source: source.into() };
    let within = MARGIN + if message.wait { stay(message) } else { Duration::ZERO };
    let turn = tokio::time::timeout(within, AT_ONCE.acquire()).await;
    let Ok(Ok(turn)) = turn else {
        return Err(failed(io::Error::other("too many other messages wait for their answers")));
    };
    let (tell, told) = oneshot::channel();
    let (session, message) = (station.session(), message.clone());
    // Not a thread of the runtime's: those are waited for when the service ends.
    let thread = thread::Builder::new().name("message".into()).stack_size(STACK_BYTES);
    let started = thread.spawn(move || {
        let answer = send(session, &message);
        drop(turn);
        // Whoever asked may have left.
        let _ = tell.send(answer);
    });
    started.map_err(failed)?;
    match tokio::time::timeout(within, told).await {
        Ok(Ok(answer)) => answer.map_err(failed),
        Ok(Err(_)) => Err(failed(io::Error::other("the thread that showed it has failed"))),
        Err(_) => Err(failed(io::Error::from(io::ErrorKind::TimedOut))),
    }
}

/// How long a message that is waited for stays.
fn stay(message: &Message) -> Duration {
    message.timeout.unwrap_or(Message::ANSWER_WITHIN).min(Message::TIMEOUT_MAX)
}

/// Blocks until the answer, if it is waited for.
fn send(session: u32, message: &Message) -> io::Result<Option<Answer>> {
    let (title, text) = (units(&message.title), units(&message.text));
    let timeout = if message.wait { stay(message) } else { message.timeout.unwrap_or_default() };
    let mut response = 0;
    // SAFETY: both texts are as long as said, in bytes; `response` is ours to be written.
    succeeded(unsafe {
        WTSSendMessageW(
            WTS_CURRENT_SERVER_HANDLE,
            session,
            title.as_ptr(),
            size_of_val(&title[..]) as u32,
            text.as_ptr(),
            size_of_val(&text[..]) as u32,
            style(message),
            seconds(timeout),
            &mut response,
            message.wait.into(),
        )
    })?;
    if !message.wait {
        return Ok(None);
    }
    match answer(response) {
        Some(answer) => Ok(Some(answer)),
        None => Err(io::Error::other(format!("the system answered {response}, which is no button"))),
    }
}

/// UTF-16 with a zero at its end, which is part of the length. One inside would cut the text short without a word.
fn units(text: &str) -> Vec<u16> {
    text.encode_utf16().filter(|unit| *unit != 0).chain([0]).collect()
}

/// Whole seconds, and never less than asked for: to the system, 0 means for ever.
fn seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
}

fn style(message: &Message) -> MESSAGEBOX_STYLE {
    let buttons = match message.buttons {
        Buttons::Ok => MB_OK,
        Buttons::OkCancel => MB_OKCANCEL,
        Buttons::YesNo => MB_YESNO,
        Buttons::YesNoCancel => MB_YESNOCANCEL,
        Buttons::RetryCancel => MB_RETRYCANCEL,
        Buttons::AbortRetryIgnore => MB_ABORTRETRYIGNORE,
    };
    let icon = match message.gravity {
        Gravity::Info => MB_ICONINFORMATION,
        Gravity::Warning => MB_ICONWARNING,
        Gravity::Error => MB_ICONERROR,
    };
    buttons | icon | MB_SETFOREGROUND
}

fn answer(response: MESSAGEBOX_RESULT) -> Option<Answer> {
    Some(match response {
        IDOK => Answer::Ok,
        IDCANCEL => Answer::Cancel,
        IDYES => Answer::Yes,
        IDNO => Answer::No,
        IDRETRY => Answer::Retry,
        IDABORT => Answer::Abort,
        IDIGNORE => Answer::Ignore,
        IDTIMEOUT => Answer::TimedOut,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_out_is_not_for_ever() {
        assert_eq!(seconds(Duration::from_millis(1)), 1);
        assert_eq!(seconds(Duration::from_secs(30)), 30);
        assert_eq!(seconds(Duration::ZERO), 0);
    }

    #[test]
    fn a_zero_does_not_cut_a_message_short() {
        assert_eq!(units("a\0b"), [97, 98, 0]);
    }
}
