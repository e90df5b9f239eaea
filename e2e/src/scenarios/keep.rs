//! A service that is killed, again and again, at any moment of its start, and what becomes of its agents.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::bed::{Bed, Desktop};
use crate::layer0::{self, Layer0, SOON, agent, command};
use crate::process::Process;
use crate::wait::{throughout, until};

const KILLS: u64 = 100;

/// The agents are the same after a hundred kills, connected again, and each is one.
pub(super) fn killed_and_kept(bed: &Bed) -> Result<String> {
    let service = Layer0::installed(bed, &config("keep", ""))?;
    bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    let before = agents_of_both(bed)?;
    let plain = bed.processes("sleep")?.into_iter().filter(is_agent).collect::<Vec<_>>();
    let launches = launches(bed)?;
    let before_kills = service.said().len();
    kill_again_and_again(bed, |_| Ok(()))?;
    let after = agents_of_both(bed)?;
    ensure!(before == after, "the agents were {before:?} and are {after:?}");
    ensure!(
        bed.processes("sleep")?.into_iter().filter(is_agent).collect::<Vec<_>>() == plain,
        "other agents"
    );
    nothing_else_runs(bed, 2)?;
    ensure!(launches == self::launches(bed)?, "they count as the same launches");
    let said = service.said();
    let warnings: Vec<&str> = said[before_kills..].lines().filter(|line| line.contains(" WARN ")).collect();
    ensure!(warnings.is_empty(), "nothing failed: {warnings:?}");

    // A logoff is a logoff.
    command(bed, ["agents", "stop", "desk", "--user", "alice"])?;
    until("a person's stop ends it", SOON, || Ok(bed.process(after[0]).is_dead().then_some(())))?;
    bed.run(["systemctl", "stop", "acme"])?;
    ensure!(!bed.process(after[1]).is_dead(), "a stop of the service leaves bob's");
    ensure!(service.said().contains("live on"), "and says so: {}", service.said());
    Ok(format!("{KILLS} kills: {after:?} are as before"))
}

/// Agents that die and are launched while the service is killed: an agent too few for a moment, never one too many.
pub(super) fn killed_in_the_middle(bed: &Bed) -> Result<String> {
    let _service = Layer0::installed(bed, &config("keep", RESTLESS))?;
    bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    agents_of_both(bed)?;
    let (mut most, mut launches) = (0, 0);
    kill_again_and_again(bed, |round| {
        // The service learns of the death and launches, and dies somewhere on that way.
        let agents = until("an agent runs", SOON, || {
            let agents = bed.processes("rust-agent")?;
            most = most.max(agents.len());
            Ok((!agents.is_empty()).then_some(agents))
        })?;
        for agent in &agents {
            let _ = bed.run(["kill", "-KILL", &agent.pid.to_string()]);
        }
        launches += agents.len();
        thread::park_timeout(Duration::from_micros(300 * (round % 20)));
        Ok(())
    })?;
    ensure!(most <= 2, "there were {most} agents for two users");
    let after = agents_of_both(bed)?;
    nothing_else_runs(bed, 2)?;
    Ok(format!("{KILLS} kills, and {launches} of agents; {after:?} run, and never more than {most}"))
}

/// Without `keep`, every kill of the service ends its agents and what they started.
pub(super) fn killed_and_not_kept(bed: &Bed) -> Result<String> {
    let _service = Layer0::installed(bed, &config("stop", ""))?;
    bed.login("alice", Desktop::Wayland)?;
    bed.login("bob", Desktop::X11)?;
    let before = agents_of_both(bed)?;
    kill_again_and_again(bed, |_| Ok(()))?;
    let after = agents_of_both(bed)?;
    ensure!(before.iter().all(|pid| bed.process(*pid).is_dead()), "the first agents ended");
    nothing_else_runs(bed, 2)?;
    ensure!(!bed.path("/var/lib/acme/agents").exists(), "nothing was written down");
    Ok(format!("{KILLS} kills: {before:?} ended, {after:?} run, and no other"))
}

