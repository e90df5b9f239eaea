//! Workers: programs of the machine's, under accounts that nobody logs on with. In Wine every process is the same user, so that
//! what is seen here is which accounts are logged on and how, and that their workers are looked after.

use anyhow::{Context, Result, ensure};

use super::{none, only};
use crate::bed::{Bed, PROGRAMS};
use crate::layer0::{Agent, SOON, Service, agents, command};
use crate::wait::until;

/// How `LogonUserW` is asked for the logon of a service: LOGON32_LOGON_SERVICE, LOGON32_PROVIDER_DEFAULT.
const AS_A_SERVICE: &str = "5 0";

fn config() -> String {
    let worker = |name: &str, program: &str, account: &str| {
        format!("[worker.{name}]\ncommand = ['{PROGRAMS}\\{program}]\naccount = '{account}'\n")
    };
    [
        "[service]\nname = \"acme\"\n".to_owned(),
        worker("index", "rust-agent.exe'", "LocalService"),
        worker("sync", "c-agent.exe'", r"NT AUTHORITY\NetworkService"),
        worker("mail", r"windows-agent.exe', 'waits', 'C:\bilayer-bed\mail'", r"ACME\mail$"),
    ]
    .concat()
}

/// Nobody is logged on; two run, one dies and is back, and all end with the service.
pub(super) fn of_system_accounts(bed: &Bed) -> Result<String> {
    bed.play_logons()?;
    bed.play(|script| script.sessions.clear())?;
    let _service = Service::start(bed, &config())?;
    let index = worker_when(bed, "index", "is ready", |worker| worker.entry["ready"] == true)?;
    worker_when(bed, "sync", "is ready", |worker| worker.entry["ready"] == true)?;
    ensure!(index.entry["kind"] == "worker" && index.entry["session"].is_null(), "{}", index.entry);
    let logons = bed.logons();
    for logon in [
        format!(r"NT AUTHORITY\LocalService - {AS_A_SERVICE}"),
        format!(r"NT AUTHORITY\NetworkService - {AS_A_SERVICE}"),
        // What stands for the password that the machine keeps: SERVICE_ACCOUNT_PASSWORD of lmaccess.h.
        format!(r"ACME\mail$ _SA_{{262E99C9-6160-4871-ACEC-4E61736B6F21}} {AS_A_SERVICE}"),
    ] {
        ensure!(logons.contains(&logon), "{logon:?} is missing in {logons:?}");
    }
    only(bed, "rust-agent.exe")?.kill()?;
    let back = worker_when(bed, "index", "is back", |worker| {
        worker.runs() && worker.pid != index.pid && worker.entry["ready"] == true
    })?;
    ensure!(bed.logons().len() > logons.len(), "each start is a logon of its own");
    command(bed, &["agents", "stop", "sync"])?;
    worker_when(bed, "sync", "is held", |worker| worker.state == "held")?;
    none(bed, "c-agent.exe")?;
    command(bed, &["stop"])?;
    for program in ["rust-agent.exe", "windows-agent.exe", "bilayer.exe"] {
        none(bed, program).context("all end with the service")?;
    }
    Ok(format!("index was {:?} and is {:?}; {}", index.pid, back.pid, bed.logons().join(", ")))
}

/// A worker lives through a kill of the service, and has it back.
pub(super) fn kept(bed: &Bed) -> Result<String> {
    bed.play_logons()?;
    let text = config().replace("name = \"acme\"\n", "name = \"acme\"\non_service_stop = \"keep\"\n");
    let service = Service::start(bed, &text)?;
    let before = worker_when(bed, "index", "is ready", |worker| worker.entry["ready"] == true)?;
    let process = only(bed, "rust-agent.exe")?;
    service.process()?.kill()?;
    command(bed, &["start"])?;
    let after = worker_when(bed, "index", "is connected again", |worker| worker.entry["connected"] == true)?;
    ensure!(after.pid == before.pid, "{:?} was taken over, not {:?}", before.pid, after.pid);
    ensure!(only(bed, "rust-agent.exe")? == process, "there is no second one");
    Ok(format!("{:?} lived through a kill", before.pid))
}

/// Waits until a worker is as wanted.
fn worker_when(bed: &Bed, name: &str, what: &str, is: impl Fn(&Agent) -> bool) -> Result<Agent> {
    until(&format!("{name} {what}"), SOON, || {
        let found = agents(bed)?.into_iter().find(|worker| worker.entry["agent"] == name);
        let found = found.with_context(|| format!("the status has no {name}"))?;
        ensure!(is(&found), "it is {}", found.entry);
        Ok(Some(found))
    })
}
