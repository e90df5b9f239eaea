//! Workers: programs of the machine's, under accounts of their own, whoever is logged on.

use std::fs;

use anyhow::{Context, Result, bail, ensure};

use crate::bed::Bed;
use crate::layer0::{Layer0, SOON, agent, command, ready, running};
use crate::process::Process;
use crate::wait::until;

/// One that speaks with the service and has a home and a further group, and one that has neither and says nothing.
const TWO: &str = r#"
[worker.index]
command = ["/usr/local/bin/rust-agent"]
account = "acme-index"
[worker.sync]
command = ["/bin/sleep", "infinity"]
account = "acme-sync"
env = { ACME_MODE = "sync" }
"#;

/// One that has all rights, because somebody wrote so.
const ROOT: &str = "[worker.boss]\ncommand = [\"/bin/sleep\", \"1000000\"]\naccount = \"root\"\n";

fn config(on_service_stop: &str, workers: &str) -> String {
    format!("[service]\nname = \"acme\"\non_service_stop = \"{on_service_stop}\"\n{workers}")
}

fn make_accounts(bed: &Bed) -> Result<()> {
    bed.run(["groupadd", "acme-data"])?;
    bed.run(["useradd", "--system", "--create-home", "--groups", "acme-data", "acme-index"])?;
    bed.run(["useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent", "acme-sync"])?;
    Ok(())
}

/// Each is its account and nothing more, below the service, with nobody logged on and, later, without logind.
pub(super) fn of_two_accounts(bed: &Bed) -> Result<String> {
    make_accounts(bed)?;
    let service = Layer0::installed(bed, &config("stop", &format!("{TWO}{ROOT}")))?;
    let (entry, index) = ready(bed, "index", "acme-index")?;
    let (_, sync) = running(bed, "sync", "acme-sync")?;
    ensure!(bed.run(["loginctl", "list-sessions", "--no-legend"])?.trim().is_empty(), "nobody is logged on");
    ensure!(entry.entry["kind"] == "worker" && entry.entry["session"].is_null(), "{}", entry.entry);
    let boss = bed.process(running(bed, "boss", "root")?.1);
    let (has, bound) = (boss.status("CapEff"), boss.status("CapBnd"));
    ensure!(boss.uids()? == [0; 4] && has == bound && has.is_some(), "boss has {has:?} of {bound:?}");
    let layer0 = service.process(bed)?.pid;
    for (name, account, pid, home) in
        [("index", "acme-index", index, "/home/acme-index"), ("sync", "acme-sync", sync, "/")]
    {
        is_the_account(bed, &bed.process(pid), account)?;
        let cgroup = bed.process(pid).cgroup()?;
        ensure!(cgroup.ends_with(&format!("/acme.service/bilayer-acme.{name}")), "{name} lives in {cgroup}");
        ensure!(bed.process(pid).status("PPid") == Some(layer0.to_string()), "it is a child of layer 0");
        let folder = bed.run(["readlink", &format!("/proc/{pid}/cwd")])?;
        ensure!(folder.trim() == home, "{name} works in {folder}");
    }
    let kept = bed.process(sync).descriptors()?.into_keys().collect::<Vec<_>>();
    ensure!(kept == [0, 1, 2], "a worker has the descriptors {kept:?}");
    // A program in Rust ignores SIGPIPE by itself.
    let ignored = bed.process(sync).status("SigIgn");
    ensure!(ignored.as_deref() == Some("0000000000000000"), "a worker ignores {ignored:?}");
    let socket =
        bed.process(index).environment()?.remove("BILAYER_ENDPOINT").context("it has an endpoint")?;
    let owner = bed.run(["stat", "--format=%U %a", &socket])?;
    ensure!(owner.trim() == "acme-index 600", "the endpoint of index is {owner}");

    let second = killed_and_back(bed, "sync", "acme-sync", sync)?;
    bed.run(["systemctl", "mask", "--runtime", "--now", "systemd-logind"])?;
    let third = killed_and_back(bed, "sync", "acme-sync", second)?;
    let again = killed_and_back(bed, "index", "acme-index", index)?;
    ready(bed, "index", "acme-index")?;
    is_the_account(bed, &bed.process(again), "acme-index")?;
    bed.run(["systemctl", "unmask", "--runtime", "systemd-logind"])?;

    command(bed, ["agents", "stop", "sync"])?;
    until("a person's stop ends it", SOON, || Ok(bed.process(third).is_dead().then_some(())))?;
    command(bed, ["agents", "start", "sync", "--user", "acme-sync"])?;
    let (_, last) = running(bed, "sync", "acme-sync")?;
    bed.run(["systemctl", "stop", "acme"])?;
    for pid in [last, again] {
        ensure!(bed.process(pid).is_dead(), "{pid} outlived the service");
    }
    let group = bed.path("/sys/fs/cgroup/system.slice/acme.service");
    ensure!(
        !group.exists(),
        "the control group of the service is left, with {:?}",
        fs::read_dir(&group)?.count()
    );
    Ok(format!("index {index} and {again}, sync {sync}, {second}, {third} and {last}"))
}

