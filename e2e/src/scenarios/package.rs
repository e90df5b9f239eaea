//! The package for Debian, as `cargo xtask e2e-linux` built it from the program under test, in two versions.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::bed::{Bed, Desktop};
use crate::layer0::{RUST_AGENT, SOON};
use crate::process::Process;
use crate::wait::until;

const OLDER: &str = "/var/tmp/package-older.deb";
const NEWER: &str = "/var/tmp/package-newer.deb";
const CONFIG: &str = "/etc/bilayer/bilayer.toml";
const UNIT: &str = "bilayer.service";
/// What a person writes below the sample.
const AGENT: &str = "\n[agent.desk]\ncommand = [\"/usr/local/bin/rust-agent\"]\nneeds_display = false\n";

/// With the account that the package made for that.
const WORKER: &str = "\n[worker.sync]\ncommand = [\"/bin/sleep\", \"3600\"]\naccount = \"bilayer-worker\"\n";

/// Installed, configured, upgraded, removed, purged: what is there at each step, and what is left in the end.
pub(super) fn life(bed: &Bed) -> Result<String> {
    prepare(bed)?;
    let before = files(bed)?;
    dpkg(bed, "-i", OLDER)?;
    ensure!(state(bed)? == ("active", "enabled").into(), "the service is {:?}", state(bed)?);
    for file in [
        "/usr/share/man/man1/bilayer.1.gz",
        "/usr/share/man/man1/bilayer-status.1.gz",
        "/usr/share/man/man5/bilayer.toml.5.gz",
        "/usr/share/bash-completion/completions/bilayer",
        "/usr/share/zsh/vendor-completions/_bilayer",
        "/usr/share/fish/vendor_completions.d/bilayer.fish",
    ] {
        ensure!(bed.path(file).exists(), "{file} is not there");
    }
    let account = bed.run(["getent", "passwd", "bilayer-worker"])?;
    ensure!(account.trim().ends_with("nologin"), "the account of workers is {account}");
    let idle = until("the service answers", SOON, || status(bed).map(Some))?;
    ensure!(idle["agents"].as_array().is_some_and(Vec::is_empty), "agents: {}", idle["agents"]);

    bed.login("alice", Desktop::Wayland)?;
    let edited = config(bed)? + AGENT + WORKER;
    bed.write(CONFIG, &edited)?;
    bed.run(["bilayer", "reload"])?;
    let first = agent(bed)?;
    let folder = format!("/proc/{}", worker(bed)?.pid);
    let runs_as = bed.run(["stat", "--format=%U", &folder])?;
    ensure!(runs_as.trim() == "bilayer-worker", "the worker runs as {runs_as}");
    dpkg(bed, "-i", NEWER)?;
    ensure!(config(bed)? == edited, "the edit is lost:\n{}", config(bed)?);
    ensure!(state(bed)? == ("active", "enabled").into(), "after the upgrade: {:?}", state(bed)?);
    let (second, second_worker) = (agent(bed)?, worker(bed)?);
    ensure!(first.is_dead(), "the agent outlived its service, and was not to");

    dpkg(bed, "-r", "bilayer")?;
    ensure!(state(bed)?.active != "active", "the removal left it running");
    ensure!(!bed.path("/usr/lib/systemd/system/bilayer.service").exists(), "the unit is left");
    until("the agent ends with its service", SOON, || Ok(second.is_dead().then_some(())))?;
    ensure!(second_worker.is_dead(), "the worker outlived its service");
    ensure!(config(bed)? == edited, "the removal took the edit");
    ensure!(bed.path("/var/log/bilayer").exists(), "the removal took the log");
    dpkg(bed, "-P", "bilayer")?;
    let left: Vec<String> = files(bed)?.difference(&before).filter(|path| !is_book(path)).cloned().collect();
    ensure!(left.is_empty(), "the purge leaves {left:?}");
    Ok(format!("agents {first:?} and {second:?}; nothing is left"))
}

