//! The hidden window through which Windows tells a program about its session and about sleep.
//!
//! It must be a top-level window: a message-only one is told nothing of the end of a session. A console program that has
//! windows is not told by its console either, so that this is where a logoff is seen. It lives on a thread of its own, which waits in
//! the message loop and wakes for nothing else.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc as blocking;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use std::{io, ptr};

use tokio::sync::mpsc;
use windows_sys::Win32::Foundation::{HWND, LPARAM, LRESULT, TRUE, WPARAM};
use windows_sys::Win32::System::RemoteDesktop::{
    NOTIFY_FOR_THIS_SESSION, WTSRegisterSessionNotification, WTSUnRegisterSessionNotification,
};
use windows_sys::Win32::UI::WindowsAndMessaging::{
    CreateWindowExW, DefWindowProcW, DestroyWindow, DispatchMessageW, ENDSESSION_LOGOFF, GetMessageW,
    HWND_MESSAGE, KillTimer, MSG, PBT_APMRESUMEAUTOMATIC, PBT_APMRESUMESUSPEND, PBT_APMSUSPEND, PostMessageW,
    PostQuitMessage, RegisterClassExW, SetTimer, WM_APP, WM_DESTROY, WM_ENDSESSION, WM_POWERBROADCAST,
    WM_QUERYENDSESSION, WM_TIMER, WM_WTSSESSION_CHANGE, WNDCLASSEXW, WTS_SESSION_LOCK, WTS_SESSION_UNLOCK,
};

use super::handle::succeeded;
use super::wide::wide;
use crate::Hint;

/// More than can come before they are read; what is too many is dropped, as an enumeration answers them all.
const HINTS_MAX: usize = 16;

/// How long the end of a session is held up for the agents to stop. After 5 s Windows would call this program hung.
const END_HELD_UP: Duration = Duration::from_millis(4_500);

/// Terminal services that are not up yet, soon after a boot, are asked again this often and this many times.
const SUBSCRIBE_AGAIN_MS: u32 = 1_000;
const SUBSCRIBE_TRIES_MAX: u32 = 120;

/// Our own timer: subscribe again.
const SUBSCRIBE: usize = 1;

/// Our own message: close the window.
const CLOSE: u32 = WM_APP;

/// What the messages said, for hosts that do not answer questions.
#[derive(Default)]
pub(super) struct Seen {
    /// The session is locked.
    pub(super) locked: AtomicBool,
    /// The session is ending.
    pub(super) ending: AtomicBool,
}

