//! The engine with real processes: what a person and an agent see of it.

#![cfg(target_os = "linux")]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod common;

use std::time::Duration;

use bilayer_agent::{Agent, Event};
use bilayer_ipc::control::{AgentKind, AgentState, AgentStatus, Delivery};
use bilayer_ipc::method;
use bilayer_ipc::peer::CallError;
use bilayer_ipc::rpc::code;
use bilayer_platform::{Hint, State};
use common::{DEADLINE, ROLE, World, session, until};
use serde_json::{Value, json};

/// Not a test of its own: the part of an agent, where this program is started as one.
#[test]
fn plays_its_role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        match role.as_str() {
            "agent" => agent().await,
            "stubborn" => stubborn().await,
            "leaves" => std::process::exit(0),
            other => panic!("no such role: {other}"),
        }
    });
}

/// A good agent: it says what it saw last.
async fn agent() {
    let mut agent = Agent::builder("role", "1").connect().await.unwrap();
    agent.ready().unwrap();
    let handle = agent.handle();
    while let Some(event) = agent.next().await {
        match event {
            Event::Stop(_) => break,
            Event::Session(session) => agent.status(format!("locked {}", session.locked)).unwrap(),
            Event::Power(power) => agent.status(format!("power {power:?}")).unwrap(),
            Event::Message(message) => {
                agent.status(format!("message {}", message.text)).unwrap();
                message.shown();
            }
            Event::Request(request) if request.method == "test/back" => {
                let back: Value = handle.request("test/echo", &json!({"to": "and fro"})).await.unwrap();
                request.reply(&back);
            }
            _ => {}
        }
    }
    agent.close().await;
    std::process::exit(0);
}

/// Hears the request to stop, and stays.
async fn stubborn() {
    let mut agent = Agent::builder("role", "1").connect().await.unwrap();
    agent.ready().unwrap();
    while agent.next().await.is_some() {}
    std::future::pending::<()>().await;
}

fn ready(agent: &AgentStatus) -> bool {
    agent.ready == Some(true)
}

fn alive(pid: Option<u32>) -> bool {
    pid.is_some_and(|pid| {
        std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
    })
}

const AGENT: &str = "[agent.desk]\n{role:agent}\n";

#[tokio::test]
async fn a_switch_stops_the_old_users_agent_before_the_new_one_starts() {
    let world = World::start("switch", AGENT).await;
    let (mut alice, bob) = (session("2", "alice"), session("5", "bob"));
    world.director.sessions(vec![alice.clone()]);
    let first = world.agent("desk", "ready", ready).await;
    assert_eq!(first.user.name, "alice");
    alice.state = State::Inactive;
    world.director.sessions(vec![alice.clone(), bob]);
    let second = world.agent("desk", "ready for bob", |agent| ready(agent) && agent.user.name == "bob").await;
    assert!(!alive(first.pid));
    assert_ne!(first.pid, second.pid);
    assert_eq!(world.status().await.agents.len(), 1);
    world.stop().await;
    assert!(!alive(second.pid));
}

#[tokio::test]
async fn an_agent_is_told_of_locks_power_and_messages() {
    let world = World::start("told", AGENT).await;
    let mut alice = session("2", "alice");
    world.director.sessions(vec![alice.clone()]);
    let pid = world.agent("desk", "ready", ready).await.pid;
    alice.locked = true;
    world.director.sessions(vec![alice]);
    world.agent("desk", "told", |agent| agent.status.as_deref() == Some("locked true")).await;
    world.director.hint(Hint::Suspend);
    world.agent("desk", "told", |agent| agent.status.as_deref() == Some("power Suspend")).await;
    world.director.hint(Hint::Resume);
    world.agent("desk", "told", |agent| agent.status.as_deref() == Some("power Resume")).await;
    let sent = json!({"to": {"user": "alice"}, "title": "Update", "text": "tonight"});
    let deliveries: Vec<Delivery> = world.control().await.call(method::MESSAGE_SEND, &sent).await.unwrap();
    assert_eq!(serde_json::to_value(deliveries[0].delivered).unwrap(), "agent");
    let told = world.agent("desk", "told", |agent| agent.status.as_deref() == Some("message tonight")).await;
    assert_eq!((told.pid, told.restarts), (pid, 0));
    world.stop().await;
}

const WORKER: &str = "[worker.sync]\naccount = \"nobody\"\n{role:agent}\n";

/// A service manager would wait: this is for the foreground.
#[tokio::test]
async fn a_grace_that_a_stop_of_the_foreground_cuts_is_told() {
    let world = World::start("patient", &format!("{AGENT}stop.grace = \"5m\"\n")).await;
    world.logged("its grace is 300 s; when this run is stopped it is cut to 90 s").await;
    world.stop().await;
    let world = World::start("hasty", &format!("{AGENT}stop.grace = \"90s\"\n")).await;
    assert!(!world.log.text().contains("its grace is"), "{}", world.log.text());
    world.stop().await;
}

