//! Hostile and broken clients at an agent's endpoint. Whatever they do, their connection ends with a reason in the log, and
//! the agent and every other connection are as before.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::io::{Read, Write};

use common::{ROLE, Raw, World, environment_of, session, until};
use serde_json::{Value, json};

/// Two agents that are connected and ready, and never say anything more.
const TWO: &str = "[wire]\nhandshake = \"1s\"\nconnections_per_session = 4\nframe = \"64KiB\"\nqueue = \"64KiB\"\n\
    [agent.desk]\n{role:quiet}\n[agent.other]\n{role:quiet}\n";

/// Not a test of its own: the part of an agent, where this program is started as one.
#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    match role.as_str() {
        "quiet" => quiet(connect()),
        "unlucky" => unlucky(),
        "flood" => flood(connect()),
        "deaf" => deaf(connect()),
        "boaster" => boaster(connect()),
        "chatty" => chatty(connect()),
        "late" => {
            // Until the test has tried the token and failed.
            let gate = std::env::var("TEST_GATE").unwrap();
            while !std::path::Path::new(&gate).exists() {
                std::thread::yield_now();
            }
            quiet(connect());
        }
        other => panic!("no such role: {other}"),
    }
}

struct Line(std::os::unix::net::UnixStream);

/// Asks to be let in with a secret, which is a `token` or a `resume`.
fn knock(kind: &str, secret: &str) -> Line {
    let stream = std::os::unix::net::UnixStream::connect(std::env::var("BILAYER_ENDPOINT").unwrap()).unwrap();
    let mut line = Line(stream);
    let mut params =
        json!({"protocol": {"min": 1, "max": 1}, "kind": "agent", "client": {"name": "t", "version": "0"}});
    params[kind] = secret.into();
    line.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}));
    line
}

/// Loses the reply again and again, and tries again with the secret that it has.
fn unlucky() {
    let token = std::env::var("BILAYER_TOKEN").unwrap();
    for _ in 0..3 {
        let mut lost = knock("token", &token);
        // It was sent, and nobody read it.
        lost.0.read_exact(&mut [0u8; 1]).unwrap();
    }
    let mut secret = knock("token", &token).resume();
    for _ in 0..3 {
        let mut lost = knock("resume", &secret);
        lost.0.read_exact(&mut [0u8; 1]).unwrap();
        secret = knock("resume", &secret).resume();
    }
    let mut line = knock("resume", &secret);
    let next = line.resume();
    line.send(&json!({"jsonrpc": "2.0", "method": "agent/ready"}));
    // From here on the secret is worth nothing, and soon that is known.
    while !knock("resume", &secret).answer().contains("-32003") {
        std::thread::yield_now();
    }
    let mut line = knock("resume", &next);
    line.resume();
    line.send(&json!({"jsonrpc": "2.0", "method": "agent/status", "params": {"text": "lucky"}}));
    quiet(line);
}

fn connect() -> Line {
    let mut line = knock("token", &std::env::var("BILAYER_TOKEN").unwrap());
    let mut first = [0u8; 1];
    line.0.read_exact(&mut first).unwrap();
    line.send(&json!({"jsonrpc": "2.0", "method": "agent/ready"}));
    line
}

