//! The main job, from outside: an agent starts, is killed, is back, is stopped and started by a person, and leaves with the
//! service.

mod common;

use common::service::{Service, is_alive, is_ready, pid, shell_agent, signal, wire_agent};
use common::{Home, code, err};

#[test]
fn an_agent_that_is_killed_is_back_and_the_status_says_why() {
    let service = Service::start("killed", &[("desk", wire_agent())]);
    let first = service.agent_until("desk", "it is ready", is_ready);
    assert_eq!((first["restarts"].as_u64(), first["last_exit"].is_null()), (Some(0), true), "{first:#}");
    assert!(service.ok(&["status"]).contains("ready"));

    signal("KILL", pid(&first));
    let second = service.agent_until("desk", "it is back", |agent| is_ready(agent) && agent["restarts"] == 1);
    assert_ne!(pid(&first), pid(&second));
    assert_eq!(second["last_exit"]["signal"], "SIGKILL", "{second:#}");
    assert_eq!(second["generation"], 2, "{second:#}");
    let page = service.ok(&["status"]);
    assert!(page.contains("restarted 1×: killed by SIGKILL"), "{page}");
}

#[test]
fn a_person_stops_starts_and_restarts_it() {
    let service = Service::start("operator", &[("desk", wire_agent())]);
    let first = service.agent_until("desk", "it is ready", is_ready);
    service.ok(&["agents", "stop", "desk"]);
    let held = service.agent_until("desk", "it is held", |agent| agent["state"] == "held");
    assert_eq!(
        (held["reason"]["code"].as_str(), held["pid"].is_null()),
        (Some("operator"), true),
        "{held:#}"
    );
    assert!(service.ok(&["agents", "list"]).contains("stopped by a person"));

    service.ok(&["agents", "start", "desk", "--all"]);
    let second = service.agent_until("desk", "it runs again", is_ready);
    service.ok(&["agents", "restart", "desk"]);
    let third = service
        .agent_until("desk", "another one runs", |agent| is_ready(agent) && pid(agent) != pid(&second));
    assert!(pid(&third) != pid(&first));
}

#[test]
fn who_is_not_there_is_4_and_what_it_cannot_do_is_1() {
    let service = Service::start("nobody", &[("desk", wire_agent())]);
    service.agent_until("desk", "it is ready", is_ready);
    for line in [&["agents", "stop", "disk"][..], &["agents", "stop", "desk", "--session", "none-such"]] {
        let output = service.bilayer(line);
        assert_eq!(code(&output), 4, "{line:?}: {}", err(&output));
        assert!(err(&output).contains("desk --session "), "the candidates: {}", err(&output));
    }
    let output = service.bilayer(&["agents", "call", "desk", "acme/unknown"]);
    assert_eq!(code(&output), 1, "{}", err(&output));
    assert!(err(&output).contains("acme/unknown"), "{}", err(&output));
}

#[test]
fn two_services_are_ambiguous_without_a_configuration() {
    let first = Service::start("two", &[("desk", wire_agent())]);
    assert_eq!(code(&first.home.run(&["status"])), 0, "the only one is meant");
    let file = first
        .home
        .write("other.toml", "[service]\nname = \"another\"\n[agent.a]\ncommand = ['/bin/sleep', '99']\n");
    let second = Service::run(first.home.share(), file);
    let output = first.home.run(&["status"]);
    assert_eq!(code(&output), 2);
    for named in ["acme.toml  (testing)", "other.toml  (another)"] {
        assert!(err(&output).contains(named), "{}", err(&output));
    }
    assert!(second.ok(&["status"]).contains("another"));
}

#[test]
fn the_same_service_runs_once() {
    let service = Service::start("once", &[("desk", wire_agent())]);
    let output = service.bilayer(&["run", "--console"]);
    assert_eq!(code(&output), 1);
    assert!(err(&output).contains("testing is running already"), "{}", err(&output));
    service.agent_until("desk", "the first is untouched", is_ready);
}

