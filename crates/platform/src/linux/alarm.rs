//! One deadline, precise to the clock.

use std::io;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::os::fd::OwnedFd;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A timer that rings once, at a time of [`now`](crate::now)'s clock: timerfd_create(2).
///
/// Tokio's own timers are kept in a wheel whose turning wakes the process a few times on the way to a far deadline. This one
/// wakes it once.
#[derive(Debug)]
pub struct Alarm {
    timer: AsyncFd<OwnedFd>,
    set: Option<u64>,
}

impl Alarm {
    /// An alarm that is not set. Needs a running tokio runtime.
    pub fn new() -> io::Result<Alarm> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // SAFETY: an `OwnedFd` names one open descriptor until it is dropped, and the `AsyncFd` owns it from here on.
        let timer = unsafe { AsyncFd::register_with_interest(timer, Interest::READABLE) }?;
        Ok(Alarm { timer, set: None })
    }

    /// Sets it to ring at this time, at once if that has passed, or never. Costs nothing if it is set so already.
    pub fn set(&mut self, at: Option<u64>) {
        if self.set == at {
            return;
        }
        self.set = at;
        let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value = at.map_or(zero, |at| {
            // All zeros would mean "never".
            let at = at.max(1);
            Timespec {
                tv_sec: (at / 1_000_000_000).cast_signed(),
                tv_nsec: (at % 1_000_000_000).cast_signed(),
            }
        });
        let timer = Itimerspec { it_interval: zero, it_value: value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &timer)
            .expect("a timerfd takes every absolute time below 2^63 s");
    }

    /// Resolves once when the time that was set has come; it must be set again to ring again. Cancel safe.
    pub async fn ring(&mut self) {
        loop {
            let Ok(mut ready) = self.timer.readable().await else { return std::future::pending().await };
            let mut count = [0u8; 8];
            // It fails where the alarm was set anew between the wake-up and the read.
            if let Ok(Ok(_)) = ready.try_io(|timer| Ok(rustix::io::read(timer, &mut count)?)) {
                self.set = None;
                return;
            }
        }
    }
}
