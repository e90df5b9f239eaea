//! Every example agent, as a process of its own, against a small service.

#![allow(clippy::unwrap_used, reason = "this is a test")]

#[path = "../../../crates/agent/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

use bilayer_ipc::peer::CallError;
use bilayer_ipc::{method, rpc};
use common::{Served, Service, session, within};
use serde_json::{Value, json};
use tokio::process::Child;

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn rust_agent(options: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rust-agent"));
    command.args(options);
    command
}

async fn start(command: Command, service: &Service) -> (Child, Served) {
    let mut command = tokio::process::Command::from(command);
    command.envs(service.variables()).stdin(Stdio::null()).kill_on_drop(true);
    let agent = command.spawn().unwrap();
    (agent, service.serve(None).await)
}

async fn ended(agent: &mut Child) -> ExitStatus {
    within(agent.wait()).await.unwrap()
}

/// What every agent does, whatever it is written in.
async fn is_a_good_agent(command: Command, name: &str) {
    let mut service = Service::start(name);
    service.heartbeat_ms = Some(90);
    let (mut agent, mut served) = start(command, &service).await;
    assert!(served.initialize.token.as_ref().is_some_and(|token| token.matches(&service.token)));
    served.heard(method::AGENT_READY).await;
    for _ in 0..3 {
        served.heard(method::AGENT_HEARTBEAT).await;
    }

    served.peer.notify(method::SESSION_CHANGED, &json!({ "session": session(true) })).unwrap();
    served.peer.notify(method::POWER_CHANGED, &json!({ "event": "suspend" })).unwrap();
    served.peer.notify("acme/news-from-the-future", &json!({ "x": 1 })).unwrap();

    let said =
        json!({ "text": "äöü \u{1f600} \n", "list": [1, 2.5, null, true], "long": "x".repeat(200_000) });
    let echo: Value = within(served.peer.call("example/echo", &said)).await.unwrap();
    assert_eq!(echo, said);
    let message = json!({ "title": "Hello", "text": "there", "level": "info" });
    within(served.peer.request(method::MESSAGE_SHOW, &message)).await.unwrap();
    let unknown = within(served.peer.request("acme/unknown", &json!({}))).await;
    assert!(matches!(unknown, Err(CallError::Answer(error)) if error.code == rpc::code::METHOD_NOT_FOUND));

    let stop = served.peer.request(method::AGENT_STOP, &json!({ "reason": "logoff", "deadline_ms": 5000 }));
    assert_eq!(within(stop).await.unwrap().get(), "null");
    let status = ended(&mut agent).await;
    assert!(status.success(), "{status}");
}

#[tokio::test]
async fn rust() {
    is_a_good_agent(rust_agent(&[]), "example-rust").await;
}

/// `BILAYER_PYTHON` names another interpreter. The agent is for Linux, as its first lines say.
#[tokio::test]
async fn python() {
    let python = std::env::var_os("BILAYER_PYTHON").unwrap_or_else(|| "python3".into());
    if std::env::consts::OS != "linux" || !runs(Command::new(&python).arg("--version")) {
        return skipped("python-agent", "it needs Linux and python3");
    }
    let mut command = Command::new(python);
    command.arg(examples().join("python-agent/agent.py"));
    is_a_good_agent(command, "example-python").await;
}

/// On Windows it is run by the whole-system tests.
#[tokio::test]
async fn c() {
    match c_agent("c") {
        Some(program) => is_a_good_agent(Command::new(program), "example-c").await,
        None => skipped("c-agent", "it needs Linux and a C compiler"),
    }
}

/// Compiles it for one test; nothing where that is not possible.
fn c_agent(test: &str) -> Option<PathBuf> {
    if std::env::consts::OS != "linux" || !runs(Command::new("cc").arg("--version")) {
        return None;
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("c-agent-{test}"));
    let mut compile = Command::new("cc");
    compile.current_dir(examples().join("c-agent")).args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-o"]);
    compile.arg(&program).args(["agent.c", "json.c", "wire_posix.c"]);
    assert!(compile.status().unwrap().success());
    Some(program)
}

/// Runs only where the agent was built: by `cargo xtask test`, or by `npm ci && npm run build` in its folder.
#[tokio::test]
async fn typescript() {
    let folder = examples().join("typescript-agent");
    let built = folder.join("dist/agent.js");
    if !runs(Command::new("node").arg("--version")) || !built.exists() {
        return skipped(
            "typescript-agent",
            "it needs node, and `npm ci && npm run build` in examples/typescript-agent",
        );
    }
    let mut command = Command::new("node");
    command.arg(built);
    is_a_good_agent(command, "example-typescript").await;
}

#[tokio::test]
async fn every_agent_says_what_to_do_when_started_by_hand() {
    let mut commands = vec![rust_agent(&[])];
    if runs(Command::new("python3").arg("--version")) {
        let mut python = Command::new("python3");
        python.arg(examples().join("python-agent/agent.py"));
        commands.push(python);
    }
    commands.extend(c_agent("by-hand").map(Command::new));
    for mut command in commands {
        let output = command.env_remove("BILAYER_ENDPOINT").output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(
            complaint.contains("not started by Bilayer") && complaint.contains("bilayer run"),
            "{complaint}"
        );
    }
}

#[tokio::test]
async fn rust_ignores_the_stop_when_told_to() {
    let service = Service::start("example-ignore");
    let (mut agent, mut served) = start(rust_agent(&["--ignore-stop"]), &service).await;
    served.heard(method::AGENT_READY).await;
    let stop = served.peer.request(method::AGENT_STOP, &json!({ "reason": "operator", "deadline_ms": 1 }));
    within(stop).await.unwrap();
    // It still answers, so it has not stopped.
    within(served.peer.request("example/session", &())).await.unwrap();
    agent.start_kill().unwrap();
    ended(&mut agent).await;
}

#[tokio::test]
async fn rust_hangs_when_told_to() {
    let mut service = Service::start("example-hang");
    service.heartbeat_ms = Some(90);
    let (mut agent, mut served) = start(rust_agent(&["--hang"]), &service).await;
    served.heard(method::AGENT_READY).await;
    let silence = std::time::Duration::from_millis(500);
    let silent = async { while tokio::time::timeout(silence, served.incoming.next()).await.is_ok() {} };
    within(silent).await;
    assert!(agent.try_wait().unwrap().is_none(), "it hangs, it did not leave");
    agent.start_kill().unwrap();
    ended(&mut agent).await;
}

#[tokio::test]
async fn rust_crashes_when_told_to() {
    let service = Service::start("example-crash");
    let (mut agent, _served) = start(rust_agent(&["--crash-after", "1"]), &service).await;
    assert!(!ended(&mut agent).await.success());
}

#[tokio::test]
async fn rust_exits_with_the_code_it_is_told() {
    assert_eq!(rust_agent(&["--exit", "65"]).status().unwrap().code(), Some(65));
    let service = Service::start("example-exit");
    let (mut agent, served) = start(rust_agent(&[]), &service).await;
    within(served.peer.request("example/exit", &json!({ "code": 64 }))).await.unwrap();
    assert_eq!(ended(&mut agent).await.code(), Some(64));
}

fn runs(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

fn skipped(what: &str, why: &str) {
    // Loud: written past the test runner's capture of output.
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "\nSKIPPED: {what} was not tried, because {why}");
}
