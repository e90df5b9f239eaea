//! `on_service_stop = "keep"`, from outside: the service is killed, stopped and started again, and its agents are the same.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test whose world cannot be set up fails")]

mod common;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use bilayer_platform::Dirs;
use common::service::{Service, is_alive, is_ready, pid, shell_agent, signal, wire_agent};
use common::{Home, code, err};
use serde_json::Value;

/// A service that keeps its agents. Whatever of them lives at the end of the test is killed.
struct Keeping {
    service: Service,
}

impl Keeping {
    fn start(name: &str, agents: &[(&str, String)]) -> Self {
        let home = Home::new(name);
        let file = home.write("acme.toml", &configuration("keep", agents));
        Self { service: Service::run(home, file) }
    }

    fn configure(&self, on_service_stop: &str, agents: &[(&str, String)]) {
        self.service.home.write("acme.toml", &configuration(on_service_stop, agents));
    }

    /// The files below its state folder with this ending.
    fn files(&self, ending: &str) -> Vec<PathBuf> {
        fn walk(folder: PathBuf, ending: &str, found: &mut Vec<PathBuf>) {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    walk(entry.path(), ending, found);
                } else if entry.path().to_str().unwrap().ends_with(ending) {
                    found.push(entry.path());
                }
            }
        }
        let mut found = Vec::new();
        walk(self.service.home.path(".local/state/bilayer").into(), ending, &mut found);
        found
    }

    fn record(&self) -> (PathBuf, Value) {
        let files = self.files(".json");
        let [file] = &files[..] else { panic!("one agent is written down: {files:?}") };
        (file.clone(), serde_json::from_slice(&fs::read(file).unwrap()).unwrap())
    }

    /// The pids of all processes that were started as this service's agents, or by them.
    fn agents(&self) -> Vec<u64> {
        let home = format!("HOME={}", self.service.home.path(""));
        let home = home.trim_end_matches('/').as_bytes().to_vec();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            let variables: Vec<&[u8]> = environment.split(|byte| *byte == 0).collect();
            let launched = variables.iter().any(|variable| variable.starts_with(b"BILAYER_LAUNCH="));
            if launched && variables.contains(&home.as_slice()) {
                found.extend(entry.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
            }
        }
        found
    }
}

impl Drop for Keeping {
    fn drop(&mut self) {
        self.service.kill();
        for pid in self.agents() {
            // What an agent ran for a moment is gone by now.
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
        }
    }
}

fn configuration(on_service_stop: &str, agents: &[(&str, String)]) -> String {
    let agents: String = agents.iter().map(|(name, keys)| format!("\n[agent.{name}]\n{keys}")).collect();
    format!("[service]\nname = \"testing\"\non_service_stop = \"{on_service_stop}\"\n{agents}")
}

fn runs(agent: &Value) -> bool {
    agent["state"] == "running"
}

#[test]
fn a_killed_service_comes_back_to_the_same_agent() {
    let mut keeping = Keeping::start("keep-kill", &[("desk", wire_agent())]);
    let service = &mut keeping.service;
    let first = service.agent_until("desk", "it is ready", is_ready);
    for _ in 0..5 {
        service.kill();
        assert!(is_alive(pid(&first)), "it lives on");
        service.again();
        let after = service.agent_until("desk", "it is connected again", is_ready);
        assert_eq!((pid(&after), &after["generation"]), (pid(&first), &first["generation"]), "{after:#}");
        assert_eq!(after["restarts"], 0, "{after:#}");
    }
    signal("KILL", pid(&first));
    let second = service
        .agent_until("desk", "another one is ready", |agent| is_ready(agent) && pid(agent) != pid(&first));
    assert_eq!(second["generation"], 2, "{second:#}");
    assert_eq!(second["last_exit"]["unknown"], true, "{second:#}");
    assert_eq!(keeping.agents(), [pid(&second)]);
}

