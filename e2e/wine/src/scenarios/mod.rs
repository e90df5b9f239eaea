//! What must hold, each in a Windows of its own.

mod console;
mod package;
mod wire;

use anyhow::Result;

use crate::bed::Bed;

/// Something that must hold.
pub(crate) struct Scenario {
    /// What, in words.
    pub(crate) name: &'static str,
    /// Plays it and says what was seen.
    pub(crate) run: fn(&Bed) -> Result<String>,
}

const fn scenario(name: &'static str, run: fn(&Bed) -> Result<String>) -> Scenario {
    Scenario { name, run }
}

/// All of them.
pub(crate) const SCENARIOS: &[Scenario] = &[
    scenario("console: a killed agent is back, and the service leaves nothing behind", console::crash),
    scenario("console: what an agent exits with decides what follows", console::exit_codes),
    scenario("console: a lock and an unlock reach the agent", console::lock),
    scenario("console: killing layer 0 leaves no agent", console::killed),
    scenario("console: a hung agent is killed at its grace", console::hung),
    scenario("console: an agent that ignores the stop is killed at its grace", console::deaf),
    scenario("console: what an agent leaves behind is killed", console::child_left_behind),
    scenario("console: programs that cannot be run are held with the reason", console::bad_programs),
    scenario("console: paths with spaces, other scripts and over 260 characters", console::paths),
    scenario("package: installed, edited, upgraded in place, removed", package::life),
    scenario("package: what a person stopped stays stopped", package::stopped),
    scenario("package: a configuration that was there first counts", package::own_configuration),
    scenario("package: an installation that fails leaves nothing behind", package::undone),
    scenario("wire: an agent in Rust and one in C are told to stop", wire::agents_of_both_kinds),
    scenario("wire: a client outside the agent's job is refused", wire::outsider),
    scenario("wire: clients that misbehave are closed, and layer 0 serves on", wire::misbehaving),
];
