//! How many lines an agent may write.

use tokio::time::Instant;

/// Lines a second, in the long run.
pub(super) const LINES_PER_SECOND: u32 = 200;

/// Lines at once, after a silence: a program's start-up chatter or a stack trace.
const BURST: u32 = 2000;

/// A token bucket that counts what it turned away.
#[derive(Debug)]
pub(crate) struct Quota {
    tokens: f64,
    filled: Option<Instant>,
    dropped: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self { tokens: f64::from(BURST), filled: None, dropped: 0 }
    }
}

impl Quota {
    /// Whether one more line may be written now. Counts it as dropped if not.
    pub(crate) fn admit(&mut self, now: Instant) -> bool {
        if let Some(filled) = self.filled {
            let gained = now.duration_since(filled).as_secs_f64() * f64::from(LINES_PER_SECOND);
            self.tokens = (self.tokens + gained).min(f64::from(BURST));
        }
        self.filled = Some(now);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            true
        } else {
            self.dropped += 1;
            false
        }
    }

    /// How many were turned away since the last time this was asked.
    pub(crate) fn take_dropped(&mut self) -> u64 {
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_a_flood_is_counted_and_time_gives_new_tokens() {
        let mut quota = Quota::default();
        let start = Instant::now();
        let passed = (0..10_000).filter(|_| quota.admit(start)).count();
        assert_eq!(passed, BURST as usize);
        assert_eq!(quota.take_dropped(), 10_000 - u64::from(BURST));
        assert_eq!(quota.take_dropped(), 0);
        let passed = (0..10_000).filter(|_| quota.admit(start + Duration::from_secs(1))).count();
        assert_eq!(passed, LINES_PER_SECOND as usize);
    }
}