/// What an agent printed while nobody read is in the log, each line once.
pub(super) fn prints_on(bed: &Bed) -> Result<String> {
    let agent = "[agent.desk]\ncommand = [\"/bin/sh\", \"-c\", '''\n\
                 i=0; while [ $i -lt 1000 ]; do i=$((i+1)); echo line $i; [ $((i % 10)) = 0 ] && sleep 0.02; done; exec sleep 3600\n\
                 ''']\nsessions = \"all\"\nneeds_display = false\n";
    let service =
        Layer0::installed(bed, &format!("[service]\nname = \"acme\"\non_service_stop = \"keep\"\n{agent}"))?;
    bed.login("alice", Desktop::Wayland)?;
    layer0::running(bed, "desk", "alice")?;
    let mut kills = 0;
    until("the last line is there", SOON, || {
        kill(bed, Duration::from_millis(kills * 7 % 90))?;
        kills += 1;
        Ok(service.said().contains("line 1000").then_some(()))
    })?;
    let said = service.said();
    let lines: Vec<u32> = said
        .lines()
        .filter(|line| line.contains("stream=stdout"))
        .filter_map(|line| line.rsplit_once("line ")?.1.parse().ok())
        .collect();
    // What is being written when the service is killed may come twice.
    let next = lines.iter().fold(1, |next, line| if *line == next { next + 1 } else { next });
    ensure!(next == 1001, "line {next} is missing, or not in its place");
    let twice = lines.len() - 1000;
    ensure!(twice <= 100, "{twice} lines twice, after {kills} kills");
    Ok(format!("1000 lines over {kills} kills, {twice} of them twice"))
}

/// Failures are forgiven at once, so that there is always a launch to be interrupted.
const RESTLESS: &str = "restart = { delay_max = \"100ms\", limit = { count = 1000, within = \"1s\" } }\n";

fn config(on_service_stop: &str, keys: &str) -> String {
    format!(
        "[service]\nname = \"acme\"\non_service_stop = \"{on_service_stop}\"\n\
         [agent.desk]\ncommand = [\"/usr/local/bin/rust-agent\"]\nsessions = \"all\"\nneeds_display = false\n{keys}\
         [agent.plain]\ncommand = [\"/bin/sleep\", \"3600\"]\nsessions = \"all\"\nneeds_display = false\n{keys}"
    )
}

/// Kills the service as soon as there is one, each time at another moment of its start.
fn kill_again_and_again(bed: &Bed, mut before: impl FnMut(u64) -> Result<()>) -> Result<()> {
    for round in 0..KILLS {
        before(round)?;
        kill(bed, Duration::from_millis(round * 7 % 90))?;
    }
    Ok(())
}

/// Kills the service when the process that systemd has started for it is so old.
fn kill(bed: &Bed, age: Duration) -> Result<()> {
    let service = until("systemd starts the service", SOON, || bed.main_process("bilayer"))?;
    thread::park_timeout(age);
    // It may have ended by itself in between, which is found out by what it said.
    let _ = bed.run(["systemctl", "kill", "--signal=KILL", "acme"]);
    until("it is dead", SOON, || Ok(service.is_dead().then_some(())))
}

/// What tells the launches of both users' agents from others: generation and time.
fn launches(bed: &Bed) -> Result<Vec<(Value, Value)>> {
    let of = |user: &&str| {
        let entry = agent(bed, "desk", user)?.context("the agent has a status")?.entry;
        Ok((entry["generation"].clone(), entry["since"].clone()))
    };
    ["alice", "bob"].iter().map(of).collect()
}

/// The pids of the agents of both users, once they are connected, and those which connect to nobody run.
fn agents_of_both(bed: &Bed) -> Result<Vec<u32>> {
    ["alice", "bob"]
        .iter()
        .map(|user| {
            layer0::running(bed, "plain", user)?;
            Ok(layer0::ready(bed, "desk", user)?.1)
        })
        .collect()
}

/// There are so many of each agent, and there stay so many.
fn nothing_else_runs(bed: &Bed, count: usize) -> Result<()> {
    throughout("one agent for each user", Duration::from_millis(500), || {
        let sleeps = bed.processes("sleep")?.iter().filter(|process| is_agent(process)).count();
        Ok(bed.processes("rust-agent")?.len() == count && sleeps == count)
    })
}

fn is_agent(process: &Process) -> bool {
    process.cgroup().is_ok_and(|cgroup| cgroup.contains("bilayer-acme."))
}