/// The window. Dropping it closes it and ends its thread.
pub(super) struct Window {
    hints: mpsc::Receiver<Hint>,
    /// Null where the host has no windows: then there are no hints.
    handle: usize,
    /// Dropped first, so that an end of the session is not held up any longer.
    alive: Option<blocking::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Window {
    /// Opens the window and subscribes.
    pub(super) fn open(seen: Arc<Seen>) -> io::Result<Window> {
        let (sender, hints) = mpsc::channel(HINTS_MAX);
        let (alive, released) = blocking::sync_channel(0);
        let (opened, opening) = blocking::sync_channel(1);
        let listener = Listener { hints: sender, seen, released, tries: Cell::new(0) };
        let thread = thread::Builder::new()
            .name("session".into())
            .stack_size(256 * 1024)
            .spawn(move || run(listener, &opened))?;
        let handle = opening.recv().unwrap_or_else(|_| Err(io::Error::other("the thread ended")));
        let handle = handle.unwrap_or_else(|error| {
            tracing::warn!(%error, "this host has no windows: lock, logoff and sleep are not seen");
            0
        });
        Ok(Window { hints, handle, alive: Some(alive), thread: Some(thread) })
    }

    /// The next hint. Cancel safe.
    pub(super) async fn hint(&mut self) -> Hint {
        match self.hints.recv().await {
            Some(hint) => hint,
            None => std::future::pending().await,
        }
    }

    /// Lets the end of the session go on. There is no other after it.
    pub(super) fn release(&mut self) {
        self.alive = None;
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.release();
        if self.handle != 0 {
            // SAFETY: takes plain values; a window that is gone already makes it fail, and then its thread has ended.
            unsafe { PostMessageW(self.handle as HWND, CLOSE, 0, 0) };
        }
        if let Some(thread) = self.thread.take() {
            // It ran nothing that could panic with something to report.
            let _ = thread.join();
        }
    }
}

/// What the messages are turned into.
struct Listener {
    hints: mpsc::Sender<Hint>,
    seen: Arc<Seen>,
    /// Never gets anything; it ends when the [`Window`] is dropped.
    released: blocking::Receiver<()>,
    /// How often the subscription was tried.
    tries: Cell<u32>,
}

thread_local! {
    /// The window procedure is called on the thread of the window and takes no argument of ours.
    static LISTENER: RefCell<Option<Listener>> = const { RefCell::new(None) };
}

fn run(listener: Listener, opened: &blocking::SyncSender<io::Result<usize>>) {
    LISTENER.set(Some(listener));
    let window = match create() {
        Ok(window) => window,
        Err(error) => {
            LISTENER.set(None);
            // The opener waits for this one message.
            let _ = opened.send(Err(error));
            return;
        }
    };
    with_listener(|listener| listener.subscribe(window));
    let _ = opened.send(Ok(window as usize));
    let mut message = MSG::default();
    // SAFETY: `message` is ours to be written. The loop ends at 0, the message of `PostQuitMessage`, and at -1, an error.
    while (unsafe { GetMessageW(&mut message, ptr::null_mut(), 0, 0) }) > 0 {
        // SAFETY: the message is as it was received.
        unsafe { DispatchMessageW(&message) };
    }
    LISTENER.set(None);
}

/// Makes the window; where the host has no desktop for a top-level one, one that hears of the session but not of its end.
fn create() -> io::Result<HWND> {
    let class = wide("bilayer-session");
    let description = WNDCLASSEXW {
        cbSize: size_of::<WNDCLASSEXW>() as u32,
        lpfnWndProc: Some(procedure),
        lpszClassName: class.as_ptr(),
        ..WNDCLASSEXW::default()
    };
    // SAFETY: the description is complete. That the class is there already, from an earlier window, is no harm.
    unsafe { RegisterClassExW(&description) };
    create_below(&class, ptr::null_mut()).or_else(|error| {
        tracing::warn!(%error, "this host has no desktop: the end of the session is not seen");
        create_below(&class, HWND_MESSAGE)
    })
}

fn create_below(class: &[u16], parent: HWND) -> io::Result<HWND> {
    // SAFETY: the class has its end marker and was registered; without a style the window is never shown.
    let window = unsafe {
        CreateWindowExW(
            0,
            class.as_ptr(),
            class.as_ptr(),
            0,
            0,
            0,
            0,
            0,
            parent,
            ptr::null_mut(),
            ptr::null_mut(),
            ptr::null(),
        )
    };
    if window.is_null() { Err(io::Error::last_os_error()) } else { Ok(window) }
}

unsafe extern "system" fn procedure(window: HWND, message: u32, wparam: WPARAM, lparam: LPARAM) -> LRESULT {
    match message {
        WM_QUERYENDSESSION | WM_POWERBROADCAST | WM_WTSSESSION_CHANGE | WM_ENDSESSION => {
            with_listener(|listener| listener.hear(message, wparam, lparam));
            // "Go ahead", to those that ask.
            TRUE as LRESULT
        }
        WM_TIMER if wparam == SUBSCRIBE => {
            with_listener(|listener| listener.subscribe(window));
            0
        }
        CLOSE => {
            // SAFETY: the window is this one, on its own thread.
            unsafe { WTSUnRegisterSessionNotification(window) };
            // SAFETY: as above.
            unsafe { DestroyWindow(window) };
            0
        }
        WM_DESTROY => {
            // SAFETY: takes a plain value only.
            unsafe { PostQuitMessage(0) };
            0
        }
        // SAFETY: the message as we received it.
        _ => unsafe { DefWindowProcW(window, message, wparam, lparam) },
    }
}

fn with_listener(then: impl FnOnce(&Listener)) {
    LISTENER.with_borrow(|listener| listener.as_ref().map(then));
}

impl Listener {
    /// Subscribes to the session's events; if that fails, again after a while, by a timer of the window.
    fn subscribe(&self, window: HWND) {
        let tries = self.tries.get() + 1;
        self.tries.set(tries);
        // SAFETY: the window is ours and alive.
        let outcome = succeeded(unsafe { WTSRegisterSessionNotification(window, NOTIFY_FOR_THIS_SESSION) });
        let again = outcome.is_err() && tries < SUBSCRIBE_TRIES_MAX;
        match outcome {
            Err(error) if tries == 1 => {
                tracing::warn!(%error, "cannot subscribe to this session's events yet: a lock is seen only at the next reconcile");
            }
            Err(error) if !again => {
                tracing::warn!(%error, "gave up subscribing to this session's events; is the service TermService running?");
            }
            Ok(()) if tries > 1 => {
                tracing::info!("subscribed to this session's events");
                self.hint(Hint::Sessions);
            }
            Ok(()) | Err(_) => {}
        }
        if again {
            // SAFETY: the window is ours and alive; its procedure gets the timer's message. The same timer set again is one timer.
            unsafe { SetTimer(window, SUBSCRIBE, SUBSCRIBE_AGAIN_MS, None) };
        } else {
            // SAFETY: as above. That there is no such timer is no harm.
            unsafe { KillTimer(window, SUBSCRIBE) };
        }
    }

