//! Agents that do what no agent should, and what the service makes of it.

#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up fails")]

mod common;

use std::fs;

use common::service::{Service, is_alive, pid, shell_agent, signal};
use serde_json::Value;

fn runs(agent: &Value) -> bool {
    agent["state"] == "running"
}

#[test]
fn one_that_ignores_the_stop_is_killed_at_the_end_of_its_grace() {
    let deaf = shell_agent("trap : TERM INT HUP; echo deaf; while :; do sleep 0.05; done")
        + "stop.grace = \"400ms\"\n";
    let mut service = Service::start("ignores", &[("deaf", deaf)]);
    service.until("it traps signals", |service| service.ok(&["logs", "--agent", "deaf"]).contains("deaf"));
    let first = pid(&service.agent("deaf"));
    service.ok(&["agents", "stop", "deaf"]);
    let held = service.agent_until("deaf", "it is held", |agent| agent["state"] == "held");
    assert_eq!(held["last_exit"]["signal"], "SIGKILL", "{held:#}");
    assert!(!is_alive(first));
    service.ok(&["agents", "start", "deaf"]);
    let second = pid(&service.agent_until("deaf", "it runs", runs));
    assert_eq!(service.interrupt().code(), Some(0), "{}", service.said());
    assert!(!is_alive(second));
}

#[test]
fn what_one_that_forks_and_exits_leaves_behind_is_killed() {
    // In a process group of its own, as a daemon would be.
    let script = "setsid sleep 1000 & echo $! > child; sleep 1001 & echo $! >> child; exit 3";
    let home = common::Home::new("forks");
    let agent = shell_agent(script) + &format!("cwd = '{}'\nrestart.on = \"never\"\n", home.path(""));
    let file = home.write("acme.toml", &format!("[service]\nname = \"testing\"\n[agent.forks]\n{agent}"));
    let service = Service::run(home, file);
    let released = service.agent_until("forks", "it has left", |agent| agent["state"] == "released");
    assert_eq!(released["last_exit"]["code"], 3, "{released:#}");
    let children = fs::read_to_string(service.home.path("child")).unwrap();
    let children: Vec<u64> = children.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert_eq!(children.len(), 2);
    service.until("its children are gone", |_| !children.iter().any(|child| is_alive(*child)));
}

#[test]
fn a_flood_of_output_is_cut_and_counted() {
    let service =
        Service::start("floods", &[("flood", shell_agent("yes all work and no play makes a dull agent"))]);
    service.until("lines were dropped", |service| service.ok(&["logs", "-n", "100000"]).contains("dropped "));
    let agent = service.agent("flood");
    assert!(runs(&agent), "it is slowed down by nobody: {agent:#}");
    let said = service.ok(&["logs", "-n", "100000", "--agent", "flood"]);
    let kept = said.lines().filter(|line| line.contains("dull agent")).count();
    let dropped: u64 = said
        .lines()
        .filter_map(|line| line.split_once("| dropped ")?.1.split(' ').next()?.parse::<u64>().ok())
        .sum();
    assert!(dropped as usize > kept, "{dropped} dropped, {kept} kept");
}

#[test]
fn one_that_exits_at_once_for_ever_is_a_crash_loop() {
    let agent = shell_agent("exit 7") + "restart.limit = { count = 3, within = \"1m\", then = \"slow\" }\n";
    let hold = shell_agent("exit 8") + "restart.limit = { count = 3, within = \"1m\", then = \"hold\" }\n";
    let service = Service::start("loops", &[("slow", agent), ("hold", hold)]);
    let slow = service.agent_until("slow", "it is a crash loop", |agent| {
        agent["crash_loop"] == true && agent["state"] == "waiting"
    });
    assert_eq!(slow["last_exit"]["code"], 7, "{slow:#}");
    assert!(slow["next_retry"].is_string(), "{slow:#}");
    assert_eq!(slow["restarts"], 3, "{slow:#}");
    let page = service.ok(&["status"]);
    assert!(page.contains("crash loop") && page.contains("exit code 7"), "{page}");

    let held = service.agent_until("hold", "it is held", |agent| agent["state"] == "held");
    assert_eq!(held["reason"]["code"], "limit", "{held:#}");
    service.ok(&["agents", "start", "hold"]);
    service.agent_until("hold", "it is held again", |agent| {
        agent["state"] == "held" && agent["generation"].as_u64() > held["generation"].as_u64()
    });
}

#[test]
fn an_executable_that_is_replaced_runs_from_the_next_start() {
    let home = common::Home::new("replaced");
    let program = home.path("agent");
    script(&program, "echo version one; sleep 1000");
    let text = format!(
        "[service]\nname = \"testing\"\n[agent.desk]\ncommand = ['{program}']\nneeds_display = false\n"
    );
    let file = home.write("acme.toml", &text);
    let service = Service::run(home, file);
    service.until("the first has spoken", |service| service.ok(&["logs"]).contains("version one"));
    let first = pid(&service.agent("desk"));

    // As installers do: written beside it, then put in its place.
    let beside = service.home.path("agent.new");
    script(&beside, "echo version two; sleep 1000");
    fs::rename(&beside, &program).unwrap();
    assert_eq!(pid(&service.agent("desk")), first, "what runs goes on");
    signal("KILL", first);
    service.until("the second has spoken", |service| service.ok(&["logs"]).contains("version two"));

    // And one that is gone: held, with the reason.
    fs::remove_file(&program).unwrap();
    signal("KILL", pid(&service.agent("desk")));
    let held = service.agent_until("desk", "it is held", |agent| agent["state"] == "held");
    assert!(held["reason"]["text"].as_str().unwrap().contains(&program), "{held:#}");
}

/// A program that is a script.
fn script(path: &str, body: &str) {
    fs::write(path, format!("#!/bin/sh\n{body}\n")).unwrap();
    // The mode by the system's own tool: this file is compiled on every system.
    assert!(std::process::Command::new("chmod").args(["755", path]).status().unwrap().success());
}
