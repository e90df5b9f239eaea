//! How fast somebody is heard who may say as much as they like.

use std::time::Duration;

use tokio::time::Instant;

/// How much an agent may say to the loop in a second. It has a state, a pulse and a line of text to tell, so this is plenty;
/// past it, its connection is read more slowly, and layer 0 has time for others.
pub(super) const SAID_PER_SECOND: u32 = 200;

/// Counts what was said in the second that runs.
pub(super) struct Pace {
    per_second: u32,
    second: Option<Instant>,
    said: u32,
}

impl Pace {
    pub(super) fn of(per_second: u32) -> Self {
        Self { per_second, second: None, said: 0 }
    }

    /// Waits for the next second once this one is used up.
    pub(super) async fn keep(&mut self) {
        let now = Instant::now();
        let second = *self.second.get_or_insert(now);
        if now.duration_since(second) >= Duration::from_secs(1) {
            (self.second, self.said) = (Some(now), 0);
        } else if self.said == self.per_second {
            tokio::time::sleep_until(second + Duration::from_secs(1)).await;
            (self.second, self.said) = (Some(Instant::now()), 0);
        }
        self.said += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_heard_at_its_pace_and_ordinary_talk_at_once() {
        let mut pace = Pace::of(SAID_PER_SECOND);
        let start = Instant::now();
        for _ in 0..SAID_PER_SECOND {
            pace.keep().await;
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        for _ in 0..SAID_PER_SECOND * 3 {
            pace.keep().await;
        }
        assert_eq!(start.elapsed().as_secs(), 3);
    }
}
