//! The service as systemd keeps it: installed, started, asked, killed, hung, stopped and removed.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::bed::{Bed, Desktop};
use crate::layer0::{self, PROGRAM, SOON};
use crate::wait::{throughout, until};

const CONFIG: &str = "/etc/acme/acme.toml";
const UNIT: &str = "/etc/systemd/system/acme.service";

/// Two agents in every session.
const ACME: &str = r#"
[service]
name = "acme"
display_name = "Acme 100% Desk"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
needs_display = false
"#;

/// Installed, started, stopped, removed: what systemd says each time, and that nothing is left.
pub(super) fn whole_life(bed: &Bed) -> Result<String> {
    layer0::install(bed, ACME)?;
    let before = units(bed)?;
    said(bed, &["start"], 4, "install it with `bilayer install")?;
    said(bed, &["status"], 3, "")?;
    said(bed, &["install"], 0, "acme is installed, as root")?;
    let shown = show(bed)?;
    for (property, value) in [
        ("UnitFileState", "enabled"),
        ("ActiveState", "inactive"),
        ("Type", "notify"),
        ("Restart", "always"),
        ("KillMode", "mixed"),
        ("Delegate", "yes"),
        ("Description", "Acme 100% Desk"),
    ] {
        ensure!(
            shown.get(property).map(String::as_str) == Some(value),
            "{property} is {:?}",
            shown.get(property)
        );
    }
    bed.run(["systemd-analyze", "verify", UNIT])?;
    said(bed, &["status"], 3, "acme, stopped; installed as a service")?;
    said(bed, &["install"], 0, "installed like this already")?;
    said(bed, &["start"], 0, "acme runs")?;
    said(bed, &["start"], 0, "acme runs already")?;
    ensure!(show(bed)?["ActiveState"] == "active", "it runs");
    until("the status text", SOON, || {
        Ok((show(bed)?["StatusText"] == "0 agents in 0 sessions").then_some(()))
    })?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, agent) = layer0::running(bed, "desk", "alice")?;
    until(
        "the status text",
        SOON,
        || Ok((show(bed)?["StatusText"] == "1 agent in 1 session").then_some(())),
    )?;
    let cgroup = bed.process(agent).cgroup()?;
    ensure!(cgroup.contains("session-") && !cgroup.contains("acme.service"), "the agent is in {cgroup}");
    let environment = bed.process(agent).environment()?;
    for name in ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "INVOCATION_ID", "JOURNAL_STREAM"] {
        ensure!(!environment.contains_key(name), "the agent has {name}");
    }
    said(bed, &["restart"], 0, "acme runs")?;
    said(bed, &["stop"], 0, "has stopped")?;
    said(bed, &["stop"], 0, "does not run")?;
    let shown = show(bed)?;
    ensure!(shown["Result"] == "success" && shown["ActiveState"] == "inactive", "{shown:?}");
    let journal = bed.run(["journalctl", "--unit=acme", "--output=cat", "BILAYER_EVENT=1", "PRIORITY=6"])?;
    let lines: Vec<&str> = journal.lines().collect();
    ensure!(
        lines.len() == 2 && lines[0].starts_with("started (name=acme"),
        "two starts in the journal: {lines:?}"
    );
    said(bed, &["start"], 0, "acme runs")?;
    said(bed, &["uninstall"], 0, "acme is removed")?;
    ensure!(show(bed)?["LoadState"] == "not-found", "systemd has forgotten it");
    let after = units(bed)?;
    ensure!(before == after, "units were {before:?} and are {after:?}");
    said(bed, &["uninstall"], 4, "there is no service acme")?;
    Ok("installed, started, restarted, stopped and removed".to_owned())
}

