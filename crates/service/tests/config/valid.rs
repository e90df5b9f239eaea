//! What a file without mistakes becomes.

use std::path::Path;
use std::time::Duration;

use bilayer::config::{print, sample};
use bilayer_core::{Exit, Meaning, PastLimit, Serve};

use crate::machine::{CONSOLE, PRIVILEGED, agent, load};

const FULL: &str = r#"
[service]
name = "acme-desk"
display_name = "Acme Desk"
description = "Keeps Acme on the desk"
account = 'NT AUTHORITY\SYSTEM'
start = "delayed"
dependencies = ["RpcSs"]
preshutdown_timeout = "30s"
on_service_stop = "keep"

[agent.tray]
command = ["/opt/acme/desk", "", "a \"b\" \\ \n c"]

[agent.desk]
command = ["/opt/acme/desk", "--tray"]
sessions = "active"
users = ["alice"]
groups = ["staff"]
remote = false
types = ["x11", "tty"]
on_leave = "keep"
while_locked = "stop"
needs_display = false
stop = { grace = "500ms" }
restart = { on = "failure", delay_max = "30s", healthy_after = "2m", limit = { count = 3, within = "1h", then = "hold" } }
heartbeat = "15s"
ready_within = "30s"
exit_codes = { 64 = "logging-off", 65 = "hold", "0xC0000005" = "restart", "SIGTERM" = "release", 66 = "restart-now" }
env = { ACME_MODE = "desk", "acme.odd key" = "x\ty\u0001" }
cwd = "/var/empty"
descendants = "leave"
elevation = "linked"
token = "shell"
trust_writable_program = true

[worker.sync]
command = ["/opt/acme/desk", "--sync"]
account = "alice"
stop = { grace = "10s" }
restart = { on = "failure" }
heartbeat = "1m"
ready_within = "2s"
exit_codes = { 3 = "hold" }
env = { ACME_MODE = "sync" }
cwd = "/var/empty"
descendants = "leave"
trust_writable_program = true

[log]
level = "debug"
directory = "/var/log/acme"
max_size = "64KiB"
max_total = "1MiB"
max_age = "7d"

[wire]
frame = "2MiB"
header = "512B"
depth = 32
requests_in_flight = 8
queue = "3MiB"
stall = "10s"
handshake = "1500ms"
connections_per_session = 4
"#;

#[test]
fn every_key_arrives() {
    let loaded = load(FULL, &PRIVILEGED).unwrap();
    assert!(loaded.warnings.is_empty());
    let config = loaded.config;
    assert_eq!(config.service.display_name, "Acme Desk");
    assert_eq!(config.source, Path::new("/etc/acme/desk.toml"));
    assert_eq!(config.agents.iter().map(|agent| &*agent.name).collect::<Vec<_>>(), ["desk", "tray"]);
    let desk = &config.agents[0];
    assert_eq!(desk.command.program, Path::new("/opt/acme/desk"));
    assert_eq!(desk.command.args, ["--tray"]);
    assert_eq!(desk.spec.serve, Serve::Active);
    assert_eq!(desk.spec.grace, Duration::from_millis(500));
    assert_eq!(desk.spec.restart.limit.then, PastLimit::Hold);
    assert_eq!(desk.spec.exit_codes[&Exit::Signal(15)], Meaning::Release);
    assert_eq!(desk.spec.exit_codes[&Exit::Code(0xC000_0005)], Meaning::Restart);
    assert_eq!(config.wire.handshake_ms, 1500);
    assert_eq!(config.wire.header_bytes, 512);
    assert_eq!(config.log.max_age, Duration::from_secs(7 * 24 * 60 * 60));
    insta::assert_debug_snapshot!("every_key", config);
}

#[test]
fn the_effective_configuration_says_the_same_as_the_file() {
    for text in [FULL, &agent("")] {
        let config = load(text, &PRIVILEGED).unwrap().config;
        let printed = print(&config);
        let again = load(&printed, &PRIVILEGED).unwrap_or_else(|report| panic!("{report}\n{printed}"));
        assert_eq!(again.config, config);
        assert!(again.warnings.is_empty());
    }
}

#[test]
fn defaults_are_those_of_the_reference() {
    insta::assert_snapshot!("defaults", print(&load(&agent(""), &CONSOLE).unwrap().config));
}

#[test]
fn in_the_foreground_a_path_starts_from_the_file_and_a_name_from_the_search_path() {
    for (named, found) in [("./helper", "/etc/acme/helper"), ("desk", "/opt/acme/desk")] {
        let text = agent("").replace("/opt/acme/desk", named);
        let config = load(&text, &CONSOLE).unwrap().config;
        assert_eq!(config.agents[0].command.program, Path::new(found));
    }
}

#[test]
fn a_writable_program_can_be_trusted() {
    let text = agent("trust_writable_program = true").replace("acme/desk", "acme/shared");
    assert!(load(&text, &PRIVILEGED).is_ok());
}

#[test]
fn the_sample_is_right_with_and_without_its_comments() {
    let sample = sample().replace("/usr/bin/sleep", "/opt/acme/desk");
    let loaded = load(&sample, &PRIVILEGED).unwrap_or_else(|report| panic!("{report}"));
    assert!(loaded.warnings.is_empty());
    // A comment is prose if a blank follows the sign, and a key that may be switched on if none does.
    let switched_on: String = sample
        .lines()
        .map(|line| {
            line.strip_prefix('#').filter(|key| !key.is_empty() && !key.starts_with(' ')).unwrap_or(line)
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    let loaded = load(&switched_on, &PRIVILEGED).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(loaded.config.agents[0].spec.heartbeat, Some(Duration::from_secs(15)));
}