/// An upgrade that the agents of users do not notice.
pub(super) fn kept(bed: &Bed) -> Result<String> {
    prepare(bed)?;
    dpkg(bed, "-i", OLDER)?;
    bed.login("alice", Desktop::Wayland)?;
    bed.write(CONFIG, &format!("[service]\nname = \"bilayer\"\non_service_stop = \"keep\"\n{AGENT}"))?;
    bed.run(["bilayer", "reload"])?;
    let before = agent(bed)?;
    let mut away_ms = Vec::new();
    // There and back: how long it takes depends on what else the machine does.
    for package in [NEWER, OLDER, NEWER] {
        let service = main_pid(bed)?;
        dpkg(bed, "-i", package)?;
        ensure!(main_pid(bed)? != service, "the service is still the old one");
        let after = agent(bed)?;
        ensure!(after == before, "the agent was {before:?} and is {after:?}");
        away_ms.push(until("the log says that it is connected", SOON, || away(bed))?);
    }
    let shortest = away_ms.iter().min().context("there were upgrades")?;
    ensure!(*shortest <= 1000, "the wire was away for {away_ms:?} ms");
    // A removal is for good.
    dpkg(bed, "-r", "bilayer")?;
    ensure!(state(bed)?.active != "active", "the removal left it running");
    ensure!(before.is_dead(), "the agent has nobody left to end it");
    // Also where the service was stopped first, and left its agent alone.
    dpkg(bed, "-i", NEWER)?;
    let left = agent(bed)?;
    bed.run(["systemctl", "stop", UNIT])?;
    ensure!(!left.is_dead(), "the stop took the agent");
    dpkg(bed, "-r", "bilayer")?;
    until("the removal ends it", SOON, || Ok(left.is_dead().then_some(())))?;
    Ok(format!("{before:?} through three upgrades; its wire was away for {away_ms:?} ms"))
}

/// What a person stopped or disabled stays so, through an upgrade and through a removal.
pub(super) fn as_it_was_left(bed: &Bed) -> Result<String> {
    prepare(bed)?;
    dpkg(bed, "-i", OLDER)?;
    bed.run(["systemctl", "stop", UNIT])?;
    dpkg(bed, "-i", NEWER)?;
    ensure!(state(bed)? == ("inactive", "enabled").into(), "stopped, and then {:?}", state(bed)?);
    dpkg(bed, "-r", "bilayer")?;
    dpkg(bed, "-i", NEWER)?;
    ensure!(state(bed)? == ("active", "enabled").into(), "installed again, and {:?}", state(bed)?);
    bed.run(["systemctl", "disable", "--now", UNIT])?;
    for (action, what) in [("-i", OLDER), ("-r", "bilayer"), ("-i", NEWER)] {
        dpkg(bed, action, what)?;
    }
    ensure!(state(bed)? == ("inactive", "disabled").into(), "disabled, and then {:?}", state(bed)?);
    Ok("stopped and disabled as before".into())
}

/// A configuration that cannot be used does not keep a package from being installed; what is wrong is said.
pub(super) fn broken_configuration(bed: &Bed) -> Result<String> {
    prepare(bed)?;
    dpkg(bed, "-i", OLDER)?;
    bed.write(CONFIG, "[service]\nname = \"bilayer\"\nnmae = 1\n")?;
    let said = dpkg(bed, "-i", NEWER)?;
    ensure!(said.contains("unknown key `nmae`"), "it does not say what is wrong: {said}");
    let installed = bed.run(["dpkg-query", "--show", "--showformat=${Status} ${Version}", "bilayer"])?;
    ensure!(installed == "install ok installed 0.2.0-1", "the package is {installed}");
    bed.write(CONFIG, "[service]\nname = \"bilayer\"\n")?;
    bed.run(["systemctl", "start", UNIT])?;
    ensure!(state(bed)? == ("active", "enabled").into(), "mended, and {:?}", state(bed)?);
    Ok(said.lines().find(|line| line.contains("nmae")).unwrap_or_default().to_owned())
}