#[test]
fn ctrl_c_ends_everything_and_is_no_failure() {
    let agents = [("desk", wire_agent()), ("tree", shell_agent("sleep 1000 & sleep 1001 & wait"))];
    let mut service = Service::start("ctrl-c", &agents);
    let desk = pid(&service.agent_until("desk", "it is ready", is_ready));
    let tree = pid(&service.agent_until("tree", "it runs", |agent| agent["state"] == "running"));
    assert!(is_alive(desk) && is_alive(tree));
    let status = service.interrupt();
    assert_eq!(status.code(), Some(0), "{}", service.said());
    assert!(!is_alive(desk) && !is_alive(tree));
    assert_eq!(code(&service.bilayer(&["status"])), 3);
}

#[test]
fn a_reload_restarts_what_changed_and_nothing_else() {
    let service = Service::start("reload", &[("desk", wire_agent()), ("sync", wire_agent())]);
    let desk = pid(&service.agent_until("desk", "it is ready", is_ready));
    let sync = pid(&service.agent_until("sync", "it is ready", is_ready));

    service.configure(&[
        ("desk", wire_agent() + "env = { A = \"b\" }\n"),
        ("sync", wire_agent()),
        ("more", wire_agent()),
    ]);
    let said = service.ok(&["reload"]);
    assert_eq!(said, "reloaded: changed desk; added more; 1 agent as before\n");
    service.agent_until("desk", "another one is ready", |agent| is_ready(agent) && pid(agent) != desk);
    service.agent_until("more", "it is ready", is_ready);
    assert_eq!(pid(&service.agent("sync")), sync);

    service.home.write("acme.toml", "[service]\nname = \"testing\"\n[agent.desk]\ncomand = 3\n");
    let output = service.bilayer(&["reload"]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(err(&output).contains("comand"), "{}", err(&output));
    // The log has it a line each, where a line break would be shown escaped.
    let log = service.ok(&["logs"]);
    assert!(log.contains("acme.toml:4:1: error: unknown key `comand`"), "{log}");
    assert!(!log.contains("u{a}"), "{log}");
    assert_eq!(pid(&service.agent("sync")), sync, "a wrong configuration changes nothing");
}

#[test]
fn a_wrong_configuration_starts_nothing() {
    let home = Home::new("wrong");
    let witness = home.path("witness");
    let agents = format!(
        "[agent.a]\n{}[agent.b]\ncommand = ['/nowhere/b']\n",
        shell_agent(&format!("touch {witness}"))
    );
    let file = home.write("acme.toml", &format!("[service]\nname = \"testing\"\n{agents}"));
    let output = home.run(&["run", "--console", "-c", &file]);
    assert_eq!(code(&output), 2, "{}", err(&output));
    assert!(err(&output).contains("/nowhere/b"), "{}", err(&output));
    assert!(!std::path::Path::new(&witness).exists());
}

#[test]
fn the_log_is_followed() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;

    let service =
        Service::start("follow", &[("desk", wire_agent()), ("other", shell_agent("echo begun; sleep 1000"))]);
    let desk = service.agent_until("desk", "it is ready", is_ready);
    let mut follower = service
        .home
        .command(&["-c", &service.file, "logs", "-f", "-n", "0", "--agent", "desk"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    // Whatever it says first comes after the kill, since it begins with no line at all.
    let killed = std::thread::spawn(move || lines.next().unwrap().unwrap());
    signal("KILL", pid(&desk));
    service.agent_until("desk", "it is back", |agent| is_ready(agent) && agent["restarts"] == 1);
    // And once more, for a follower that was slow to begin.
    signal("KILL", pid(&service.agent("desk")));
    service.until("the follower printed", |_| killed.is_finished());
    let line = killed.join().unwrap();
    assert!(line.contains("agent=desk"), "{line}");
    follower.kill().unwrap();
    follower.wait().unwrap();
    let all = service.ok(&["logs", "--agent", "other"]);
    assert!(all.contains("begun") && !all.contains("agent=desk"), "{all}");
}

#[test]
fn why_there_is_no_agent_here_is_answered() {
    let service = Service::start("why", &[("desk", wire_agent() + "users = [\"somebody-else\"]\n")]);
    let page = service.ok(&["status"]);
    assert!(
        page.contains("not here") && page.contains("does not have this user among its `users`"),
        "{page}"
    );
    let output = service.bilayer(&["agents", "restart", "desk"]);
    assert_eq!(code(&output), 4, "{}", err(&output));
}