/// A reload by each of the ways that there are, and one that is refused.
pub(super) fn reloads(bed: &Bed) -> Result<String> {
    layer0::install(bed, ACME)?;
    said(bed, &["install"], 0, "")?;
    said(bed, &["start"], 0, "")?;
    let process = main_pid(bed)?;
    let added = |names: &[&str]| {
        let agents = names.iter().map(|name| ACME.replace("[agent.desk]", &format!("[agent.{name}]")));
        agents
            .map(|text| {
                text.split_once("[agent").map(|(_, agent)| format!("[agent{agent}")).unwrap_or_default()
            })
            .fold(ACME.to_owned(), |all, agent| all + &agent)
    };
    bed.write(CONFIG, &added(&["one"]))?;
    said(bed, &["reload"], 0, "added one")?;
    bed.write(CONFIG, &added(&["one", "two"]))?;
    bed.run(["systemctl", "reload", "acme"])?;
    ensure!(
        service_log(bed)?.contains(r#"added=[\"two\"]"#),
        "systemctl waits until the configuration is read"
    );
    bed.write(CONFIG, &added(&["one", "two", "three"]))?;
    bed.run(["systemctl", "kill", "--signal=HUP", "--kill-who=main", "acme"])?;
    until("the signal reloads", SOON, || {
        Ok(service_log(bed)?.contains(r#"added=[\"three\"]"#).then_some(()))
    })?;
    bed.write(CONFIG, "[service]\nname = \"acme\"\ncolour = \"blue\"\n")?;
    ensure!(bed.run(["systemctl", "reload", "acme"]).is_err(), "systemd is told of a refusal");
    until("the service is as it was", SOON, || Ok((show(bed)?["ActiveState"] == "active").then_some(())))?;
    said(bed, &["reload"], 2, "colour")?;
    ensure!(main_pid(bed)? == process, "it is the same process");
    bed.write(CONFIG, ACME)?;
    bed.run(["systemctl", "reload", "acme"])?;
    ensure!(show(bed)?["ActiveState"] == "active", "it is up again at the end of a reload");
    Ok(format!("process {process} read its configuration 5 times"))
}

/// Killed faster than a start limit would allow, the service is back each time; hung, it is ended and back; and a wrong
/// configuration is not tried again and again.
pub(super) fn comes_back(bed: &Bed) -> Result<String> {
    layer0::install(bed, ACME)?;
    said(bed, &["install"], 0, "")?;
    said(bed, &["start"], 0, "")?;
    for _ in 0..10 {
        let process = main_pid(bed)?;
        bed.run(["systemctl", "kill", "--signal=KILL", "--kill-who=main", "acme"])?;
        until("another process runs", SOON, || Ok(runs_anew(bed, process)?.then_some(())))?;
    }
    ensure!(show(bed)?["NRestarts"] == "10", "systemd counts {} restarts", show(bed)?["NRestarts"]);

    bed.write(
        "/etc/systemd/system/acme.service.d/test.conf",
        "[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n",
    )?;
    bed.run(["systemctl", "daemon-reload"])?;
    said(bed, &["restart"], 0, "")?;
    let process = main_pid(bed)?;
    throughout("a loop that goes round is left alone", Duration::from_secs(5), || {
        Ok(main_pid(bed)? == process)
    })?;
    bed.run(["systemctl", "kill", "--signal=STOP", "--kill-who=main", "acme"])?;
    until("one that does not is ended", SOON, || Ok(bed.process(process).is_dead().then_some(())))?;
    until("and another one runs", SOON, || Ok(runs_anew(bed, process)?.then_some(())))?;
    ensure!(bed.journal().contains("Watchdog timeout"), "it was the watchdog");

    said(bed, &["stop"], 0, "has stopped")?;
    bed.write(CONFIG, "[service]\nname = \"acme\"\ncolour = \"blue\"\n")?;
    said(bed, &["start"], 1, "with exit code 2")?;
    let shown = show(bed)?;
    ensure!(shown["ActiveState"] == "failed" && shown["NRestarts"] == "0", "{shown:?}");
    ensure!(shown["StatusText"].contains("cannot be used"), "its last word is {:?}", shown["StatusText"]);
    said(bed, &["status"], 3, "stopped, with exit code 2")?;
    Ok("10 kills, a hung loop, a wrong configuration".to_owned())
}

/// An agent that takes longer than the unit allows has its time all the same: the service says that it needs it.
pub(super) fn stops_in_its_own_time(bed: &Bed) -> Result<String> {
    let config = "[service]\nname = \"acme\"\n[agent.deaf]\ncommand = [\"/usr/local/bin/e2e-agent\", \"deaf\"]\n\
                  sessions = \"all\"\nneeds_display = false\nstop = { grace = \"4s\" }\n";
    layer0::install(bed, config)?;
    said(bed, &["install"], 0, "")?;
    bed.write("/etc/systemd/system/acme.service.d/test.conf", "[Service]\nTimeoutStopSec=1s\n")?;
    said(bed, &["install"], 0, "/etc/systemd/system/acme.service.d/test.conf")?;
    said(bed, &["start"], 0, "")?;
    bed.login("alice", Desktop::Wayland)?;
    let (_, agent) = layer0::running(bed, "deaf", "alice")?;
    said(bed, &["stop"], 0, "has stopped")?;
    let shown = show(bed)?;
    ensure!(shown["Result"] == "success", "the stop ended with {}", shown["Result"]);
    ensure!(bed.process(agent).is_dead(), "the agent is gone");
    Ok("a grace of 4 s outlasts TimeoutStopSec=1s".to_owned())
}

/// Units of others are left alone, whatever they are called; one of ours that was edited is kept; and one that a package
/// brought is used as it is.
pub(super) fn units_of_others(bed: &Bed) -> Result<String> {
    const FOREIGN: &str = "[Service]\nExecStart=/bin/sleep 1000\n";
    const SHIPPED: &str = "/usr/lib/systemd/system/acme.service";
    layer0::install(bed, ACME)?;
    for place in [UNIT, SHIPPED] {
        bed.write(place, FOREIGN)?;
        bed.run(["systemctl", "daemon-reload"])?;
        bed.run(["systemctl", "start", "acme"])?;
        let process = main_pid(bed)?;
        for command in ["install", "uninstall", "stop", "start", "restart"] {
            said(bed, &[command], 1, "was not installed by Bilayer and was not touched")?;
        }
        ensure!(bed.run(["cat", place])? == FOREIGN && main_pid(bed)? == process, "it is as it was");
        bed.run(["systemctl", "stop", "acme"])?;
        bed.run(["rm", place])?;
    }
    bed.run(["systemctl", "daemon-reload"])?;
    bed.run(["systemctl", "mask", "acme"])?;
    said(bed, &["install"], 1, "systemctl unmask acme.service")?;
    bed.run(["systemctl", "unmask", "acme"])?;

    said(bed, &["install"], 0, "is installed")?;
    let made = bed.run(["cat", UNIT])?;
    let edited = made.replace("Restart=always", "Restart=no");
    bed.write(UNIT, &edited)?;
    let told = said(bed, &["install"], 0, "Restart: was no, is always")?;
    ensure!(told.contains("edited by hand") && told.contains("acme.service.bak-1"), "it says so: {told}");
    ensure!(bed.run(["cat", &format!("{UNIT}.bak-1")])? == edited, "nothing is lost");
    ensure!(bed.run(["cat", UNIT])? == made, "and it is as it should be");
    bed.write(
        CONFIG,
        &ACME.replace("[agent.desk]", "start = \"manual\"\non_service_stop = \"keep\"\n[agent.desk]"),
    )?;
    let told = said(bed, &["install"], 0, "KillMode: was mixed, is process")?;
    ensure!(told.contains("start: was auto, is manual"), "it says so: {told}");
    ensure!(show(bed)?["UnitFileState"] == "disabled", "it is not started at boot");
    bed.write("/etc/systemd/system/acme.service.d/mine.conf", "[Service]\nNice=1\n")?;
    let told = said(bed, &["uninstall"], 0, "is removed")?;
    ensure!(
        told.ends_with("acme.service.d") && told.contains("acme.service.bak-1"),
        "it says what stays: {told}"
    );

    bed.write(CONFIG, ACME)?;
    bed.write(SHIPPED, &made)?;
    bed.run(["systemctl", "daemon-reload"])?;
    said(bed, &["install"], 0, "start: was manual, is auto")?;
    ensure!(!bed.path(UNIT).exists(), "the package's unit is the one");
    said(bed, &["start"], 0, "acme runs")?;
    said(bed, &["uninstall"], 1, "came with a package")?;
    ensure!(show(bed)?["ActiveState"] == "active", "and it runs on");
    Ok("a foreign unit in both places, a mask, an edited one, a packaged one".to_owned())
}

/// What cannot be done is said, with what to do.
pub(super) fn refusals(bed: &Bed) -> Result<String> {
    layer0::install(bed, ACME)?;
    said(bed, &["install"], 0, "")?;
    bed.run(["useradd", "--create-home", "mallory"])?;
    for command in ["install", "start", "uninstall"] {
        let output = by_mallory(bed, command)?;
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(
            output.status.code() == Some(5),
            "`{command}` of a user ended with {}: {told}",
            output.status
        );
        ensure!(told.contains("as root"), "`{command}` of a user says {told}");
    }
    said(bed, &["start"], 0, "")?;
    for command in ["stop", "restart"] {
        let output = by_mallory(bed, command)?;
        ensure!(output.status.code() == Some(5), "`{command}` of a user ended with {}", output.status);
    }
    said(bed, &["run"], 1, "acme is running already")?;
    ensure!(show(bed)?["ActiveState"] == "active" && show(bed)?["NRestarts"] == "0", "it runs on");

    let hiding = |place: &str, words: &str| {
        let script = format!("mount -t tmpfs none {place} && exec {PROGRAM} -c {CONFIG} {words}");
        bed.inside(["unshare", "--mount", "sh", "-c", &script]).output()
    };
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let output = hiding("/run/systemd", "install")?;
    ensure!(output.status.code() == Some(1), "without systemd: {}", output.status);
    ensure!(told(&output).contains("`bilayer run -c /etc/acme/acme.toml`"), "{}", told(&output));
    let output = hiding("/run/dbus", "stop")?;
    ensure!(output.status.code() == Some(1), "without a bus: {}", output.status);
    ensure!(told(&output).contains("message bus"), "{}", told(&output));

    // The name is taken by one that runs in the foreground.
    said(bed, &["stop"], 0, "")?;
    bed.run([
        "systemd-run",
        "--unit=foreground",
        "--service-type=exec",
        "--",
        PROGRAM,
        "--config",
        CONFIG,
        "run",
    ])?;
    until("it answers", SOON, || layer0::status(bed).map(Some))?;
    said(bed, &["start"], 1, "runs already")?;
    bed.run(["systemctl", "stop", "foreground"])?;
    ensure!(show(bed)?["NRestarts"] == "0", "systemd does not try for ever");
    said(bed, &["start"], 0, "acme runs")?;
    Ok("a user, a second service, no systemd, no bus".to_owned())
}

fn by_mallory(bed: &Bed, command: &str) -> Result<Output> {
    Ok(bed.inside(["runuser", "-u", "mallory", "--", PROGRAM, "-c", CONFIG, command]).output()?)
}

fn main_pid(bed: &Bed) -> Result<u32> {
    show(bed)?["MainPID"].parse().context("a pid")
}

/// Whether the service runs, and not as this process any more. By one answer of systemd's, which between the end of a process and
/// the next one still calls the service active, with no main process.
fn runs_anew(bed: &Bed, process: u32) -> Result<bool> {
    let shown = show(bed)?;
    let pid: u32 = shown["MainPID"].parse().context("a pid")?;
    Ok(shown["ActiveState"] == "active" && pid != 0 && pid != process)
}

fn service_log(bed: &Bed) -> Result<String> {
    bed.run(["cat", "/var/log/acme/acme.log"])
}

/// All below the folder of units.
fn units(bed: &Bed) -> Result<String> {
    bed.run(["find", "/etc/systemd/system", "-printf", "%p %m %l\n"])
}

/// What `systemctl show` says of the unit.
fn show(bed: &Bed) -> Result<BTreeMap<String, String>> {
    let text = bed.run(["systemctl", "show", "acme"])?;
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Gives the command and makes sure of its exit code, and of something that it says.
fn said(bed: &Bed, words: &[&str], code: i32, text: &str) -> Result<String> {
    let output = bilayer(bed, words)?;
    let all = [output.stdout, output.stderr].concat();
    let all = String::from_utf8_lossy(&all).trim().to_owned();
    ensure!(
        output.status.code() == Some(code),
        "`{words:?}` ended with {}, not {code}: {all}",
        output.status
    );
    ensure!(all.contains(text), "`{words:?}` does not say {text:?}: {all}");
    Ok(all)
}

fn bilayer(bed: &Bed, words: &[&str]) -> Result<Output> {
    bed.inside([PROGRAM, "--config", CONFIG]).args(words).output().context("bilayer starts")
}