#[test]
fn a_stop_leaves_them_and_a_start_takes_them_over_until_the_configuration_says_otherwise() {
    let agents = [("desk", wire_agent()), ("sleeper", shell_agent("exec sleep 1000"))];
    let mut keeping = Keeping::start("keep-stop", &agents);
    let desk = pid(&keeping.service.agent_until("desk", "it is ready", is_ready));
    let sleeper = pid(&keeping.service.agent_until("sleeper", "it runs", runs));
    assert_eq!(keeping.service.interrupt().code(), Some(0));
    assert!(is_alive(desk) && is_alive(sleeper));
    assert!(keeping.service.said().contains("2 agents live on"), "{}", keeping.service.said());

    keeping.service.again();
    keeping
        .service
        .agent_until("desk", "it is connected again", |agent| is_ready(agent) && pid(agent) == desk);
    assert_eq!(pid(&keeping.service.agent("sleeper")), sleeper);

    // An agent that is to end with the service has to be started so.
    keeping.configure("stop", &agents);
    let said = keeping.service.ok(&["reload"]);
    assert!(said.contains("changed desk, sleeper"), "{said}");
    let tied =
        keeping.service.agent_until("desk", "another one", |agent| is_ready(agent) && pid(agent) != desk);
    keeping.service.agent_until("sleeper", "another one", |agent| runs(agent) && pid(agent) != sleeper);
    // Somebody else waits for them, soon.
    keeping.service.until("the first ones are gone", |_| !is_alive(desk) && !is_alive(sleeper));
    assert!(keeping.files(".json").is_empty(), "nothing is written down any more");
    keeping.service.kill();
    keeping.service.until("it ended with the service", |_| !is_alive(pid(&tied)));
    assert!(keeping.agents().is_empty());
}

#[test]
fn what_outlived_a_service_is_ended_without_it() {
    let agents = [("desk", wire_agent()), ("sleeper", shell_agent("sleep 1000; true"))];
    let mut keeping = Keeping::start("keep-removed", &agents);
    let desk = pid(&keeping.service.agent_until("desk", "it is ready", is_ready));
    let sleeper = pid(&keeping.service.agent_until("sleeper", "it runs", runs));
    assert_eq!(keeping.service.interrupt().code(), Some(0));
    assert!(is_alive(desk) && is_alive(sleeper));
    let state = keeping.files(".json")[0].ancestors().nth(2).unwrap().to_owned();
    let dirs = Dirs { runtime: state.clone(), log: state.clone(), state };
    let killed = bilayer::manager::end_what_outlived(&dirs).unwrap();
    assert!(killed >= 2, "{killed}");
    keeping.service.until("nothing of them is left", |_| keeping.agents().is_empty());
    assert!(keeping.files(".json").is_empty(), "nothing is written down any more");
}

#[test]
fn an_agent_that_ended_while_the_service_was_away_is_started_anew() {
    let script = "echo first $$; trap 'echo last $$; exit 0' TERM; while :; do sleep 0.05; done";
    let mut keeping = Keeping::start("keep-away", &[("desk", shell_agent(script))]);
    let service = &mut keeping.service;
    let first = pid(&service.agent_until("desk", "it runs", runs));
    service.until("it printed", |service| service.said().contains(&format!("first {first}")));
    service.kill();
    signal("TERM", first);
    service.until("it ended", |_| !is_alive(first));
    service.again();
    let second = service.agent_until("desk", "another one runs", |agent| runs(agent) && pid(agent) != first);
    service
        .until("its last words are in the log", |service| service.said().contains(&format!("last {first}")));
    assert_eq!(service.said().matches(&format!("first {first}")).count(), 1);
    let (_, record) = keeping.record();
    assert_eq!(record["process"]["root"]["pid"], pid(&second));
}

#[test]
fn what_it_prints_is_logged_once_whoever_reads_it() {
    // Fewer than may be logged at once.
    let script = "i=0; while [ $i -lt 1500 ]; do i=$((i+1)); echo line $i; [ $((i % 10)) = 0 ] && sleep 0.01; done; sleep 1000";
    let mut keeping = Keeping::start("keep-print", &[("desk", shell_agent(script))]);
    for _ in 0..3 {
        keeping.service.agent_until("desk", "it runs", runs);
        keeping.service.kill();
        keeping.service.again();
    }
    keeping.service.until("the last line is there", |service| service.said().contains("line 1500"));
    let said = keeping.service.said();
    let lines: Vec<u32> = said
        .lines()
        .filter(|line| line.contains("stream=stdout"))
        .filter_map(|line| line.rsplit_once("line ")?.1.split_whitespace().next()?.parse().ok())
        .collect();
    // Those that were being written when the service was killed may come twice.
    let next = lines.iter().fold(1, |next, line| if *line == next { next + 1 } else { next });
    assert_eq!(next, 1501, "none is lost, and each has its place");
    assert!(lines.len() <= 1500 + 3 * 100, "{} lines", lines.len());
}

