//! Who asks the name service, and what stays of it.

use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::bed::{Bed, Desktop};
use crate::layer0::{Layer0, SOON, agent, command, ready, running};
use crate::process::Process;
use crate::wait::{throughout, until};

/// Users, a group and an account to look up.
const ACME: &str = r#"
[service]
name = "acme"
[agent.desk]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
users = ["alice", "nobody-of-this-name"]
needs_display = false
[agent.team]
command = ["/usr/local/bin/rust-agent"]
sessions = "all"
groups = ["acme-team", "no-group-of-this-name"]
needs_display = false
[worker.sync]
command = ["/bin/sleep", "infinity"]
account = "acme-sync"
"#;

/// The only module that this system has beside those within the C library: nsswitch.conf(5).
const NSSWITCH: &str = "passwd: compat\ngroup: compat\nshadow: files\n";
const MODULE: &str = "libnss_compat";

/// The C library reserves 64 MiB for each further heap.
const HEAP_RESERVED_MIN: u64 = 32 * 1024 * 1024;

/// Whatever the service was told of users and groups, it was told by others: it has no such library, no thread that waits for
/// one, and nothing of those that it did start.
pub(super) fn is_elsewhere(bed: &Bed) -> Result<String> {
    bed.run(["useradd", "--system", "acme-sync"])?;
    bed.run(["groupadd", "acme-team"])?;
    bed.run(["usermod", "--append", "--groups", "acme-team", "alice"])?;
    bed.write("/etc/nsswitch.conf", NSSWITCH)?;
    // So that the machine does load it, where it is asked.
    let traced = bed.run(["sh", "-c", "LD_DEBUG=files getent initgroups alice 2>&1"])?;
    ensure!(traced.contains(MODULE), "a look-up does without {MODULE}: {traced}");

    let mut service = Layer0::start(bed, ACME)?;
    bed.login("alice", Desktop::Wayland)?;
    serves(bed, &service.process(bed)?, &["bilayer", "births"])?;
    let ended = service.stop(bed)?;
    ensure!(ended.success(), "bilayer run ended with {ended}");

    let service = Layer0::installed(bed, ACME)?;
    let process = service.process(bed)?;
    serves(bed, &process, &["bilayer", "event log", "births"])?;
    command(bed, ["reload"])?;
    serves(bed, &process, &["bilayer", "event log", "births"])?;
    Ok(format!("{} mappings in process {}, none a module", process.mappings()?.len(), process.pid))
}

/// All agents run, and the process has these threads and no module.
fn serves(bed: &Bed, layer0: &Process, threads: &[&str]) -> Result<()> {
    ready(bed, "desk", "alice")?;
    ready(bed, "team", "alice")?;
    running(bed, "sync", "acme-sync")?;
    let mappings = layer0.mappings()?;
    let module = mappings.iter().find(|(_, file)| file.contains("/libnss_"));
    ensure!(module.is_none(), "{module:?} is in the service");
    let heap = mappings.iter().find(|(bytes, file)| *bytes > HEAP_RESERVED_MIN && file.is_empty());
    ensure!(heap.is_none(), "a thread has a heap of its own, of {heap:?}");
    // A thread that read the configuration waits some seconds for more to read.
    until(&format!("the threads {threads:?}"), SOON, || {
        let found = layer0.threads()?;
        ensure!(found == threads, "its threads are {found:?}");
        Ok(Some(()))
    })
}

const LATE: &str = r#"
[service]
name = "acme"
[worker.sync]
command = ["/bin/sleep", "infinity"]
account = "acme-sync"
restart = { delay_max = "500ms" }
"#;

/// A cache of the name service takes questions and answers none: nscd(8), whose clients wait for it for longer than layer 0 does.
pub(super) fn hangs(bed: &Bed) -> Result<String> {
    bed.run(["useradd", "--system", "acme-sync"])?;
    let service = Layer0::installed(bed, LATE)?;
    let (_, first) = running(bed, "sync", "acme-sync")?;
    let process = service.process(bed)?;
    let listen = "--socket-property=ListenStream=/run/nscd/socket";
    bed.run(["systemd-run", "--quiet", "--unit=deaf", listen, "/bin/sleep", "infinity"])?;
    bed.run(["kill", "-KILL", &first.to_string()])?;

    let text = until("the worker is told why it waits", SOON, || {
        let Some(agent) = agent(bed, "sync", "acme-sync")? else { bail!("it is not there") };
        let text = agent.entry["reason"]["text"].as_str().unwrap_or_default().to_owned();
        Ok(text.contains("no answer within 5 s").then_some(text))
    })?;
    // Into the next try, for which the one before must not be waiting.
    throughout("one asks at a time", Duration::from_secs(2), || Ok(process.children()?.len() <= 1))?;
    let threads = process.threads()?;
    ensure!(threads == ["bilayer", "event log", "births"], "its threads are {threads:?}");

    bed.run(["systemctl", "stop", "deaf.socket", "deaf.service"])?;
    bed.run(["rm", "--force", "/run/nscd/socket"])?;
    let (_, second) = running(bed, "sync", "acme-sync")?;
    until("nobody asks any more", SOON, || Ok((process.children()? == [second]).then_some(())))?;
    Ok(format!("{first}, and {second} after: {text}"))
}
