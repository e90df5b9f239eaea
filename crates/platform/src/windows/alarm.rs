//! One deadline.

use std::io;
use std::time::Duration;

/// A timer that rings once, at a time of [`now`](crate::now)'s clock.
#[derive(Debug)]
pub struct Alarm {
    set: Option<u64>,
}

impl Alarm {
    /// An alarm that is not set.
    pub fn new() -> io::Result<Alarm> {
        Ok(Alarm { set: None })
    }

    /// Sets it to ring at this time, at once if that has passed, or never.
    pub fn set(&mut self, at: Option<u64>) {
        self.set = at;
    }

    /// Resolves once when the time that was set has come; it must be set again to ring again. Cancel safe.
    pub async fn ring(&mut self) {
        let Some(at) = self.set else { return std::future::pending().await };
        loop {
            let left = at.saturating_sub(crate::now());
            if left == 0 {
                self.set = None;
                return;
            }
            // Time asleep counts for the sleep but not for the clock, so the clock has the last word.
            tokio::time::sleep(Duration::from_nanos(left)).await;
        }
    }
}
