//! Which sessions get an agent: the logon screen and every other kind of login that there is.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bed::{Bed, Desktop};
use crate::configuration::EVERYONE;
use crate::layer0::{E2E_AGENT, Layer0, SOON, agent, command, running, status};
use crate::wait::{throughout, until};

const CONFIG: &str = "/etc/acme/acme.toml";

/// One agent for people, one for the logon screen as well.
const LENS: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
needs_display = false
[agent.lens]
command = ["/usr/local/bin/rust-agent"]
users = ["alice"]
greeter = true
needs_display = false
"#;

/// The logon screen has the agent that asked for it, as its own account, until somebody logs on.
pub(super) fn greeter(bed: &Bed) -> Result<String> {
    bed.run(["useradd", "--system", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", "gdm"])?;
    let gdm: u32 = bed.run(["id", "-u", "gdm"])?.trim().parse()?;
    let greeter = bed.login("gdm", Desktop::Greeter)?;
    let _service = Layer0::start(bed, LENS)?;
    let (_, at_greeter) = running(bed, "lens", "gdm")?;
    let process = bed.process(at_greeter);
    ensure!(process.uids()? == [gdm; 4], "it runs as the display manager's account: {:?}", process.uids()?);
    let cgroup = process.cgroup()?;
    ensure!(cgroup.contains(&format!("session-{}.scope", greeter.id)), "it is in that session: {cgroup}");
    let class = process.environment()?.get("XDG_SESSION_CLASS").cloned();
    ensure!(class.as_deref() == Some("greeter"), "it can tell: {class:?}");
    let shown = session(bed, "gdm")?.context("the logon screen is listed")?;
    ensure!(shown["greeter"] == true, "as what it is: {shown}");
    ensure!(unserved(&shown, "desk") == "greeter", "and nobody else serves it: {shown}");
    ensure!(bed.processes("rust-agent")?.len() == 1, "one agent in all");

    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.switch_to(&alice)?;
    running(bed, "desk", "alice")?;
    let (_, of_alice) = running(bed, "lens", "alice")?;
    ensure!(process.is_dead(), "the logon screen's ended first");
    ensure!(agent(bed, "lens", "gdm")?.is_none(), "and is gone");

    // Where nobody asks, a logon screen is none of our business.
    bed.write(CONFIG, &LENS.replace("greeter = true\n", ""))?;
    command(bed, ["reload"])?;
    bed.switch_to(&greeter)?;
    until("the logon screen is not listed", SOON, || Ok(session(bed, "gdm")?.is_none().then_some(())))?;
    bed.write(CONFIG, LENS)?;
    command(bed, ["reload"])?;
    let (_, again) = running(bed, "lens", "gdm")?;
    Ok(format!("{at_greeter} at the logon screen, {of_alice} for alice, {again} when it was back"))
}

/// The session of a user in the status.
fn session(bed: &Bed, user: &str) -> Result<Option<Value>> {
    let status = status(bed)?;
    let sessions = status["sessions"].as_array().context("status has sessions")?;
    Ok(sessions.iter().find(|session| session["user"]["name"] == user).cloned())
}

/// Why an agent does not serve a session.
fn unserved(session: &Value, agent: &str) -> String {
    let reasons = session["unserved"].as_array().into_iter().flatten();
    let reason = reasons.into_iter().find(|unserved| unserved["agent"] == agent);
    reason.map_or_else(String::new, |found| found["reason"]["code"].as_str().unwrap_or_default().to_owned())
}

/// A desktop without a seat is served, and is no console; a shell over the network and a user who lingers are not.
pub(super) fn seatless(bed: &Bed) -> Result<String> {
    let at_console = "[agent.console]\ncommand = [\"/bin/sleep\", \"3600\"]\nneeds_display = false\n";
    let _service = Layer0::start(bed, &format!("{EVERYONE}{at_console}"))?;
    // As a unit: logind asks where its caller comes from, and what was entered from outside comes from nowhere.
    bed.run(["systemd-run", "--quiet", "--wait", "loginctl", "enable-linger", "carol"])?;
    until("carol's service manager runs", SOON, || {
        let state = bed.inside(["systemctl", "is-active", "user@1003.service"]).output()?;
        Ok(String::from_utf8_lossy(&state.stdout).starts_with("active").then_some(()))
    })?;
    bed.login("bob", Desktop::Remote)?;
    bed.login("alice", Desktop::Seatless)?;
    let (_, pid) = running(bed, "desk", "alice")?;
    let shown = session(bed, "alice")?.context("the session is listed")?;
    ensure!(shown["kind"] == "other" && shown["remote"] == false, "it is neither here nor there: {shown}");
    ensure!(unserved(&shown, "console") == "not-console", "and not at the console: {shown}");
    let shell = session(bed, "bob")?.context("the shell is listed")?;
    ensure!(unserved(&shell, "desk") == "type", "a shell has no screen: {shell}");
    ensure!(session(bed, "carol")?.is_none(), "who only lingers is not logged on");
    throughout("alice's agent is the only one", Duration::from_millis(500), || {
        Ok(bed.processes("rust-agent")?.len() == 1)
    })?;
    Ok(format!("{pid} for alice without a seat, none for bob's shell and carol who lingers"))
}

/// A desktop from afar is served as a remote one, and not by who is for local ones; a shell from afar is served by nobody.
pub(super) fn from_afar(bed: &Bed) -> Result<String> {
    let local = "[agent.local]\ncommand = [\"/bin/sleep\", \"3600\"]\nsessions = \"all\"\nremote = false\n";
    let _service = Layer0::start(bed, &format!("{EVERYONE}{local}needs_display = false\n"))?;
    for (uid, kind, host) in [("1001", "x11", "192.0.2.7"), ("1002", "tty", "192.0.2.8")] {
        let unit = format!("--unit=from-{host}");
        bed.run(["systemd-run", "--quiet", "--collect", &unit, E2E_AGENT, "session", uid, kind, host])?;
    }
    let (_, pid) = running(bed, "desk", "alice")?;
    let desktop = session(bed, "alice")?.context("the desktop is listed")?;
    ensure!(desktop["kind"] == "remote" && desktop["remote"] == true, "it is from afar: {desktop}");
    ensure!(unserved(&desktop, "local") == "remote", "which is not for everybody: {desktop}");
    let shell = until("the shell is listed", SOON, || session(bed, "bob"))?;
    ensure!(shell["remote"] == true && unserved(&shell, "desk") == "type", "it has no screen: {shell}");
    ensure!(bed.processes("rust-agent")?.len() == 1, "one agent");
    bed.run(["systemctl", "stop", "from-192.0.2.7"])?;
    until("it ends with the connection", SOON, || Ok(bed.process(pid).is_dead().then_some(())))?;
    Ok(format!("{pid} for alice from 192.0.2.7, none for bob's shell"))
}

/// Two people sit at one machine: each seat has its session in front, and only the first one is the console.
pub(super) fn second_seat(bed: &Bed) -> Result<String> {
    bed.add_seat()?;
    let at_console = "[agent.console]\ncommand = [\"/bin/sleep\", \"3600\"]\nneeds_display = false\n";
    let active = EVERYONE.replace("\"all\"", "\"active\"");
    let _service = Layer0::start(bed, &format!("{active}{at_console}"))?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::SecondSeat)?;
    bed.switch_to(&alice)?;
    running(bed, "desk", "alice")?;
    running(bed, "desk", "bob")?;
    running(bed, "console", "alice")?;
    let shown = session(bed, "bob")?.context("the second seat's session is listed")?;
    ensure!(shown["kind"] == "other" && shown["state"] == "active", "it is in front: {shown}");
    ensure!(unserved(&shown, "console") == "not-console", "but not at the console: {shown}");
    // What happens at one seat is nothing to the other.
    let carol = bed.login("carol", Desktop::X11)?;
    bed.switch_to(&carol)?;
    running(bed, "console", "carol")?;
    ensure!(agent(bed, "desk", "bob")?.is_some_and(|agent| agent.state == "running"), "bob's stays");
    until("alice is in the background", SOON, || Ok(agent(bed, "desk", "alice")?.is_none().then_some(())))?;
    Ok("an agent at each seat, one at the console".to_owned())
}

/// A logon screen that nobody serves, and nobody else: the service sleeps, and has started nothing.
pub(super) fn nobody(bed: &Bed) -> Result<String> {
    bed.run(["useradd", "--system", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", "gdm"])?;
    bed.login("gdm", Desktop::Greeter)?;
    let service = Layer0::start(bed, EVERYONE)?;
    let process = service.process(bed)?;
    // What the start leaves to do is done within seconds.
    let mut before = process.switches()?;
    until("the service is at rest", SOON, || {
        let since = std::mem::replace(&mut before, process.switches()?);
        thread::park_timeout(Duration::from_secs(2));
        Ok((process.switches()? == before && before == since).then_some(()))
    })?;
    throughout("it has no child and no second thread", Duration::from_secs(5), || {
        Ok(process.children()?.is_empty() && process.status("Threads").as_deref() == Some("1"))
    })?;
    let woken = process.switches()? - before;
    // One enumeration may fall into it.
    ensure!(woken <= 4, "it was woken {woken} times in 5 s");
    ensure!(bed.processes("bilayer")?.len() == 1, "no helper runs");
    Ok(format!("woken {woken} times in 5 s"))
}