impl Line {
    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        let _ = write!(self.0, "Content-Length: {}\r\n\r\n{body}", body.len());
    }

    /// The first answer.
    fn answer(&mut self) -> String {
        let mut header = Vec::new();
        while !header.ends_with(b"\r\n\r\n") {
            let mut byte = [0u8; 1];
            self.0.read_exact(&mut byte).unwrap();
            header.extend(byte);
        }
        let length = String::from_utf8(header).unwrap();
        let length: usize = length.trim().rsplit(' ').next().unwrap().parse().unwrap();
        let mut body = vec![0u8; length];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// The secret in the first answer.
    fn resume(&mut self) -> String {
        let answer: Value = serde_json::from_str(&self.answer()).unwrap();
        answer["result"]["resume"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

/// Reads, and says nothing.
fn quiet(mut line: Line) {
    let mut bytes = [0u8; 4096];
    while line.0.read(&mut bytes).is_ok_and(|count| count > 0) {}
    forever();
}

/// Asks and asks, and never reads an answer.
fn flood(mut line: Line) {
    for id in 2..1_000_000 {
        line.send(
            &json!({"jsonrpc": "2.0", "id": id, "method": "test/echo", "params": {"text": "x".repeat(1000)}}),
        );
    }
    forever();
}

/// Writes log lines as long as a frame, and says that it left out more than can be counted.
fn boaster(mut line: Line) {
    let long = "x".repeat(30_000);
    for message in [&*long, &*long, "the last line"] {
        let params = json!({
            "level": "info", "message": message, "target": long, "fields": {"more": long}, "dropped": u64::MAX,
        });
        line.send(&json!({"jsonrpc": "2.0", "method": "log/write", "params": params}));
    }
    quiet(line);
}

/// Never reads.
fn deaf(_line: Line) {
    forever();
}

/// Says that it lives, as fast as it can, and hears nothing.
fn chatty(mut line: Line) {
    let message = json!({"jsonrpc": "2.0", "method": "agent/heartbeat"}).to_string();
    let many = format!("Content-Length: {}\r\n\r\n{message}", message.len()).repeat(1000);
    while line.0.write_all(many.as_bytes()).is_ok() {}
    forever();
}

fn forever() {
    loop {
        std::thread::park();
    }
}

async fn world(name: &str) -> (World, String, u32) {
    let world = World::start(name, TWO).await;
    world.director.sessions(vec![session("2", "alice")]);
    let desk = world.agent("desk", "ready", |agent| agent.ready == Some(true)).await;
    world.agent("other", "ready", |agent| agent.ready == Some(true)).await;
    let pid = desk.pid.unwrap();
    let (endpoint, _) = environment_of(pid);
    (world, endpoint, pid)
}

/// Both agents are as they were: the same process, connected and ready.
async fn untouched(world: World, pid: u32) {
    let desk = world.agent("desk", "ready", |agent| agent.ready == Some(true)).await;
    assert_eq!((desk.pid, desk.restarts, desk.connected), (Some(pid), 0, true));
    assert!(world.agent("other", "ready", |agent| agent.ready == Some(true)).await.connected);
    world.stop().await;
}

#[tokio::test]
async fn a_wrong_token_is_refused() {
    let (world, endpoint, pid) = world("wrong-token").await;
    let mut client = Raw::connect(&endpoint).await;
    client.initialize(&"0".repeat(64)).await;
    assert!(client.rest().await.contains("-32003"));
    world.logged("no launch in this session has such a secret").await;
    untouched(world, pid).await;
}

#[tokio::test]
async fn the_right_token_is_refused_to_a_stranger_and_stays_good_for_the_agent() {
    let gate = std::env::temp_dir().join(format!("bilayer-test-gate-{}", std::process::id()));
    let text = format!("[agent.desk]\n{{role:late}}\nenv.TEST_GATE = '{}'\n", gate.display());
    let world = World::start("stranger", &text).await;
    world.director.sessions(vec![session("2", "alice")]);
    let pid = world.agent("desk", "running", |agent| agent.pid.is_some()).await.pid.unwrap();
    let (endpoint, token) = until("the agent's environment", || async {
        let found = environment_of(pid);
        (!found.1.is_empty()).then_some(found)
    })
    .await;
    let mut client = Raw::connect(&endpoint).await;
    client.initialize(&token).await;
    let answer = client.rest().await;
    assert!(answer.contains("-32003") && !answer.contains("stranger"), "{answer}");
    world.logged("was not started as this agent or by it").await;
    std::fs::write(&gate, "").unwrap();
    let desk = world.agent("desk", "ready", |agent| agent.ready == Some(true)).await;
    assert_eq!(desk.pid, Some(pid));
    std::fs::remove_file(&gate).unwrap();
    world.stop().await;
}

#[tokio::test]
async fn a_used_token_is_refused() {
    let (world, endpoint, pid) = world("used-token").await;
    let (_, token) = environment_of(pid);
    let mut client = Raw::connect(&endpoint).await;
    client.initialize(&token).await;
    assert!(client.rest().await.contains("-32003"));
    untouched(world, pid).await;
}

#[tokio::test]
async fn a_secret_is_good_until_the_one_that_replaced_it_has_arrived() {
    let world = World::start("unlucky", "[agent.desk]\n{role:unlucky}\n").await;
    world.director.sessions(vec![session("2", "alice")]);
    let desk = world.agent("desk", "lucky", |agent| agent.status.as_deref() == Some("lucky")).await;
    assert_eq!((desk.connected, desk.restarts), (true, 0));
    world.stop().await;
}

#[tokio::test]
async fn nothing_is_answered_before_initialize() {
    let (world, endpoint, pid) = world("first").await;
    let mut client = Raw::connect(&endpoint).await;
    client.send(&json!({"jsonrpc": "2.0", "id": 1, "method": "test/echo"})).await;
    assert!(client.rest().await.contains("-32002"));
    world.logged("a message came before `initialize`").await;
    untouched(world, pid).await;
}

#[tokio::test]
async fn a_version_that_nobody_speaks_is_refused() {
    let (world, endpoint, pid) = world("version").await;
    let mut client = Raw::connect(&endpoint).await;
    client.initialize_with(json!({"min": 7, "max": 9}), "x").await;
    assert!(client.rest().await.contains("-32001"));
    world.logged("no protocol version in common").await;
    untouched(world, pid).await;
}

#[tokio::test]
async fn a_silent_client_is_cut_off() {
    let (world, endpoint, pid) = world("silent").await;
    let client = Raw::connect(&endpoint).await;
    assert_eq!(client.rest().await, "");
    world.logged("no `initialize` within 1000 ms").await;
    untouched(world, pid).await;
}

#[tokio::test]
async fn bytes_that_are_no_frames_are_cut_off() {
    let (world, endpoint, pid) = world("frames").await;
    let huge = format!("Content-Length: 10\r\nX: {}\r\n\r\n", "y".repeat(8192));
    let cases: [(&[u8], &str); 9] = [
        (b"Content-Length: 99999999999\r\n\r\n", "body"),
        (b"Content-Length: 2000000\r\n\r\n", "body"),
        (huge.as_bytes(), "header"),
        (b"X: y\r\n\r\n{}", "length"),
        (b"Content-Length: -1\r\n\r\n", "length"),
        (b"Content-Length: 0x10\r\n\r\n", "length"),
        (b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", "length"),
        (b"Content-Length: 4\r\n\r\n\xff\xfe{}", "JSON"),
        (b"Content-Length: 8\r\n\r\n{\"a\": 1,", "JSON"),
    ];
    for (number, (bytes, _)) in cases.iter().enumerate() {
        let mut client = Raw::connect(&endpoint).await;
        client.bytes(bytes).await;
        client.rest().await;
        until("a reason in the log", || async {
            (world.log.text().matches("no handshake").count() > number).then_some(())
        })
        .await;
    }
    untouched(world, pid).await;
}

#[tokio::test]
async fn a_client_that_vanishes_mid_frame_is_forgotten() {
    let (world, endpoint, pid) = world("vanish").await;
    let mut client = Raw::connect(&endpoint).await;
    client.bytes(b"Content-Length: 100\r\n\r\n{\"jsonrpc\"").await;
    drop(client);
    world.logged("in the middle of a frame").await;
    untouched(world, pid).await;
}

#[tokio::test]
async fn silent_strangers_at_the_door_keep_others_waiting_and_nobody_out() {
    let (world, endpoint, pid) = world("many").await;
    let mut silent = Vec::new();
    for _ in 0..8 {
        silent.push(Raw::connect(&endpoint).await);
    }
    world.logged("4 clients have not finished their handshake").await;
    let mut last = Raw::connect(&endpoint).await;
    last.initialize(&"0".repeat(64)).await;
    assert!(last.rest().await.contains("-32003"), "the last one is answered, too");
    drop(silent);
    untouched(world, pid).await;
}

#[tokio::test]
async fn more_agents_than_places_start_at_once_and_all_are_connected() {
    let agent = |number: usize| format!("[agent.a{number}]\n{{role:quiet}}\n");
    let agents: String = (0..12).map(agent).collect();
    let world = World::start("crowd", &format!("[wire]\nconnections_per_session = 2\n{agents}")).await;
    world.director.sessions(vec![session("2", "alice")]);
    for number in 0..12 {
        let agent = world.agent(&format!("a{number}"), "ready", |agent| agent.ready == Some(true)).await;
        assert_eq!(agent.restarts, 0);
    }
    world.stop().await;
}

#[tokio::test]
async fn an_agent_that_floods_requests_loses_its_connection_and_nothing_else() {
    let world = World::start(
        "flood",
        "[wire]\nframe = \"64KiB\"\nqueue = \"64KiB\"\n[agent.desk]\n{role:flood}\n[agent.other]\n{role:quiet}\n",
    )
    .await;
    world.director.sessions(vec![session("2", "alice")]);
    world.logged("disconnected").await;
    let other = world.agent("other", "ready", |agent| agent.ready == Some(true)).await;
    assert_eq!(other.restarts, 0);
    let desk = world.agent("desk", "cut off", |agent| !agent.connected && agent.pid.is_some()).await;
    assert_eq!(desk.restarts, 0);
    world.stop().await;
}

#[tokio::test]
async fn an_agent_that_never_reads_is_cut_off() {
    let world = World::start(
        "deaf",
        "[wire]\nframe = \"64KiB\"\nqueue = \"64KiB\"\n[agent.desk]\n{role:deaf}\n[agent.other]\n{role:quiet}\n",
    )
    .await;
    let mut alice = session("2", "alice");
    world.director.sessions(vec![alice.clone()]);
    for name in ["desk", "other"] {
        world.agent(name, "ready", |agent| agent.ready == Some(true)).await;
    }
    until("the agent is cut off", || {
        alice.locked = !alice.locked;
        world.director.sessions(vec![alice.clone()]);
        let text = world.log.text();
        async move {
            tokio::task::yield_now().await;
            text.contains("reads too slowly").then_some(())
        }
    })
    .await;
    let other = world.agent("other", "ready", |agent| agent.ready == Some(true)).await;
    assert!(other.connected);
    world.stop().await;
}

#[tokio::test]
async fn a_long_line_of_an_agents_log_is_cut_and_its_count_is_not_trusted() {
    let world = World::start(
        "boaster",
        "[wire]\nframe = \"128KiB\"\nqueue = \"128KiB\"\n[agent.desk]\n{role:boaster}\n",
    )
    .await;
    world.director.sessions(vec![session("2", "alice")]);
    world.logged("the last line").await;
    let longest = world.log.text().lines().map(str::len).max().unwrap();
    assert!(longest < 10_000, "a line of {longest} bytes");
    let desk = world.agent("desk", "ready", |agent| agent.ready == Some(true)).await;
    assert!(desk.connected);
    world.stop().await;
}

#[tokio::test]
async fn an_agent_that_never_stops_talking_is_stopped_in_time() {
    let agents = "[agent.desk]\n{role:chatty}\nstop.grace = \"200ms\"\n[agent.other]\n{role:chatty}\nstop.grace = \"200ms\"\n";
    let world = World::start("chatty", agents).await;
    world.director.sessions(vec![session("2", "alice")]);
    for name in ["desk", "other"] {
        world.agent(name, "ready", |agent| agent.ready == Some(true)).await;
    }
    // Both: the loop hears nothing else by then but what they say.
    world.stop().await;
}
