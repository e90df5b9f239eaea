//! The fingerprint: what makes a running agent start again at a reload, and what does not.

use crate::machine::{CONSOLE, agent, load, worker};

fn fingerprint(lines: &str) -> u64 {
    let text = if lines.starts_with("command") {
        agent("").replace("command = [\"/opt/acme/desk\"]", lines)
    } else {
        agent(lines)
    };
    load(&text, &CONSOLE).unwrap_or_else(|report| panic!("{report}")).config.agents[0].spec.fingerprint
}

#[test]
fn a_change_that_a_running_process_cannot_follow_changes_it() {
    let changes = [
        "",
        "command = [\"/opt/acme/shared\"]",
        "command = [\"/opt/acme/desk\", \"ab\"]",
        "command = [\"/opt/acme/desk\", \"a\", \"b\"]",
        "command = [\"/opt/acme/desk\", \"\"]",
        "cwd = \"/tmp\"",
        "env = { A = \"bc\" }",
        "env = { Ab = \"c\" }",
        "heartbeat = \"15s\"",
        "heartbeat = \"16s\"",
        "descendants = \"leave\"",
        "elevation = \"linked\"",
        "token = \"shell\"",
    ];
    let mut all: Vec<u64> = changes.iter().map(|lines| fingerprint(lines)).collect();
    all.sort_unstable();
    all.dedup();
    assert_eq!(all.len(), changes.len());
}

#[test]
fn a_worker_follows_its_account() {
    let of = |lines: &str| load(&worker(lines), &CONSOLE).unwrap().config.workers[0].spec.fingerprint;
    let all = [of(""), of("account = \"alice\""), of("account = \"root\""), fingerprint("")];
    assert!((1..4).all(|at| !all[..at].contains(&all[at])), "{all:?}");
    assert_eq!(of("stop.grace = \"1s\""), of(""));
}

#[test]
fn a_change_that_the_service_alone_follows_does_not() {
    for lines in [
        "sessions = \"all\"",
        "stop.grace = \"1s\"",
        "restart.on = \"never\"",
        "exit_codes = { 1 = \"hold\" }",
        "ready_within = \"5s\"",
        "users = [\"alice\"]",
        "trust_writable_program = true",
    ] {
        assert_eq!(fingerprint(lines), fingerprint(""), "{lines}");
    }
}

#[test]
fn it_is_the_same_in_every_version() {
    assert_eq!(fingerprint("env = { A = \"b\" }\nheartbeat = \"15s\""), 13_754_428_059_500_817_565);
}
