//! logind and the bus to it, when they are not there, go and come back, or are driven hard.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop, Login};
use crate::configuration::EVERYONE;
use crate::layer0::{Layer0, SOON, agent, command, running, status};
use crate::wait::{throughout, until};

/// Without a system bus the service starts, says what is missing, and is in control; with it, it catches up.
pub(super) fn no_bus(bed: &Bed) -> Result<String> {
    let service = Layer0::installed(bed, EVERYONE)?;
    bed.run(["systemctl", "stop", "acme"])?;
    bed.login("alice", Desktop::Wayland)?;
    bed.run(["systemctl", "stop", "dbus.socket", "dbus.service"])?;
    // The two talk with each other without the bus.
    bed.run(["systemctl", "start", "acme"])?;
    let error = until("it says what is missing", SOON, || {
        Ok(status(bed)?["service"]["sessions_error"].as_str().map(str::to_owned))
    })?;
    ensure!(error.contains("cannot connect to the system bus"), "it says: {error}");
    ensure!(service.said().contains("cannot enumerate the sessions"), "so does the log: {}", service.said());
    command(bed, ["reload"])?;
    ensure!(bed.processes("rust-agent")?.is_empty(), "nobody is known to be logged on");
    bed.run(["systemctl", "start", "dbus.socket", "dbus.service"])?;
    let logind = logind_finds_back(bed)?;
    let (_, pid) = running(bed, "desk", "alice")?;
    ensure!(status(bed)?["service"]["sessions_error"].is_null(), "and now all is known");
    holds_up_shutdown(bed)?;
    let said = service.said().matches("cannot enumerate the sessions").count();
    ensure!(said == 1, "it was said {said} times");
    Ok(format!("{error}; {pid} once the bus was there; {logind}"))
}

/// The bus dies under the service: agents stay as they are, and the next logon is seen.
pub(super) fn bus_restarted(bed: &Bed) -> Result<String> {
    let service = Layer0::start(bed, EVERYONE)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    holds_up_shutdown(bed)?;
    bed.run(["systemctl", "restart", "dbus.service"])?;
    until("it notices that the bus is another one", SOON, || {
        Ok(service.said().contains("the connection to the system bus is back").then_some(()))
    })?;
    let logind = logind_finds_back(bed)?;
    Ok(format!("{}; {logind}", sees_what_happens(bed, &alice, before)?))
}

/// Waits until the sessions are known over a bus that was started again. systemd itself finds back to it. logind of Debian 12 ends when
/// it loses its connection, and is started anew; that of Debian 13 lives on without one for good (the same process, and no
/// `org.freedesktop.login1` in `busctl list --acquired`). Then the status has to say what helps, and that is done.
fn logind_finds_back(bed: &Bed) -> Result<String> {
    const ADVICE: &str = "systemctl restart systemd-logind";
    let helped =
        until("the sessions are known, or it says what helps", SOON, || {
            match status(bed)?["service"]["sessions_error"].as_str() {
                None => Ok(Some(false)),
                Some(error) => Ok(error.contains(ADVICE).then_some(true)),
            }
        })?;
    if !helped {
        return Ok("logind found back by itself".to_owned());
    }
    bed.run(["systemctl", "restart", "systemd-logind"])?;
    until("the sessions are known", SOON, || {
        Ok(status(bed)?["service"]["sessions_error"].is_null().then_some(()))
    })?;
    Ok("logind was off the bus and was started again, as the status says".to_owned())
}

/// logind is started again.
pub(super) fn logind_restarted(bed: &Bed) -> Result<String> {
    survives(bed, &["systemctl", "restart", "systemd-logind.service"])
}

/// logind is killed.
pub(super) fn logind_killed(bed: &Bed) -> Result<String> {
    survives(bed, &["systemctl", "kill", "--signal=KILL", "systemd-logind.service"])
}

fn survives(bed: &Bed, blow: &[&str]) -> Result<String> {
    let _service = Layer0::start(bed, EVERYONE)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    holds_up_shutdown(bed)?;
    let mut command = bed.inside([]);
    crate::bed::run(command.args(blow))?;
    until("logind answers again", SOON, || {
        let answer = bed.property("/org/freedesktop/login1", "Manager", "PreparingForShutdown");
        Ok(answer.is_ok().then_some(()))
    })?;
    sees_what_happens(bed, &alice, before)
}

/// The agent in alice's session is still the one it was, and a logon, a shutdown and a logoff find the service as always.
fn sees_what_happens(bed: &Bed, alice: &Login, before: u32) -> Result<String> {
    bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "bob")?;
    let (entry, after) = running(bed, "desk", "alice")?;
    ensure!(before == after && entry.entry["restarts"] == 0, "alice's agent stayed: {}", entry.entry);
    holds_up_shutdown(bed)?;
    bed.log_off(alice)?;
    until("a logoff is seen as before", SOON, || Ok(bed.process(after).is_dead().then_some(())))?;
    Ok(format!("{before} lived through it, bob was served, and alice's logoff was seen"))
}

/// Exactly one lock is held, whatever happened.
fn holds_up_shutdown(bed: &Bed) -> Result<()> {
    until("a shutdown waits for the service", SOON, || {
        let delays = bed.delays_of_shutdown()?;
        ensure!(delays.len() < 2, "it waits twice: {delays:?}");
        Ok((delays == ["acme"]).then_some(()))
    })
}