    fn hear(&self, message: u32, wparam: WPARAM, lparam: LPARAM) {
        let event = u32::try_from(wparam).unwrap_or(u32::MAX);
        match message {
            WM_WTSSESSION_CHANGE => {
                match event {
                    WTS_SESSION_LOCK => self.seen.locked.store(true, Ordering::Relaxed),
                    WTS_SESSION_UNLOCK => self.seen.locked.store(false, Ordering::Relaxed),
                    _ => {}
                }
                self.hint(Hint::Sessions);
            }
            WM_POWERBROADCAST => match event {
                PBT_APMSUSPEND => self.hint(Hint::Suspend),
                PBT_APMRESUMEAUTOMATIC | PBT_APMRESUMESUSPEND => self.hint(Hint::Resume),
                _ => {}
            },
            // Only now is it certain; the question before, WM_QUERYENDSESSION, any program may answer with no.
            WM_ENDSESSION if wparam != 0 => {
                self.seen.ending.store(true, Ordering::Relaxed);
                if lparam as u32 & ENDSESSION_LOGOFF == 0 {
                    self.hint(Hint::ShutdownAnnounced { within: END_HELD_UP });
                }
                self.hint(Hint::Sessions);
                // Windows ends this program once we return.
                let _ = self.released.recv_timeout(END_HELD_UP);
            }
            _ => {}
        }
    }

    fn hint(&self, hint: Hint) {
        // Full, or nobody listens any more: neither loses anything that the next enumeration does not tell.
        let _ = self.hints.try_send(hint);
    }
}

#[cfg(test)]
mod tests {
    use windows_sys::Win32::UI::WindowsAndMessaging::WTS_CONSOLE_DISCONNECT;

    use super::*;

    #[test]
    fn messages_become_hints() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = Arc::new(Seen::default());
        let mut window = Window::open(Arc::clone(&seen)).unwrap();
        let handle = window.handle;
        let post = |message, wparam: u32, lparam| {
            // SAFETY: takes plain values only.
            succeeded(unsafe { PostMessageW(handle as HWND, message, wparam as WPARAM, lparam) }).unwrap();
        };
        let mut next = || {
            let hint = async { tokio::time::timeout(Duration::from_secs(10), window.hint()).await };
            runtime.block_on(hint).expect("a hint comes")
        };
        for (event, locked) in
            [(WTS_SESSION_LOCK, true), (WTS_CONSOLE_DISCONNECT, true), (WTS_SESSION_UNLOCK, false)]
        {
            post(WM_WTSSESSION_CHANGE, event, 0);
            assert_eq!(next(), Hint::Sessions);
            assert_eq!(seen.locked.load(Ordering::Relaxed), locked);
        }
        // A subscription that stands only now may have missed something.
        post(WM_TIMER, SUBSCRIBE as u32, 0);
        assert_eq!(next(), Hint::Sessions);
        for (event, hint) in [(PBT_APMSUSPEND, Hint::Suspend), (PBT_APMRESUMEAUTOMATIC, Hint::Resume)] {
            post(WM_POWERBROADCAST, event, 0);
            assert_eq!(next(), hint);
        }
        // The question is not the end: somebody may say no.
        post(WM_QUERYENDSESSION, 0, 0);
        post(WM_ENDSESSION, 0, 0);
        post(WM_ENDSESSION, 1, 0);
        assert_eq!(next(), Hint::ShutdownAnnounced { within: END_HELD_UP });
        assert_eq!(next(), Hint::Sessions);
        assert!(seen.ending.load(Ordering::Relaxed));
        // The end is held up while the window lives, and no longer: else this would take 4.5 s.
        let dropped = std::time::Instant::now();
        drop(window);
        assert!(dropped.elapsed() < END_HELD_UP);
    }
}
