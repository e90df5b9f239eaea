//! Users who come, go, switch and lock, under the service.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use wtsapi32_stand_in::script::{FOLDER, SCRIPT};

use super::{ALONE, gone, never_two, none, only};
use crate::bed::{Bed, at_the_console, away, console};
use crate::layer0::{
    Agent, SOON, Service, agent_in, agent_when, agents, command, config, ready, running, said, state, status,
    until_said,
};
use crate::wait::{throughout, until};

const LEAVE: &str = r"C:\bilayer-bed\leave";
const GRACE: &str = "stop = { grace = \"1s\" }";

/// An agent that needs no connection. Under Wine only those of session 1 can have one: every process is in that session,
/// whatever session it was started for, and layer 0 hears nobody from another session.
const SILENT: &[&str] = &["--silent"];

/// Until the status has no agent that lives.
fn nobody(bed: &Bed) -> Result<()> {
    until("no agent is left", SOON, || Ok(agents(bed)?.is_empty().then_some(())))
}

/// Nobody, alice, nobody, bob.
pub(super) fn logon_logoff(bed: &Bed) -> Result<String> {
    bed.play(|script| script.sessions.clear())?;
    // By name with the domain, and without.
    let users = r"users = ['acme\alice', 'BOB']";
    let service = Service::start(bed, &config("rust-agent.exe", SILENT, users))?;
    ensure!(agents(bed)?.is_empty(), "no user, no agent");
    service.play(|script| script.sessions.push(console(1, "alice")))?;
    let alice = running(bed, 1)?;
    service.play(|script| script.sessions.clear())?;
    nobody(bed)?;
    none(bed, "rust-agent.exe").context("her agent is gone")?;
    ensure!(state(bed)?.as_deref() == Some("RUNNING"), "the service lives without users");
    service.play(|script| script.sessions.push(console(2, "bob")))?;
    let bob = running(bed, 2)?;
    Ok(format!("alice's agent was {:?}, bob's is {:?}", alice.pid, bob.pid))
}

/// The one at the console is served, one at a time.
pub(super) fn switch(bed: &Bed) -> Result<String> {
    let more = format!("sessions = \"console\"\n{GRACE}");
    let service = Service::start(bed, &config("windows-agent.exe", ALONE, &more))?;
    let first = running(bed, 1)?;
    service.play(|script| {
        script.sessions.iter_mut().for_each(away);
        script.sessions.push(console(2, "bob"));
    })?;
    running(bed, 2)?;
    only(bed, "windows-agent.exe")?;
    service.play(|script| {
        away(&mut script.sessions[1]);
        at_the_console(&mut script.sessions[0]);
    })?;
    let back = running(bed, 1)?;
    only(bed, "windows-agent.exe")?;
    never_two(bed)?;
    ensure!(back.pid != first.pid, "alice's first one was stopped: {:?}", back.pid);
    Ok("alice, bob, alice: one agent at a time".to_owned())
}

/// Beside the console; gone while nobody is connected.
pub(super) fn remote(bed: &Bed) -> Result<String> {
    let service = Service::start(bed, &config("rust-agent.exe", SILENT, "sessions = \"active\""))?;
    running(bed, 1)?;
    service.play(|script| {
        let mut carol = console(3, "carol");
        (carol.station, carol.remote) = ("RDP-Tcp#7".into(), true);
        script.sessions.push(carol);
    })?;
    running(bed, 3)?;
    let facts = status(bed)?;
    let carol = &facts["sessions"][1];
    ensure!(carol["kind"] == "remote" && carol["remote"] == true, "she is remote: {carol}");
    service.change(3, |session| {
        away(session);
        session.remote = false;
    })?;
    until("her agent has ended", SOON, || {
        Ok(agent_in(bed, 3)?.is_none_or(|agent| agent.pid.is_none()).then_some(()))
    })?;
    only(bed, "rust-agent.exe")?;
    running(bed, 1)?;
    service.change(3, |session| {
        at_the_console(session);
        (session.station, session.remote) = ("RDP-Tcp#8".into(), true);
    })?;
    running(bed, 3)?;
    Ok("connected, disconnected, connected again".to_owned())
}

/// The agent is told of both.
pub(super) fn lock(bed: &Bed) -> Result<String> {
    let service = Service::start(bed, &config("rust-agent.exe", &[], ""))?;
    let before = ready(bed, 1)?;
    service.change(1, |session| session.locked = Some(true))?;
    until_said(bed, "locked: true")?;
    service.change(1, |session| session.locked = Some(false))?;
    until_said(bed, "locked: false")?;
    ensure!(ready(bed, 1)?.pid == before.pid, "it was left running");
    Ok("told of both".to_owned())
}