#[tokio::test]
async fn a_worker_needs_nobody_and_is_an_agent_in_all_else() {
    let world = World::start("worker", WORKER).await;
    let first = world.agent("sync", "ready", ready).await;
    assert_eq!((first.kind, first.session), (AgentKind::Worker, None));
    assert_ne!(first.user.name, "nobody", "in a console there is one user");
    world.director.sessions(vec![session("2", "alice")]);
    world.director.hint(Hint::Suspend);
    world.agent("sync", "told", |agent| agent.status.as_deref() == Some("power Suspend")).await;
    world.director.hint(Hint::Resume);
    let call = json!({"selector": {"agent": "sync"}, "method": "test/back"});
    let answer: Value = world.control().await.call(method::AGENTS_CALL, &call).await.unwrap();
    assert_eq!(answer, json!({"to": "and fro"}));
    let status = world.status().await;
    assert!(status.sessions[0].unserved.is_empty(), "nobody misses it in a session");
    let select = json!({"agent": "sync", "session": "2"});
    let refused = world.control().await.call::<Value>(method::AGENTS_STOP, &select).await;
    assert!(matches!(refused, Err(CallError::Answer(error)) if error.code == code::NO_SUCH));
    let select = json!({"agent": "sync", "user": first.user.name});
    let restarted: Value = world.control().await.call(method::AGENTS_RESTART, &select).await.unwrap();
    assert_eq!((&restarted[0]["state"], &restarted[0]["kind"]), (&json!("stopping"), &json!("worker")));
    let second = world.agent("sync", "ready again", |agent| ready(agent) && agent.generation == 2).await;
    assert!(!alive(first.pid));
    world.reload("").await.unwrap();
    until("it is gone", || async { world.status().await.agents.is_empty().then_some(()) }).await;
    assert!(!alive(second.pid));
    world.stop().await;
}