#[test]
fn a_launch_that_nobody_lived_to_write_down_is_swept() {
    let mut keeping = Keeping::start("keep-swept", &[("desk", wire_agent())]);
    let first = pid(&keeping.service.agent_until("desk", "it is ready", is_ready));
    keeping.service.kill();
    // As if the service had died between the launch and the second writing.
    let (file, mut record) = keeping.record();
    record["process"]["root"] = Value::Null;
    fs::write(&file, record.to_string()).unwrap();
    keeping.service.again();
    let second = keeping
        .service
        .agent_until("desk", "another one is ready", |agent| is_ready(agent) && pid(agent) != first);
    assert_eq!(keeping.agents(), [pid(&second)]);
}

#[test]
fn records_that_cannot_be_used_are_put_aside_and_their_agents_are_ended() {
    use std::os::unix::fs::PermissionsExt;

    let mut keeping = Keeping::start("keep-unusable", &[("desk", wire_agent())]);
    let mut last = pid(&keeping.service.agent_until("desk", "it is ready", is_ready));
    type Spoil = fn(&PathBuf, Value);
    let spoil: [(&str, Spoil); 4] = [
        ("not what this service writes", |file, _| fs::write(file, "{").unwrap()),
        ("version 77", |file, mut record| {
            record["version"] = 77.into();
            fs::write(file, record.to_string()).unwrap();
        }),
        ("others can write it", |file, _| {
            fs::set_permissions(file, fs::Permissions::from_mode(0o666)).unwrap();
        }),
        ("not that of the agent in it", |file, _| {
            fs::rename(file, file.with_file_name("other.console-0.json")).unwrap();
        }),
    ];
    for (why, spoil) in spoil {
        keeping.service.kill();
        let (file, record) = keeping.record();
        spoil(&file, record);
        keeping.service.again();
        let next = keeping.service.agent_until("desk", why, |agent| is_ready(agent) && pid(agent) != last);
        assert!(keeping.service.said().contains(why), "{why}: {}", keeping.service.said());
        assert_eq!(keeping.agents(), [pid(&next)], "{why}");
        last = pid(&next);
    }
    assert_eq!(keeping.files(".unusable").len(), 2, "one for each name");
}

#[test]
fn a_changed_program_is_started_anew_and_a_removed_one_is_ended() {
    let both = [("desk", wire_agent()), ("other", wire_agent())];
    let mut keeping = Keeping::start("keep-changed", &both);
    let desk = pid(&keeping.service.agent_until("desk", "it is ready", is_ready));
    let other = pid(&keeping.service.agent_until("other", "it is ready", is_ready));
    keeping.service.kill();
    keeping.configure("keep", &[("desk", wire_agent() + "env = { A = \"b\" }\n")]);
    keeping.service.again();
    let next =
        keeping.service.agent_until("desk", "it is new", |agent| is_ready(agent) && pid(agent) != desk);
    keeping.service.until("the other one is gone", |_| !is_alive(other));
    assert_eq!(keeping.agents(), [pid(&next)]);
}

#[test]
fn the_check_says_what_becomes_of_agents() {
    let home = Home::new("keep-check");
    for (word, text) in
        [("keep", "agents live on while the service is away"), ("stop", "agents end with the service")]
    {
        let file = home.write("acme.toml", &configuration(word, &[("desk", wire_agent())]));
        let output = home.run(&["config", "check", &file]);
        assert_eq!(code(&output), 0, "{}", err(&output));
        assert!(common::out(&output).contains(text), "{}", common::out(&output));
    }
}
