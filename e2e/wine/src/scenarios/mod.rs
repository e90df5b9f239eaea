//! What must hold, each in a Windows of its own.

mod console;
mod package;
mod service;
mod sessions;
mod wire;
mod workers;

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::bed::Bed;
use crate::layer0::said;
use crate::process::Process;
use crate::wait::until;

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
    scenario("service: installed, started, asked, stopped, removed", service::whole_life),
    scenario("service: killed, it leaves no agent, and can be started again", service::killed),
    scenario("service: with keep, agents outlive it and are adopted", service::kept),
    scenario("service: what is missing, there already or not ours is refused", service::refusals),
    scenario("service: a service that is disabled is not started", service::disabled),
    scenario("service: one that was deleted and is held open is waited for", service::marked_for_deletion),
    scenario("service: a start that does not come up in time is an error", service::timeout),
    scenario("service: agents under an account that cannot serve them are refused", service::account),
    scenario("workers: under accounts of the system, with nobody logged on", workers::of_system_accounts),
    scenario("workers: with keep, they outlive the service and have it back", workers::kept),
    scenario(
        "sessions: a logon starts an agent, a logoff ends it, and the service lives on",
        sessions::logon_logoff,
    ),
    scenario("sessions: a switch of users moves the agent", sessions::switch),
    scenario("sessions: a remote session is served while it is connected", sessions::remote),
    scenario("sessions: a lock and an unlock reach the agent", sessions::lock),
    scenario("sessions: an agent that exits before its session ends is not restarted", sessions::exits_first),
    scenario("sessions: a hung agent is killed at the logoff", sessions::hung_at_logoff),
    scenario("sessions: a session number that another user gets is another session", sessions::reused),
    scenario("sessions: a token that is not ready is waited for", sessions::token_not_ready),
    scenario("sessions: one that is locked from birth", sessions::locked_from_birth),
    scenario("sessions: one that is locked from birth and served all the same", sessions::kept_while_locked),
    scenario("sessions: terminal services that are away stop nobody", sessions::terminal_services_away),
    scenario("sessions: 200 at once", sessions::many),
    scenario("messages: to one session, a user, all; the answer comes back", sessions::messages),
];

/// How long a process that has ended for Windows may still be one of this machine. Wine says that a process has ended once its
/// handles are closed, and only then lets it go: every third one is still there when its parent hears of its end, for up to
/// 10 ms on an idle machine. Shorter than the grace of an agent, so that nobody takes a kill for an end at once.
const LEAVES_WITHIN: Duration = Duration::from_secs(4);

/// The only process of a program, once those that have ended are gone.
///
/// It does not tell whether there were two at once: for that see [`never_two`].
fn only(bed: &Bed, program: &str) -> Result<Process> {
    until("one process is there", LEAVES_WITHIN, || {
        let mut found = bed.processes(program)?;
        ensure!(found.len() == 1, "{} processes of {program}", found.len());
        Ok(found.pop())
    })
}

/// A process that has ended is gone.
fn gone(process: &Process) -> Result<()> {
    until(&format!("the end of {process:?}"), LEAVES_WITHIN, || Ok(process.is_dead().then_some(())))
}

/// No process of a program is left.
fn none(bed: &Bed, program: &str) -> Result<()> {
    until(&format!("no {program} is left"), LEAVES_WITHIN, || {
        let found = bed.processes(program)?;
        ensure!(found.is_empty(), "there are {found:?}");
        Ok(Some(()))
    })
}

/// The arguments of a `windows-agent.exe` that has a file to itself, and says so if it cannot have it.
const ALONE: &[&str] = &["alone", r"C:\bilayer-bed\alone"];

/// No agent of [`ALONE`] was started while another one lived.
fn never_two(bed: &Bed) -> Result<()> {
    let said = said(bed);
    ensure!(said.contains("this agent is alone"), "there was an agent: {said}");
    ensure!(!said.contains("this agent is not alone"), "two agents at once: {said}");
    Ok(())
}
