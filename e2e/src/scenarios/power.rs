//! Sleep, shutdown, and the end of the service.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::configuration::{EVERYONE, everyone_runs};
use crate::layer0::{E2E_AGENT, LOG, Layer0, PROGRAM, SOON, ready, running};
use crate::wait::{throughout, until};

const WITNESS: &str = "/var/lib/witness";

/// Agents are told and stay.
pub(super) fn sleep(bed: &Bed) -> Result<String> {
    let service = Layer0::installed(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, pid) = ready(bed, "desk", "alice")?;
    bed.sleep_cycle()?;
    until("the agent is told of sleep and waking", SOON, || {
        let said = service.said();
        Ok((said.contains("power: Suspend") && said.contains("power: Resume")).then_some(()))
    })?;
    throughout("the same process runs on", Duration::from_millis(500), || Ok(!bed.process(pid).is_dead()))?;
    Ok(format!("{pid} was told and lived through it"))
}

/// Announced: the agents stop. Called off: they are back.
pub(super) fn aborted_shutdown(bed: &Bed) -> Result<String> {
    let _service = Layer0::installed(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    let holds_up = || Ok((bed.delays_of_shutdown()? == ["acme"]).then_some(()));
    until("a shutdown waits for the service", SOON, holds_up)?;
    bed.aborted_shutdown()?;
    until("the agent stops for the shutdown", SOON, || Ok(bed.process(before).is_dead().then_some(())))?;
    let (_, after) = running(bed, "desk", "alice")?;
    ensure!(after != before, "it is a new process");
    until("the next one waits for it as well", SOON, holds_up)?;
    Ok(format!("{before} stopped, {after} started"))
}

/// SIGTERM: all agents end, nothing stays in their cgroups, the exit code is 0.
pub(super) fn service_stop(bed: &Bed) -> Result<String> {
    let mut service = Layer0::start(bed, EVERYONE)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "alice")?;
    running(bed, "desk", "bob")?;
    let endpoint = bed.path("/run/acme/control.sock");
    ensure!(endpoint.exists(), "the control endpoint is there while the service runs");
    let status = service.stop(bed)?;
    ensure!(status.success(), "the service ended with {status}");
    ensure!(bed.processes("rust-agent")?.is_empty(), "agents are left");
    let scope = bed.path(&format!("/sys/fs/cgroup/user.slice/user-1001.slice/session-{}.scope", alice.id));
    let left: Vec<_> = std::fs::read_dir(scope)?
        .flatten()
        .map(|entry| entry.file_name())
        .filter(|name| name.to_string_lossy().starts_with("bilayer-"))
        .collect();
    ensure!(left.is_empty(), "cgroups are left: {left:?}");
    ensure!(!endpoint.exists(), "the control endpoint is left");
    Ok("two agents ended, exit code 0".to_owned())
}

/// Agents that need a second to leave, in all sessions, and have this long.
fn slow(grace: &str) -> String {
    let agent = everyone_runs(&[E2E_AGENT, "witness", WITNESS, "1000"]);
    format!("{agent}stop = {{ grace = \"{grace}\" }}\n")
}

/// A real power-off: every agent has its grace, and only then the machine goes on.
pub(super) fn power_off(bed: &Bed) -> Result<String> {
    crate::layer0::install(bed, &slow("10s"))?;
    let checked = bed.inside([PROGRAM, "config", "check", "/etc/acme/acme.toml"]).output()?;
    let checked = [checked.stdout, checked.stderr].map(|said| String::from_utf8_lossy(&said).into_owned());
    // As long as the terminal's lines are.
    let checked = checked.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let said = leave_at_power_off(bed, true)?;
    let at = |what: &str| said.find(what).with_context(|| format!("the log does not say {what:?}: {said}"));
    let announced = at("the system shuts down; agents have 5 s")?;
    let left = said.rfind("ended: exit code 0").context("an agent left by itself")?;
    let stopped = at("stopping: ")?;
    ensure!(announced < left && left < stopped, "they left, and then the machine went on: {said}");
    ensure!(!said[announced..].contains(" WARN "), "nothing went wrong: {said}");
    ensure!(checked.contains("it is cut to \"5s\""), "a longer grace is warned of: {checked}");
    at("stopped: every agent has ended")?;
    Ok("two agents left in their own time, then the service, then the machine".to_owned())
}

