//! The script of the day: who does what when, and what is said about it.

use std::time::Duration;

/// One thing that happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The imaginary time.
    pub(super) clock: &'static str,
    /// What is said about it.
    pub(super) says: &'static str,
    pub(super) deed: Deed,
    /// How long the picture stands after everything came to rest, at the day's own speed.
    pub(super) rest: Duration,
}

/// What is done to the imaginary machine or to the agents on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deed {
    /// Nothing yet: the service starts.
    Open,
    /// Somebody logs on and is in front.
    LogOn(Person),
    /// The screen of this person is locked.
    Lock(Person),
    /// And unlocked.
    Unlock(Person),
    /// This person comes to the front; whoever was there goes to the background.
    Front(Person),
    /// The agent in front crashes.
    Crash(Person),
    /// The agent in front stops doing anything at all.
    Hang(Person),
    /// Everybody gets a message.
    Message(&'static str),
    /// The desktop takes its programs down first, as desktops do, and then the session ends.
    LogOff(Person),
    /// The machine shuts down.
    ShutDown,
}

/// An imaginary user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Person {
    Alice,
    Bob,
}

impl Person {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
        }
    }

    /// The id of this person's session, which is also how the session is shown.
    pub(super) fn session(self) -> &'static str {
        match self {
            Self::Alice => "1",
            Self::Bob => "2",
        }
    }
}

const fn step(clock: &'static str, rest_ms: u64, deed: Deed, says: &'static str) -> Step {
    Step { clock, says, deed, rest: Duration::from_millis(rest_ms) }
}

/// The day. The rests add up to about half a minute; detecting the hang takes its own time.
pub(super) const DAY: &[Step] = &[
    step("08:59", 2000, Deed::Open, "The service runs. Nobody is logged on, so there is no agent."),
    step("09:00", 4000, Deed::LogOn(Person::Alice), "alice logs on at the console."),
    step("09:12", 3500, Deed::Crash(Person::Alice), "alice's desk crashes."),
    step("10:30", 2500, Deed::Lock(Person::Alice), "alice locks her screen. Agents are told and stay."),
    step(
        "10:45",
        4500,
        Deed::LogOn(Person::Bob),
        "bob logs on beside her: desk follows the console, sync serves both.",
    ),
    step("11:20", 3500, Deed::Hang(Person::Bob), "bob's desk hangs: it lives, but sends no heartbeat."),
    step("12:30", 2500, Deed::Message("Lunch is served."), "A message to everybody: \"Lunch is served.\""),
    step(
        "17:00",
        4000,
        Deed::LogOff(Person::Bob),
        "bob logs off. His desk leaves first, and is not started again.",
    ),
    step("17:01", 3000, Deed::Front(Person::Alice), "alice is back in front."),
    step("17:02", 2000, Deed::Unlock(Person::Alice), "alice unlocks her screen."),
    step("18:00", 1500, Deed::ShutDown, "The machine shuts down: all agents stop side by side."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_has_half_a_minute() {
        let rests: Duration = DAY.iter().map(|step| step.rest).sum();
        assert!((28..=38).contains(&rests.as_secs()), "{rests:?}");
    }

    #[test]
    fn every_sentence_fits_an_80_column_terminal() {
        for step in DAY {
            assert!(step.says.len() <= 70, "{} has {} columns", step.says, step.says.len());
        }
    }
}