#[tokio::test]
async fn an_agent_and_its_service_call_each_other() {
    let world = World::start("call", AGENT).await;
    world.director.sessions(vec![session("2", "alice")]);
    world.agent("desk", "ready", ready).await;
    let call = |method: &str| json!({"selector": {"agent": "desk"}, "method": method});
    let control = world.control().await;
    let back: Value = control.call(method::AGENTS_CALL, &call("test/back")).await.unwrap();
    assert_eq!(back, json!({"to": "and fro"}));
    for (method, code) in [("test/unknown", code::METHOD_NOT_FOUND), ("agent/stop", code::INVALID_PARAMS)] {
        let error = control.call::<Value>(method::AGENTS_CALL, &call(method)).await.unwrap_err();
        assert!(matches!(&error, CallError::Answer(answer) if answer.code == code), "{method}: {error}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_reload_restarts_what_changed_and_nothing_else() {
    let world = World::start("reload", "[agent.desk]\n{role:agent}\n[agent.other]\n{role:agent}\n").await;
    world.director.sessions(vec![session("2", "alice")]);
    let desk = world.agent("desk", "ready", ready).await;
    let other = world.agent("other", "ready", ready).await;

    let mistake = world.reload("[agent.desk]\ncommand = []\n").await.unwrap_err();
    let CallError::Answer(answer) = &mistake else { panic!("{mistake}") };
    let rendered = answer.data.as_ref().unwrap().get();
    assert!(rendered.contains("command") && rendered.contains("test.toml"), "{rendered}");
    assert_eq!(world.agent("desk", "ready", ready).await.pid, desk.pid);
    // Whoever reads the log reads it, too: a record a line, without line breaks that would be escaped.
    world.logged("error: `agent.desk.command` is empty event=").await;
    assert!(!world.log.text().contains("\\u{a}"), "{}", world.log.text());

    let changed = "[agent.desk]\n{role:agent}\nenv.COLOUR = 'red'\n[agent.other]\n{role:agent}\nrestart = { delay_max = '5s' }\n\
                   [agent.third]\n{role:agent}\n";
    let reloaded = world.reload(changed).await.unwrap();
    assert_eq!(
        (reloaded.changed, reloaded.added, reloaded.unchanged),
        (vec!["desk".into()], vec!["third".into()], 1)
    );
    let again = world.agent("desk", "a new process", |agent| ready(agent) && agent.pid != desk.pid).await;
    assert_eq!(world.agent("other", "ready", ready).await.pid, other.pid);
    let third = world.agent("third", "ready", ready).await;

    let reloaded = world.reload("[agent.desk]\n{role:agent}\nenv.COLOUR = 'red'\n").await.unwrap();
    assert_eq!(reloaded.removed, ["other", "third"]);
    assert_eq!(world.agent("desk", "ready", ready).await.pid, again.pid);
    until("the removed agents end", || async { (!alive(other.pid) && !alive(third.pid)).then_some(()) })
        .await;
    world.stop().await;
}

#[tokio::test]
async fn one_that_ignores_the_stop_is_killed_at_the_end_of_its_grace() {
    let world = World::start("stubborn", "[agent.desk]\n{role:stubborn}\nstop = { grace = '400ms' }\n").await;
    world.director.sessions(vec![session("2", "alice")]);
    let desk = world.agent("desk", "ready", ready).await;
    let asked = std::time::Instant::now();
    world.director.sessions(Vec::new());
    until("it is killed", || async { (!alive(desk.pid)).then_some(()) }).await;
    assert!(asked.elapsed() < DEADLINE);
    // SIGTERM at half of it ends a program that does not catch it.
    assert!(asked.elapsed() >= Duration::from_millis(200), "{:?}", asked.elapsed());
    world.stop().await;
}

#[tokio::test]
async fn a_person_holds_and_starts_an_agent_by_naming_it() {
    let world = World::start("operator", AGENT).await;
    world.director.sessions(vec![session("2", "alice")]);
    world.agent("desk", "ready", ready).await;
    let control = world.control().await;
    let select = json!({"agent": "desk", "user": "alice"});
    let _: Vec<AgentStatus> = control.call(method::AGENTS_STOP, &select).await.unwrap();
    let held = world.agent("desk", "held", |agent| agent.state == AgentState::Held).await;
    assert_eq!((held.reason.code.as_str(), held.pid), ("operator", None));
    let _: Vec<AgentStatus> = control.call(method::AGENTS_START, &select).await.unwrap();
    world.agent("desk", "ready", ready).await;

    for (selector, code) in [
        (json!({"agent": "nope"}), code::NO_SUCH),
        (json!({"agent": "desk", "user": "carol"}), code::NO_SUCH),
        (json!({"agent": 7}), code::INVALID_PARAMS),
    ] {
        let error = control.call::<Value>(method::AGENTS_STOP, &selector).await.unwrap_err();
        assert!(matches!(&error, CallError::Answer(answer) if answer.code == code), "{selector}: {error}");
    }
    let bob = session("5", "bob");
    world.director.sessions(vec![session("2", "alice"), bob]);
    world.stop().await;
}

#[tokio::test]
async fn more_than_one_match_is_a_question_and_all_is_an_answer() {
    let world = World::start("ambiguous", "[agent.desk]\n{role:agent}\nsessions = 'all'\n").await;
    world.director.sessions(vec![session("2", "alice"), session("5", "bob")]);
    for user in ["alice", "bob"] {
        world.agent("desk", "ready", |agent| ready(agent) && agent.user.name == user).await;
    }
    let control = world.control().await;
    let error = control.call::<Value>(method::AGENTS_RESTART, &json!({"agent": "desk"})).await.unwrap_err();
    let CallError::Answer(answer) = error else { panic!("{error}") };
    assert_eq!(answer.code, code::AMBIGUOUS);
    let data = answer.data.unwrap();
    assert!(data.get().contains("alice") && data.get().contains("bob"), "{data}");
    let all: Vec<AgentStatus> =
        control.call(method::AGENTS_STOP, &json!({"agent": "desk", "all": true})).await.unwrap();
    assert_eq!(all.len(), 2);
    world.stop().await;
}

#[tokio::test]
async fn a_shutdown_stops_all_agents_and_calling_it_off_brings_them_back() {
    let world = World::start("shutdown", AGENT).await;
    world.director.sessions(vec![session("2", "alice")]);
    let before = world.agent("desk", "ready", ready).await;
    world.director.hint(Hint::ShutdownAnnounced { within: Duration::from_secs(5) });
    world.agent("desk", "down", |agent| agent.state == AgentState::Waiting && agent.pid.is_none()).await;
    assert!(!alive(before.pid));
    world.director.hint(Hint::ShutdownCalledOff);
    let after = world.agent("desk", "ready", ready).await;
    assert_ne!(before.pid, after.pid);
    world.stop().await;
}

#[tokio::test]
async fn a_clean_exit_waits_for_a_logoff() {
    let world = World::start("clean", "[agent.desk]\n{role:leaves}\n").await;
    world.director.sessions(vec![session("2", "alice")]);
    let waiting = world.agent("desk", "waiting", |agent| agent.state == AgentState::Waiting).await;
    assert_eq!(waiting.reason.code, "clean-exit");
    assert_eq!(waiting.last_exit.unwrap().code, Some(0));
    assert!(waiting.next_retry.is_some());
    world.director.sessions(Vec::new());
    until("the instance is gone", || async { world.status().await.agents.is_empty().then_some(()) }).await;
    world.stop().await;
}

#[tokio::test]
async fn a_reload_says_what_takes_effect_with_a_restart_only() {
    let agents = "[agent.desk]\ncommand = ['/bin/sleep', '1000']\n";
    let world = World::start("limits", agents).await;
    world.reload(agents).await.unwrap();
    assert!(!world.log.text().contains("was changed"));
    world.reload(&format!("[wire]\nhandshake = \"1s\"\n{agents}")).await.unwrap();
    world.logged("[wire] was changed").await;
    assert!(!world.log.text().contains("[log] was changed"));
    world.stop().await;
}