/// logind does not let it hold up a shutdown: it says so, and the agents still leave by themselves.
pub(super) fn power_off_without_lock(bed: &Bed) -> Result<String> {
    let policy = r#"<busconfig><policy context="mandatory">
        <deny send_destination="org.freedesktop.login1" send_interface="org.freedesktop.login1.Manager" send_member="Inhibit"/>
        </policy></busconfig>"#;
    bed.write("/etc/dbus-1/system.d/bed.conf", policy)?;
    bed.run(["systemctl", "reload", "dbus"])?;
    let said = leave_at_power_off(bed, false)?;
    let warning = said.lines().find(|line| line.contains("a shutdown will not wait for the agents"));
    let warning = warning.with_context(|| format!("it says that it has no lock: {said}"))?;
    Ok(warning.to_owned())
}

/// Turns the machine off under two agents, and says what the service said.
fn leave_at_power_off(bed: &Bed, delays: bool) -> Result<String> {
    bed.write(WITNESS, "")?;
    bed.run(["chmod", "666", WITNESS])?;
    let _service = Layer0::start(bed, &slow("4s"))?;
    bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "alice")?;
    running(bed, "desk", "bob")?;
    // Asked before they listen, they would end without a word.
    until("both are at work", SOON, || {
        let written = std::fs::read_to_string(bed.path(WITNESS))?;
        Ok((written.lines().count() == 2).then_some(()))
    })?;
    if delays {
        until("a shutdown waits for the service", SOON, || {
            Ok((bed.delays_of_shutdown()? == ["acme"]).then_some(()))
        })?;
    }
    bed.power_off()?;
    let written = std::fs::read_to_string(bed.disk(WITNESS))?;
    let ends = written.lines().filter(|line| line.starts_with("end")).count();
    ensure!(ends == 2, "both agents wrote that they left: {written}");
    Ok(std::fs::read_to_string(bed.disk(LOG))?)
}

/// An agent that outlives the service and hears nothing but it.
const KEPT: &str = r#"
[service]
name = "acme"
on_service_stop = "keep"
[agent.desk]
command = ["/usr/local/bin/e2e-agent", "asked", "/var/lib/witness"]
sessions = "all"
needs_display = false
stop = { grace = "20s" }
"#;

/// A desktop that takes its time at a shutdown: an agent is asked because of that, and not because its session is over.
const SLOW_DESKTOP: &str = "trap '' TERM HUP; until grep -q asked /var/lib/witness; do sleep 0.1; done";

/// A shutdown that logind knows nothing of looks like a stop of the service, which agents that are kept live through; there is nothing
/// to live on in.
pub(super) fn power_off_unannounced(bed: &Bed) -> Result<String> {
    bed.write(WITNESS, "")?;
    bed.run(["chmod", "666", WITNESS])?;
    let service = Layer0::installed(bed, KEPT)?;
    bed.login_to("alice", Desktop::Wayland, &[], &["/bin/sh", "-c", SLOW_DESKTOP])?;
    let (_, pid) = ready(bed, "desk", "alice")?;
    let written = || std::fs::read_to_string(bed.disk(WITNESS));
    until("the agent listens", SOON, || Ok(written()?.starts_with("start").then_some(())))?;
    bed.run(["systemctl", "restart", "acme"])?;
    let (_, after) = ready(bed, "desk", "alice")?;
    ensure!(after == pid, "the service has another agent than before: {after}, and not {pid}");
    ensure!(!written()?.contains("asked"), "a restart of the service is none of its agent's business");
    bed.power_off_unannounced()?;
    let written = written()?;
    let said = service.said();
    ensure!(
        written.ends_with("asked Shutdown\n"),
        "the agent wrote {written:?}, and the service said {said}"
    );
    ensure!(!said.contains("the system shuts down"), "logind announced it: {said}");
    ensure!(said.trim_end().ends_with("every agent has ended"), "the service saw it leave: {said}");
    Ok("the agent was asked, because of the shutdown".to_owned())
}