/// A second service of one's own, beside the one of the package; and what the package leaves alone, or takes with it.
pub(super) fn beside(bed: &Bed) -> Result<String> {
    prepare(bed)?;
    dpkg(bed, "-i", OLDER)?;
    bed.write("/etc/acme/acme.toml", "[service]\nname = \"acme\"\n")?;
    bed.run(["bilayer", "install", "-c", "/etc/acme/acme.toml"])?;
    bed.run(["bilayer", "start", "-c", "/etc/acme/acme.toml"])?;
    bed.write("/etc/acme/same.toml", "[service]\nname = \"bilayer\"\n")?;
    let taken = bed.run(["bilayer", "install", "-c", "/etc/acme/same.toml"]);
    let taken = format!("{:#}", taken.err().context("the package's service was taken over")?);
    ensure!(taken.contains("came with a package"), "{taken}");
    let removed = bed.run(["bilayer", "uninstall", "-c", CONFIG]);
    ensure!(removed.is_err() && state(bed)?.active == "active", "the package's service is not uninstalled");
    let which = format!("{:#}", bed.run(["bilayer", "status"]).err().context("status chose one of two")?);
    ensure!(which.contains(CONFIG) && which.contains("/etc/acme/acme.toml"), "{which}");

    // The unit of the package gives way to one that knows the whole configuration, and that goes with the package.
    bed.write(CONFIG, "[service]\nname = \"bilayer\"\ndescription = \"Ours\"\ndependencies = [\"dbus\"]\n")?;
    bed.run(["bilayer", "install", "-c", CONFIG])?;
    let removed = bed.run(["bilayer", "uninstall", "-c", CONFIG])?;
    ensure!(removed.contains("came with a package"), "{removed}");
    ensure!(state(bed)? == ("inactive", "enabled").into(), "uncovered it is {:?}", state(bed)?);
    bed.run(["systemctl", "start", UNIT])?;
    bed.run(["bilayer", "install", "-c", CONFIG])?;
    dpkg(bed, "-i", NEWER)?;
    ensure!(state(bed)? == ("active", "enabled").into(), "after the upgrade: {:?}", state(bed)?);
    let said = dpkg(bed, "-P", "bilayer")?;
    ensure!(!said.contains("warning:") && !said.contains("error:"), "the purge complains: {said}");
    for left in ["bilayer.service", "multi-user.target.wants/bilayer.service"] {
        let left = bed.path("/etc/systemd/system").join(left);
        ensure!(fs::symlink_metadata(&left).is_err(), "{} is left", left.display());
    }
    ensure!(bed.run(["systemctl", "is-active", "acme.service"])?.trim() == "active", "acme was stopped");
    bed.run(["test", "-h", "/run/bilayer/acme"]).context("acme cannot be found any more")?;
    Ok(taken.lines().last().unwrap_or_default().to_owned())
}

/// Where no systemd runs, as while an image is built, the package installs all the same, and the boot finds it enabled.
pub(super) fn image(bed: &Bed) -> Result<String> {
    prepare(bed)?;
    let build = format!("mount -t tmpfs none /run && dpkg --force-unsafe-io -i {OLDER}");
    bed.run(["unshare", "--mount", "sh", "-ec", &build])?;
    ensure!(state(bed)? == ("inactive", "enabled").into(), "in an image it is {:?}", state(bed)?);
    bed.run(["unshare", "--mount", "sh", "-ec", &build.replace(OLDER, NEWER)])?;
    bed.run(["systemctl", "daemon-reload"])?;
    bed.run(["systemctl", "start", "multi-user.target"])?;
    until("the boot starts it", SOON, || Ok((state(bed)?.active == "active").then_some(())))?;
    Ok("installed and upgraded without systemd, started by the boot".into())
}

/// Brings the packages and the agent, and lets dpkg unpack manual pages, which the test bed's systems do without.
fn prepare(bed: &Bed) -> Result<()> {
    let own = std::env::current_exe()?;
    let built = own.parent().context("a program lies in a folder")?;
    for (file, inside) in
        [("package-older.deb", OLDER), ("package-newer.deb", NEWER), ("rust-agent", RUST_AGENT)]
    {
        let built = built.join(file);
        ensure!(built.exists(), "{} is not there; `cargo xtask e2e-linux` builds it", built.display());
        bed.install(&built, inside)?;
    }
    bed.run(["rm", "-f", "/etc/dpkg/dpkg.cfg.d/99mmdebstrap"])?;
    Ok(())
}

/// Runs dpkg to its end, and returns all that it and the package said.
fn dpkg(bed: &Bed, action: &str, what: &str) -> Result<String> {
    let output = bed
        .inside(["dpkg", "--force-unsafe-io", action, what])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .output()?;
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(said),
        false => bail!("dpkg {action} {what} ended with {}: {said}", output.status),
    }
}

/// What systemd says of the service: active, inactive or failed; enabled or disabled.
#[derive(Debug, PartialEq, Eq)]
struct State {
    active: String,
    enabled: String,
}