/// By its own code, by 0 and by the status that the system gives: no start before the next logon.
pub(super) fn exits_first(bed: &Bed) -> Result<String> {
    let table = "exit_codes = { 64 = \"logging-off\" }";
    let service = Service::start(bed, &config("windows-agent.exe", &["waits", LEAVE], table))?;
    let mut seen = Vec::new();
    for code in ["64", "0", "0xC000026B"] {
        running(bed, 1)?;
        bed.write(LEAVE, code)?;
        let left = agent_when(bed, 1, &format!("left with {code}"), |agent| agent.pid.is_none())?;
        service.play(|script| script.sessions.clear())?;
        nobody(bed)?;
        none(bed, "windows-agent.exe")?;
        // A clean exit that was no logoff is answered after 2 s.
        throughout("no agent is started", Duration::from_millis(2500), || {
            Ok(bed.processes("windows-agent.exe")?.is_empty())
        })?;
        seen.push(format!("{code}: {}", left.reason));
        service.play(|script| script.sessions.push(console(1, "alice")))?;
    }
    running(bed, 1)?;
    Ok(seen.join(", "))
}

/// It does not hold up the logoff for longer than its grace.
pub(super) fn hung_at_logoff(bed: &Bed) -> Result<String> {
    let service = Service::start(bed, &config("rust-agent.exe", &[], GRACE))?;
    ready(bed, 1)?;
    let agent = only(bed, "rust-agent.exe")?;
    agent.freeze()?;
    let start = Instant::now();
    service.play(|script| script.sessions.clear())?;
    until("it is killed", SOON, || Ok(agent.is_dead().then_some(())))?;
    let took = start.elapsed();
    ensure!(took >= Duration::from_millis(900), "not before its grace: {took:?}");
    nobody(bed)?;
    Ok(format!("killed after {took:.1?}"))
}

/// The number is the same, the logon is not.
pub(super) fn reused(bed: &Bed) -> Result<String> {
    let service = Service::start(bed, &config("windows-agent.exe", ALONE, GRACE))?;
    let alice = running(bed, 1)?;
    let process = only(bed, "windows-agent.exe")?;
    service.play(|script| script.sessions = vec![console(1, "bob")])?;
    let is_bobs = |agent: &Agent| agent.entry["user"]["name"] == "bob" && agent.runs();
    let bob = agent_when(bed, 1, "is bob's", is_bobs)?;
    gone(&process)?;
    ensure!(bob.pid != alice.pid, "alice's is gone: {}", bob.entry);
    ensure!(bob.entry["generation"] == 1, "it is his first: {}", bob.entry);
    only(bed, "windows-agent.exe")?;
    // The same user again, by another logon.
    service.play(|script| script.sessions = vec![console(1, "bob")])?;
    let again = agent_when(bed, 1, "is of the new logon", |agent| agent.runs() && agent.pid != bob.pid)?;
    never_two(bed)?;
    Ok(format!("alice {:?}, bob {:?}, bob again {:?}", alice.pid, bob.pid, again.pid))
}

/// Error 1008 for two seconds.
pub(super) fn token_not_ready(bed: &Bed) -> Result<String> {
    const ERROR_NO_TOKEN: u32 = 1008;
    bed.play(|script| script.sessions[0].token_error = Some(ERROR_NO_TOKEN))?;
    let _service = Service::start(bed, &config("rust-agent.exe", &[], ""))?;
    throughout("no agent without a token", Duration::from_secs(2), || {
        Ok(bed.processes("rust-agent.exe")?.is_empty())
    })?;
    let waiting = agent_in(bed, 1)?.context("the agent is known")?;
    ensure!(waiting.state == "waiting", "it waits: {}", waiting.entry);
    // Nothing tells the service that the token is there now.
    bed.play(|script| script.sessions[0].token_error = None)?;
    let ready = ready(bed, 1)?;
    ensure!(ready.entry["crash_loop"] == false, "it is no crash loop: {}", ready.entry);
    Ok(format!("waited: {}", waiting.entry["reason"]["text"]))
}

/// Automatic restart sign-on: a logon that nobody has seen unlocked.
pub(super) fn locked_from_birth(bed: &Bed) -> Result<String> {
    bed.play(|script| script.sessions[0].locked = Some(true))?;
    let service = Service::start(bed, &config("rust-agent.exe", &[], "while_locked = \"stop\""))?;
    ensure!(status(bed)?["sessions"][0]["locked"] == true, "it is locked");
    let waiting = agent_when(bed, 1, "waits", |agent| agent.state == "waiting")?;
    ensure!(bed.processes("rust-agent.exe")?.is_empty(), "none runs behind the lock");
    service.change(1, |session| session.locked = Some(false))?;
    ready(bed, 1)?;
    Ok(format!("waited: {}", waiting.entry["reason"]["text"]))
}

