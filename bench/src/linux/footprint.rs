//! What a supervisor costs while nothing happens: memory and wake-ups.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::peer::{Peer, Running, Setting, Supervisor};
use super::peers;
use super::report::Report;

/// With so many children.
const CROWDS: [usize; 2] = [1, 100];

/// Layer 0 is watched with so many as well.
pub(super) const MULTITUDE: usize = 1000;

/// What a start leaves behind, such as threads that wait for more work, goes away within this.
const SETTLED_MAX: Duration = Duration::from_secs(20);

/// Memory of one supervisor after the other, each alone; then wake-ups, of many side by side.
///
/// Every supervisor has its fastest setting here: the default differs in none of these.
pub(super) fn measure(folder: &Path, seconds: u64, report: &mut Report) -> Result<()> {
    let peers = peers::present();
    let (ours, theirs) = peers.split_first().context("layer 0 is always here")?;
    let crowds: Vec<_> = CROWDS.into_iter().chain([MULTITUDE]).collect();
    // systemd tells of the start of every other unit: it is watched while none is started, and before layer 0 is, which
    // tells it that it lives.
    let (first, others): (Vec<Peer>, Vec<Peer>) = theirs.iter().partition(|peer| is_first(peer));
    for (at, children) in CROWDS.into_iter().enumerate() {
        let with = first.iter().map(|peer| (*peer, children));
        let beside =
            others.iter().filter(|_| at == 0).flat_map(|peer| CROWDS.map(|children| (*peer, children)));
        watch(folder, with.chain(beside).collect(), seconds, report)?;
    }
    watch(folder, crowds.iter().map(|children| (*ours, *children)).collect(), seconds, report)
}

fn is_first(peer: &Peer) -> bool {
    peer.name == "systemd"
}

/// Starts these one after the other, looking at the memory of each while it is the only one, and watches them together.
fn watch(folder: &Path, peers: Vec<(Peer, usize)>, seconds: u64, report: &mut Report) -> Result<()> {
    for (peer, children) in &peers {
        let running = Running::start(folder, peer, Setting::Fastest, *children)?;
        let own = settle(&running)?;
        let memory = own.iter().map(|pid| number(*pid, "smaps_rollup", "Pss:")).sum::<Result<u64>>()?;
        report.memory(peer.name, *children, memory, own.len());
    }
    let mut watched = Vec::new();
    for (peer, children) in &peers {
        let running = Running::start(folder, peer, Setting::Fastest, *children)?;
        watched.push((peer.name, *children, running));
    }
    let mut before = Vec::new();
    for (_, _, running) in &watched {
        settle(running)?;
    }
    for (_, _, running) in &watched {
        before.push(switches(&running.processes()?)?);
    }
    let shown: Vec<_> = watched.iter().map(|(name, children, _)| format!("{name} with {children}")).collect();
    println!("watching for {seconds} s: {}", shown.join(", "));
    std::thread::sleep(Duration::from_secs(seconds));
    for ((name, children, running), before) in watched.iter().zip(before) {
        report.switches(name, *children, switches(&running.processes()?)?.saturating_sub(before));
    }
    Ok(())
}

/// Waits until its start is over, and returns the supervisor's own processes.
fn settle(running: &Running) -> Result<Vec<u32>> {
    let deadline = Instant::now() + SETTLED_MAX;
    loop {
        std::thread::park_timeout(Duration::from_secs(2));
        let own = running.processes()?;
        let is_quiet = own.iter().all(|pid| threads(*pid) == 1);
        if is_quiet || matches!(running.supervisor, Supervisor::First(_)) || Instant::now() > deadline {
            return Ok(own);
        }
    }
}

fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).map_or(0, Iterator::count)
}

/// Voluntary context switches of all threads of these processes so far (proc(5)).
fn switches(pids: &[u32]) -> Result<u64> {
    let mut sum = 0;
    for pid in pids {
        for task in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
            let task = task.file_name().into_string().unwrap_or_default();
            sum += number(*pid, &format!("task/{task}/status"), "voluntary_ctxt_switches:")?;
        }
    }
    Ok(sum)
}

fn number(pid: u32, file: &str, key: &str) -> Result<u64> {
    let file = format!("/proc/{pid}/{file}");
    let text = fs::read_to_string(&file).with_context(|| file.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    let value = line
        .and_then(|rest| rest.split_whitespace().next())
        .with_context(|| format!("no {key} in {file}"))?;
    Ok(value.parse()?)
}