impl From<(&str, &str)> for State {
    fn from((active, enabled): (&str, &str)) -> Self {
        Self { active: active.to_owned(), enabled: enabled.to_owned() }
    }
}

fn state(bed: &Bed) -> Result<State> {
    let asked = |verb: &str| -> Result<String> {
        // What it is, is its exit code, too.
        let output = bed.inside(["systemctl", verb, UNIT]).output()?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    Ok(State { active: asked("is-active")?, enabled: asked("is-enabled")? })
}

fn main_pid(bed: &Bed) -> Result<u32> {
    let pid = bed.run(["systemctl", "show", "--property=MainPID", "--value", UNIT])?;
    pid.trim().parse().ok().filter(|pid| *pid != 0).context("the unit has a main process")
}

/// `bilayer status --json` without any word on which service is meant.
fn status(bed: &Bed) -> Result<Value> {
    let text = bed.run(["bilayer", "status", "--json"])?;
    serde_json::from_str(&text).with_context(|| format!("status printed {text}"))
}

/// The process of alice's agent, once it is ready over the wire.
fn agent(bed: &Bed) -> Result<Process> {
    until("alice's agent is ready", SOON, || {
        let entry = entry(bed, "desk")?;
        ensure!(entry["ready"] == true, "it is {entry}");
        Ok(process(bed, &entry))
    })
}

/// The process of the worker, once it runs.
fn worker(bed: &Bed) -> Result<Process> {
    until("the worker runs", SOON, || {
        let entry = entry(bed, "sync")?;
        ensure!(entry["state"] == "running", "it is {entry}");
        Ok(process(bed, &entry))
    })
}

/// What the status says of the only agent or worker of a name.
fn entry(bed: &Bed, name: &str) -> Result<Value> {
    let status = status(bed)?;
    let agents = status["agents"].as_array().context("status has agents")?;
    let named: Vec<&Value> = agents.iter().filter(|agent| agent["agent"] == name).collect();
    match named[..] {
        [entry] => Ok(entry.clone()),
        _ => bail!("there are {} of {name}", named.len()),
    }
}

fn process(bed: &Bed, entry: &Value) -> Option<Process> {
    let pid = entry["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
    pid.map(|pid| bed.process(pid))
}

/// For how long the agent had no connection last, in milliseconds, by the log; nothing while it has none.
fn away(bed: &Bed) -> Result<Option<u64>> {
    let log = bed.run(["bilayer", "logs", "--lines", "1000"])?;
    let last = |what: &str| log.lines().rev().find(|line| line.contains(what)).and_then(time_ms);
    let (left, back) = (last("lives on without the service"), last("| connected"));
    let (left, back) =
        (left.with_context(|| format!("nothing lived on:\n{log}"))?, back.context("nothing connected")?);
    Ok(back.checked_sub(left))
}

/// The time of day of a line of the log, in milliseconds: `2026-11-22T12:34:56.789Z`.
fn time_ms(line: &str) -> Option<u64> {
    let time = line.split_whitespace().next()?.split_once('T')?.1.trim_end_matches('Z');
    let mut parts = time.splitn(3, ':');
    let (hours, minutes): (u64, u64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (seconds, fraction) = parts.next()?.split_once('.')?;
    let ms: u64 = fraction.get(..3)?.parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds.parse::<u64>().ok()?) * 1000 + ms)
}

fn config(bed: &Bed) -> Result<String> {
    fs::read_to_string(bed.path(CONFIG)).with_context(|| format!("cannot read {CONFIG}"))
}

/// Everything that a package could leave behind.
fn files(bed: &Bed) -> Result<BTreeSet<String>> {
    let found = bed.run(["find", "/etc", "/usr", "/var", "/opt", "/root", "/run", "-xdev"])?;
    Ok(found.lines().map(str::to_owned).collect())
}

/// What systems keep books of: users, accounts, services, logs and packages. A package leaves traces there.
fn is_book(path: &str) -> bool {
    let books = [
        "/var/lib/dpkg/",
        "/var/lib/systemd/",
        "/var/log/dpkg.log",
        "/var/log/journal/",
        "/run/log/",
        "/run/systemd/",
        "/run/user",
        "/run/udev/",
    ];
    let copies = ["/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/.pwd.lock"];
    books.iter().any(|book| path.starts_with(book)) || copies.contains(&path)
}