/// A hundred logins that end at once. `su` is what opens sessions with the least around them.
const FLOOD: &str = r"
i=0
while [ $i -lt 100 ]; do
    i=$((i+1))
    XDG_SESSION_CLASS=user XDG_SESSION_TYPE=x11 su bob -c true &
done
wait
";

/// Sessions that come and go faster than anybody could serve them leave nothing behind.
pub(super) fn flood(bed: &Bed) -> Result<String> {
    let service = Layer0::start(bed, EVERYONE)?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, before) = running(bed, "desk", "alice")?;
    // Once before, for what is there from the first time on: an entry of the user database, a folder.
    let visitor = bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "bob")?;
    bed.log_off(&visitor)?;
    bed.wait_until_gone(&visitor)?;
    let process = service.process(bed)?;
    let quiet = || -> Result<(usize, usize)> { Ok((process.descriptors()?.len(), sockets(bed)?)) };
    let settled = until("only alice is left", SOON, || {
        Ok((status(bed)?["sessions"].as_array().is_some_and(|all| all.len() == 1)).then_some(quiet()?))
    })?;

    let started = std::time::Instant::now();
    bed.write("/usr/local/bin/flood", FLOOD)?;
    bed.run(["systemd-run", "--quiet", "--wait", "--collect", "sh", "/usr/local/bin/flood"])?;
    let took = started.elapsed();
    until("only alice is left", SOON, || {
        Ok((status(bed)?["sessions"].as_array().is_some_and(|all| all.len() == 1)).then_some(()))
    })?;
    until("what was opened for them is closed", SOON, || {
        let now = quiet()?;
        // A connection of the control API comes and goes with each question.
        ensure!(now.0 <= settled.0 && now.1 == settled.1, "{now:?} descriptors and sockets, not {settled:?}");
        Ok(Some(()))
    })?;
    let (entry, after) = running(bed, "desk", "alice")?;
    ensure!(after == before && entry.entry["restarts"] == 0, "alice's agent is as it was: {}", entry.entry);
    ensure!(bed.processes("rust-agent")?.len() == 1, "and the only one");
    let seen = service.said().matches("session found").count() - 2;
    let warned = service.said().matches(" WARN ").count() + service.said().matches(" ERROR ").count();
    Ok(format!("100 logins in {took:.1?}, {seen} of them seen, {warned} warnings"))
}

fn sockets(bed: &Bed) -> Result<usize> {
    let folder = bed.path("/run/acme");
    let mut count = 0;
    let mut ahead = vec![folder];
    while let Some(folder) = ahead.pop() {
        for entry in fs::read_dir(folder)?.flatten() {
            count += 1;
            if entry.file_type()?.is_dir() {
                ahead.push(entry.path());
            }
        }
    }
    Ok(count)
}

/// Something of the user's own lives on after a logoff: logind calls the session closing for as long as it does, and the agent
/// is not there for that long.
pub(super) fn closing(bed: &Bed) -> Result<String> {
    ends_though_something_lives(bed, "TERM")
}

/// The same where the leader had no time for anything.
pub(super) fn leader_killed(bed: &Bed) -> Result<String> {
    ends_though_something_lives(bed, "KILL")
}

fn ends_though_something_lives(bed: &Bed, signal: &str) -> Result<String> {
    let _service = Layer0::start(bed, EVERYONE)?;
    let alice = bed.login("alice", Desktop::Wayland)?;
    let (_, pid) = running(bed, "desk", "alice")?;
    let left = leave_something(bed, &alice)?;
    let leader = bed.session_property(&alice, "Leader")?;
    bed.run(["kill", &format!("-{signal}"), &leader.to_string()])?;
    until("the agent ends", SOON, || Ok(bed.process(pid).is_dead().then_some(())))?;
    until("logind calls the session closing", SOON, || {
        Ok((bed.session_property(&alice, "State")? == "closing").then_some(()))
    })?;
    // Also after somebody else came and everything was looked at again.
    bed.login("bob", Desktop::X11)?;
    running(bed, "desk", "bob")?;
    throughout("nobody is served in a closing session", Duration::from_millis(500), || {
        Ok(bed.processes("rust-agent")?.len() == 1)
    })?;
    ensure!(agent(bed, "desk", "alice")?.is_none(), "the status has forgotten it");
    bed.run(["kill", &left.to_string()])?;
    bed.wait_until_gone(&alice)?;
    Ok(format!("{pid} ended; session {} was closing until {left} ended", alice.id))
}

/// A process of alice's, in her session's scope.
fn leave_something(bed: &Bed, login: &Login) -> Result<u32> {
    let scope = format!("/sys/fs/cgroup/user.slice/user-1001.slice/session-{}.scope/cgroup.procs", login.id);
    // systemd reads two dollars as one.
    let script = format!("echo $$$$ >{scope}; exec setpriv --reuid=alice --clear-groups sleep 77777");
    bed.run(["systemd-run", "--quiet", "--collect", "--property=KillMode=process", "sh", "-c", &script])?;
    let found = until("what is left behind is in the scope", SOON, || {
        let sleeps = bed.processes("sleep")?;
        let is_left = |sleep: &&crate::process::Process| {
            sleep.cgroup().is_ok_and(|cgroup| cgroup.ends_with(".scope"))
                && sleep.arguments().is_some_and(|arguments| arguments.contains("77777"))
        };
        Ok(sleeps.iter().find(is_left).map(|sleep| sleep.pid))
    });
    found.context("nothing is left behind")
}