/// They live through kills and restarts of the service, have it back, and are swept no more than started twice.
pub(super) fn kept(bed: &Bed) -> Result<String> {
    make_accounts(bed)?;
    let service = Layer0::installed(bed, &config("keep", TWO))?;
    let (_, index) = ready(bed, "index", "acme-index")?;
    let (_, sync) = running(bed, "sync", "acme-sync")?;
    for _ in 0..10 {
        let layer0 = service.process(bed)?;
        bed.run(["kill", "-KILL", &layer0.pid.to_string()])?;
        until("another layer 0 answers", SOON, || {
            let next = service.process(bed)?;
            Ok((next != layer0 && next.pid != 0).then_some(()))
        })?;
        is_still(bed, index, sync)?;
    }
    bed.run(["systemctl", "stop", "acme"])?;
    ensure!(!bed.process(index).is_dead() && !bed.process(sync).is_dead(), "a stop leaves them");
    bed.run(["systemctl", "start", "acme"])?;
    is_still(bed, index, sync)?;
    // What was taken over is looked after like any other.
    let next = killed_and_back(bed, "sync", "acme-sync", sync)?;
    is_the_account(bed, &bed.process(next), "acme-sync")?;
    command(bed, ["agents", "restart", "index"])?;
    until("it is another", SOON, || Ok((ready(bed, "index", "acme-index")?.1 != index).then_some(())))?;
    Ok(format!("index {index} and sync {sync} lived through 10 kills and a restart"))
}

const LATE: &str = r#"
[worker.index]
command = ["/usr/local/bin/rust-agent"]
account = "acme-late"
restart = { delay_max = "500ms" }
"#;

/// An account that comes, goes while its worker runs, and comes back as another.
pub(super) fn account_that_changes(bed: &Bed) -> Result<String> {
    let _service = Layer0::start(bed, &config("stop", LATE))?;
    waits(bed)?;
    bed.run(["useradd", "--system", "--uid", "771", "acme-late"])?;
    let (_, first) = ready(bed, "index", "acme-late")?;
    ensure!(bed.process(first).uids()? == [771; 4], "it is {:?}", bed.process(first).uids()?);

    bed.run(["sed", "-i", "/^acme-late:/d", "/etc/passwd"])?;
    command(bed, ["reload"])?;
    ensure!(running(bed, "index", "acme-late")?.1 == first, "what runs goes on");
    bed.run(["kill", "-KILL", &first.to_string()])?;
    waits(bed)?;

    bed.run(["sh", "-c", "echo acme-late:x:772:772::/:/bin/false >>/etc/passwd"])?;
    let (entry, second) = ready(bed, "index", "acme-late")?;
    ensure!(bed.process(second).uids()? == [772; 4], "it is {:?}", bed.process(second).uids()?);
    ensure!(entry.entry["user"]["id"] == "772", "{}", entry.entry);
    Ok(format!("{first} as uid 771, {second} as uid 772"))
}

/// The worker has no process, and says which account is missing and what to do.
fn waits(bed: &Bed) -> Result<()> {
    until("it waits for its account", SOON, || {
        let Some(agent) = agent(bed, "index", "acme-late")? else { return Ok(None) };
        let text = agent.entry["reason"]["text"].as_str().unwrap_or_default().to_owned();
        if (&*agent.state, &*agent.reason) != ("waiting", "no-account") || !text.contains("acme-late") {
            bail!("it is {}", agent.entry);
        }
        ensure!(text.contains("useradd") && agent.entry["next_retry"].is_string(), "{}", agent.entry);
        Ok(Some(()))
    })
}

fn is_still(bed: &Bed, index: u32, sync: u32) -> Result<()> {
    until("both are taken over, and one is connected again", SOON, || {
        let now = (ready(bed, "index", "acme-index")?.1, running(bed, "sync", "acme-sync")?.1);
        ensure!(now == (index, sync), "they are {now:?}, and were {index} and {sync}");
        Ok(Some(()))
    })?;
    for (program, count) in [("rust-agent", 1), ("sleep", 1)] {
        let found = bed
            .processes(program)?
            .into_iter()
            .filter(|process| process.uids().is_ok_and(|uids| uids[0] != 0));
        ensure!(found.count() == count, "more than one {program}");
    }
    Ok(())
}

/// Kills it; returns its successor.
fn killed_and_back(bed: &Bed, name: &str, account: &str, pid: u32) -> Result<u32> {
    bed.run(["kill", "-KILL", &pid.to_string()])?;
    until(&format!("{name} is back"), SOON, || {
        let (_, next) = running(bed, name, account)?;
        Ok((next != pid).then_some(next))
    })
}

/// Uids, groups, capabilities and environment of a process are the account's, and it cannot become more.
fn is_the_account(bed: &Bed, process: &Process, account: &str) -> Result<()> {
    let ids = |option: &str| -> Result<Vec<u32>> {
        let text = bed.run(["id", option, account])?;
        let mut ids: Vec<u32> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        ids.sort_unstable();
        Ok(ids)
    };
    let (uid, gid) = (ids("-u")?[0], ids("-g")?[0]);
    ensure!(process.uids()? == [uid; 4] && process.gids()? == [gid; 4], "{account}: {:?}", process.uids());
    let mut groups = process.groups()?;
    groups.sort_unstable();
    ensure!(groups == ids("-G")?, "{account} has the groups {groups:?}");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb", "SigBlk"] {
        let value = process.status(set).unwrap_or_default();
        ensure!(value.chars().all(|digit| digit == '0'), "{account} has {set} {value}");
    }
    ensure!(process.status("NoNewPrivs").as_deref() == Some("1"), "{account} can gain privileges");
    ensure!(process.status("Umask").as_deref() == Some("0022"), "{account}: {:?}", process.status("Umask"));
    let environment = process.environment()?;
    ensure!(environment.get("USER").map(String::as_str) == Some(account), "{environment:?}");
    ensure!(environment.contains_key("HOME") && environment.contains_key("PATH"), "{environment:?}");
    let foreign = ["XDG_", "DBUS_", "DISPLAY", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM"];
    let found = environment.keys().find(|name| foreign.iter().any(|foreign| name.starts_with(foreign)));
    ensure!(found.is_none(), "{account} has {found:?}");
    Ok(())
}