/// The same logon for an agent that a lock does not concern: it starts behind the lock, knows of it, and is told when it ends.
pub(super) fn kept_while_locked(bed: &Bed) -> Result<String> {
    bed.play(|script| script.sessions[0].locked = Some(true))?;
    let service = Service::start(bed, &config("rust-agent.exe", &[], "while_locked = \"keep\""))?;
    let before = ready(bed, 1)?;
    ensure!(status(bed)?["sessions"][0]["locked"] == true, "it is locked");
    service.change(1, |session| session.locked = Some(false))?;
    until_said(bed, "locked: false")?;
    let after = ready(bed, 1)?;
    ensure!(after.pid == before.pid, "it was left running: {}", after.entry);
    Ok("it ran behind the lock, and was told when that was gone".to_owned())
}

/// That nothing can be learned is no reason to think that everybody left.
pub(super) fn terminal_services_away(bed: &Bed) -> Result<String> {
    let service = Service::start(bed, &config("rust-agent.exe", &[], ""))?;
    let before = ready(bed, 1)?;
    let script = bed.path(FOLDER).join(SCRIPT);
    let aside = script.with_extension("aside");
    fs::rename(&script, &aside)?;
    service.look_again()?;
    until_said(bed, "1722")?;
    ensure!(ready(bed, 1)?.pid == before.pid, "the agent runs on");
    fs::rename(&aside, &script)?;
    service.play(|script| script.sessions.clear())?;
    nobody(bed)?;
    Ok("they were away, the agent ran on; they came back, the user was gone".to_owned())
}

/// As many as a terminal server has.
pub(super) fn many(bed: &Bed) -> Result<String> {
    const SESSIONS: usize = 200;
    const WITHIN: Duration = Duration::from_secs(240);
    bed.play(|script| script.sessions.clear())?;
    let service = Service::start(bed, &config("windows-agent.exe", &["child"], "sessions = \"all\""))?;
    let start = Instant::now();
    service.play(|script| {
        script.sessions.extend((1..=SESSIONS as u32).map(|id| {
            let mut session = console(id, &format!("user{id}"));
            (session.station, session.remote) = (format!("RDP-Tcp#{id}"), true);
            session
        }));
    })?;
    until("every agent runs", WITHIN, || {
        let all = agents(bed)?;
        let running = all.iter().filter(|agent| agent.runs()).count();
        ensure!(running == SESSIONS, "{running} of {} do", all.len());
        Ok(Some(()))
    })?;
    let started = start.elapsed();
    ensure!(bed.processes("windows-agent.exe")?.len() == SESSIONS, "one process each");
    let start = Instant::now();
    service.play(|script| script.sessions.clear())?;
    until("every agent has left", WITHIN, || {
        Ok(bed.processes("windows-agent.exe")?.is_empty().then_some(()))
    })?;
    nobody(bed)?;
    Ok(format!("all run after {started:.1?}, all gone after {:.1?}", start.elapsed()))
}

/// By the system's own message box, where no agent shows it.
pub(super) fn messages(bed: &Bed) -> Result<String> {
    const YES: i32 = 6;
    const NO: i32 = 7;
    bed.play(|script| {
        let mut bob = console(2, "bob");
        away(&mut bob);
        bob.answer = Some(NO);
        script.sessions[0].answer = Some(YES);
        script.sessions.push(bob);
    })?;
    let service = Service::start(bed, &config("windows-agent.exe", &["deaf"], ""))?;
    let alice = sent(bed, ["--session", "1", "--buttons", "yes-no"])?;
    ensure!(alice[0]["answer"] == "yes", "alice pressed Yes: {alice}");
    let bob = sent(bed, ["--user", "bob", "--buttons", "yes-no"])?;
    ensure!(bob[0]["answer"] == "no", "bob pressed No: {bob}");
    let all = sent(bed, ["--title", "Update", "--all"])?;
    ensure!(all.as_array().is_some_and(|all| all.len() == 2), "both got it: {all}");
    service.change(1, |session| session.answer = None)?;
    let nobody = sent(bed, ["--session", "1", "--timeout", "1s", "--wait"])?;
    let shown = bed.messages()?;
    // Those who are told together are told side by side.
    let mut to: Vec<_> = shown.iter().map(|message| message.session).collect();
    if let Some(together) = to.get_mut(2..4) {
        together.sort_unstable();
    }
    ensure!(to == [1, 2, 1, 2, 1], "each was shown where it belongs: {shown:?}");
    ensure!(shown.iter().all(|message| message.text == "at noon"), "with its text: {shown:?}");
    ensure!(shown[2].title == "Update" && !shown[2].waits, "with its title: {:?}", shown[2]);
    ensure!(!said(bed).contains("stand-in"), "no mistake with memory");
    Ok(format!("{alice}, {nobody}"))
}

fn sent<const N: usize>(bed: &Bed, options: [&str; N]) -> Result<Value> {
    let words: Vec<_> = ["message", "at noon"].into_iter().chain(options).chain(["--json"]).collect();
    let printed = command(bed, &words)?;
    serde_json::from_str(&printed).with_context(|| format!("message --json printed {printed}"))
}
