//! One machine from the first logon to the power switch, with the service that the package brought.

use anyhow::{Result, ensure};

use crate::agents::{Living, Session};
use crate::bed::{Bed, Desktop, Login};
use crate::layer0::{Layer0, SOON};
use crate::wait::until;

const WITNESS: &str = "/var/lib/witness";

/// One agent for each way to choose sessions, and one that leaves when the screen is locked.
const CONFIG: &str = r#"
[service]
name = "bilayer"
[agent.console]
command = ["/usr/local/bin/e2e-agent", "witness", "/var/lib/witness"]
sessions = "console"
needs_display = false
[agent.active]
command = ["/usr/local/bin/rust-agent"]
sessions = "active"
needs_display = false
[agent.all]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
needs_display = false
[agent.shy]
command = ["/bin/sleep", "3600"]
sessions = "all"
while_locked = "stop"
needs_display = false
"#;

/// Which agents a session has, by what loginctl says of it.
fn due(session: &Session) -> Vec<&'static str> {
    let is = |key: &str, value: &str| session.get(key).is_some_and(|found| found == value);
    let is_desktop = ["x11", "wayland", "mir"].iter().any(|kind| is("Type", kind));
    if !is("Class", "user") || !is_desktop || is("State", "closing") {
        return Vec::new();
    }
    let chosen = [
        ("console", is("Active", "yes") && is("Seat", "seat0")),
        ("active", is("Active", "yes")),
        ("all", true),
        ("shy", is("LockedHint", "no")),
    ];
    chosen.into_iter().filter(|(_, is_due)| *is_due).map(|(agent, _)| agent).collect()
}

/// Every step gives exactly the agents that belong to what loginctl says.
pub(super) fn play(bed: &Bed) -> Result<String> {
    bed.write(WITNESS, "")?;
    bed.run(["chmod", "666", WITNESS])?;
    let _service = Layer0::packaged(bed, CONFIG)?;
    expect(bed, "before anybody logs on", &[])?;
    let (alice, bob) = people(bed)?;
    let carol = others(bed, &alice)?;
    nothing_stops_for_sleep(bed)?;
    let stopped = back_after_a_shutdown_that_was_called_off(bed)?;
    departures(bed, &alice, &bob, &carol)?;
    let agents = power_off(bed)?;
    Ok(format!(
        "{stopped} agents came back after the aborted shutdown, {agents} of the console ended one after the other"
    ))
}

/// Two at one seat, who switch and lock.
fn people(bed: &Bed) -> Result<(Login, Login)> {
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.switch_to(&alice)?;
    expect(
        bed,
        "alice alone",
        &[("console", "alice"), ("active", "alice"), ("all", "alice"), ("shy", "alice")],
    )?;
    let bob = bed.login("bob", Desktop::X11)?;
    bed.switch_to(&bob)?;
    let both = [("all", "alice"), ("all", "bob"), ("shy", "alice"), ("shy", "bob")];
    expect(bed, "bob in front", &[&both[..], &[("console", "bob"), ("active", "bob")]].concat())?;
    bed.switch_to(&alice)?;
    let in_front = [&both[..], &[("console", "alice"), ("active", "alice")]].concat();
    let before = expect(bed, "alice in front again", &in_front)?;
    bed.lock(&alice)?;
    let locked: Vec<_> = in_front.iter().copied().filter(|one| *one != ("shy", "alice")).collect();
    let during = expect(bed, "alice's screen locked", &locked)?;
    ensure!(during.iter().all(|one| before.contains(one)), "the others are the same: {before:?}, {during:?}");
    bed.unlock(&alice)?;
    expect(bed, "alice's screen unlocked", &in_front)?;
    Ok((alice, bob))
}

/// A desktop without a seat is served where it is active; a shell over the network is not, also that of somebody who has agents.
fn others(bed: &Bed, alice: &Login) -> Result<Login> {
    let before = bed.agents()?;
    let carol = bed.login("carol", Desktop::Seatless)?;
    let shell = bed.login("alice", Desktop::Remote)?;
    let after = bed.settled("with carol's remote desktop and alice's shell", due)?;
    ensure!(before.iter().all(|one| after.contains(one)), "nobody else noticed: {before:?}, {after:?}");
    let of = |login: &Login| -> Vec<&str> {
        after.iter().filter(|one| one.session == login.id).map(|one| one.agent.as_str()).collect()
    };
    ensure!(of(&carol) == ["active", "all", "shy"], "carol has {:?}", of(&carol));
    ensure!(of(&shell).is_empty() && of(alice).len() == 4, "alice has {:?} and {:?}", of(&shell), of(alice));
    Ok(carol)
}

fn nothing_stops_for_sleep(bed: &Bed) -> Result<()> {
    let before = bed.agents()?;
    bed.sleep_cycle()?;
    let after = bed.settled("after a sleep", due)?;
    ensure!(before == after, "a sleep stops nothing: {before:?}, {after:?}");
    Ok(())
}

fn back_after_a_shutdown_that_was_called_off(bed: &Bed) -> Result<usize> {
    let before = bed.agents()?;
    bed.aborted_shutdown()?;
    until("all agents stop for the shutdown", SOON, || {
        Ok(before.iter().all(|one| bed.process(one.pid).is_dead()).then_some(()))
    })?;
    let after = bed.settled("after a shutdown that was called off", due)?;
    ensure!(before.len() == after.len(), "all are back: {before:?}, {after:?}");
    Ok(after.len())
}

/// Nobody is in front when the one in front has left.
fn departures(bed: &Bed, alice: &Login, bob: &Login, carol: &Login) -> Result<()> {
    bed.log_off(alice)?;
    bed.wait_until_gone(alice)?;
    bed.switch_to(bob)?;
    let left = bed.settled("alice has left", due)?;
    ensure!(left.iter().all(|one| one.session != alice.id), "of alice nothing is left: {left:?}");
    ensure!(left.iter().filter(|one| one.session == bob.id).count() == 4, "bob has all: {left:?}");
    bed.terminate(carol)?;
    bed.wait_until_gone(carol)?;
    expect(bed, "bob alone", &[("console", "bob"), ("active", "bob"), ("all", "bob"), ("shy", "bob")])?;
    Ok(())
}

/// The machine goes down with everybody told; returns how many agents of the console there were in all.
fn power_off(bed: &Bed) -> Result<usize> {
    bed.power_off()?;
    let written = std::fs::read_to_string(bed.disk(WITNESS))?;
    super::moving::never_two(&written)?;
    let count = |what: &str| written.lines().filter(|line| line.starts_with(what)).count();
    ensure!(count("start") == count("end"), "the last one was asked and ended by itself:\n{written}");
    Ok(count("start"))
}

/// These agents live, each for this user, as loginctl has it too.
fn expect(bed: &Bed, when: &str, expected: &[(&str, &str)]) -> Result<Vec<Living>> {
    let living = bed.settled(when, due)?;
    let name = |uid: u32| match uid {
        1001 => "alice",
        1002 => "bob",
        1003 => "carol",
        _ => "nobody",
    };
    let mut found: Vec<_> = living.iter().map(|one| (one.agent.as_str(), name(one.uid))).collect();
    let mut expected = expected.to_vec();
    found.sort_unstable();
    expected.sort_unstable();
    ensure!(found == expected, "{when}: {found:?} live, and not {expected:?}");
    Ok(living)
}
