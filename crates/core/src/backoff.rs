//! How soon an agent that failed is started again.
//!
//! Two measures stand side by side. The *delay* grows with every failure in a row: none, 100 ms, 200 ms, … `delay_max`,
//! each within ±10 % and never past the maximum, and starts over once the agent ran for `healthy_after`. The *intensity*
//! (the word is OTP's) counts failures within a sliding time; past it the agent is in a crash loop, whatever its delay.

use alloc::collections::VecDeque;
use core::time::Duration;

use crate::{PastLimit, Restart, Time};

/// The first delay that is not zero.
const DELAY_MIN: Duration = Duration::from_millis(100);

/// The most failures that any limit remembers.
const WINDOW_MAX: usize = 1_000;

/// What follows a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// A start after this delay; zero is at once.
    After(Duration),
    /// A crash loop: a start after this delay.
    Slow(Duration),
    /// A crash loop: none.
    Hold,
}

/// What one instance remembers of its failures.
#[derive(Clone, Debug, Default)]
pub(crate) struct Failures {
    in_a_row: u32,
    launches_in_a_row: u32,
    /// The times of the latest failures, oldest first; never more than the limit's count.
    window: VecDeque<Time>,
    looping: bool,
    left_cleanly: bool,
}

impl Failures {
    /// A failure: counts towards delay and limit.
    pub(crate) fn failed(&mut self, now: Time, policy: &Restart, jitter: &mut Jitter) -> Next {
        let delay = delay(self.in_a_row, delay_max(policy), jitter);
        self.in_a_row = self.in_a_row.saturating_add(1);
        self.counted(now, policy, jitter, delay)
    }

    /// A restart that the agent asked for: counts towards the limit only, or a program could spin.
    pub(crate) fn asked_again(&mut self, now: Time, policy: &Restart, jitter: &mut Jitter) -> Next {
        self.counted(now, policy, jitter, Duration::ZERO)
    }

    /// A launch that failed for a reason that passes: how long until the next. Counts towards nothing else.
    pub(crate) fn launch_failed(&mut self, policy: &Restart, jitter: &mut Jitter) -> Duration {
        self.launches_in_a_row = self.launches_in_a_row.saturating_add(1);
        delay(self.launches_in_a_row, delay_max(policy), jitter)
    }

    /// A launch succeeded.
    pub(crate) fn launched(&mut self) {
        self.launches_in_a_row = 0;
    }

    /// The agent left with code 0 unasked. Says whether it did so before, since it was last healthy.
    pub(crate) fn left_cleanly(&mut self) -> bool {
        core::mem::replace(&mut self.left_cleanly, true)
    }

    /// The agent ran long enough: delays start over. The limit goes by time alone and forgets by itself.
    pub(crate) fn healthy(&mut self) {
        self.in_a_row = 0;
        self.looping = false;
        self.left_cleanly = false;
    }

    /// Everything is forgotten: a person asked for it, or the program is another one now.
    pub(crate) fn forget(&mut self) {
        self.healthy();
        self.launches_in_a_row = 0;
        self.window.clear();
    }

    /// Whether the limit was exceeded and the agent was not healthy since.
    pub(crate) fn looping(&self) -> bool {
        self.looping
    }

    fn counted(&mut self, now: Time, policy: &Restart, jitter: &mut Jitter, delay: Duration) -> Next {
        let past = self.past_limit(now, policy);
        match policy.limit.then {
            PastLimit::Hold if past => {
                self.looping = true;
                Next::Hold
            }
            PastLimit::Slow if past || self.looping => {
                self.looping = true;
                Next::Slow(jitter.around(delay_max(policy)).min(delay_max(policy)))
            }
            PastLimit::Hold | PastLimit::Slow => Next::After(delay),
        }
    }

    /// Records a failure and says whether more than the allowed number of them lie within the limit's time.
    fn past_limit(&mut self, now: Time, policy: &Restart) -> bool {
        let allowed = usize::from(policy.limit.count).min(WINDOW_MAX);
        while self.window.len() > allowed {
            self.window.pop_front();
        }
        if self.window.len() < allowed {
            self.window.push_back(now);
            return false;
        }
        let oldest = self.window.pop_front().unwrap_or(now);
        if allowed > 0 {
            self.window.push_back(now);
        }
        now - oldest <= policy.limit.within
    }
}

/// The longest delay of a policy; one below the shortest would let a program spin.
fn delay_max(policy: &Restart) -> Duration {
    policy.delay_max.max(DELAY_MIN)
}

/// The delay after `failures` earlier ones in a row.
fn delay(failures: u32, max: Duration, jitter: &mut Jitter) -> Duration {
    let Some(doublings) = failures.checked_sub(1) else { return Duration::ZERO };
    let plain = DELAY_MIN.saturating_mul(1 << doublings.min(30)).min(max);
    jitter.around(plain).min(max)
}

/// A small generator of its own (splitmix64, public domain, Vigna 2015), so that the same seed gives the same delays on
/// every machine. It spreads restarts; nothing secret depends on it.
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A time within ±10 % of `middle`.
    fn around(&mut self, middle: Duration) -> Duration {
        let middle = u64::try_from(middle.as_nanos()).unwrap_or(u64::MAX / 2);
        let tenth = middle / 10;
        Duration::from_nanos(middle - tenth + self.next() % (2 * tenth + 1))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
