//! The first exchange, with clients good and bad.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::time::Duration;

use bilayer_ipc::agent::{ClientKind, Initialize, Initialized, PeerLimits, Program, Versions};
use bilayer_ipc::handshake::{self, HandshakeError, VERSIONS};
use bilayer_ipc::peer::CallError;
use bilayer_ipc::{Closed, Limits, Secret, rpc};
use common::{PATIENCE, Raw, notification, pair, raw, request, within};
use serde_json::{Value, json};

fn initialize(kind: &str, min: u32, max: u32) -> Value {
    let client = json!({ "name": "test", "version": "1", "from-the-future": true });
    let params = json!({ "protocol": { "min": min, "max": max }, "kind": kind, "token": "t", "client": client, "x": 1 });
    json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params })
}

fn welcome() -> Initialized {
    Initialized {
        protocol: 1,
        service: Program { name: "test".into(), version: "0".into() },
        resume: None,
        agent: None,
        session: None,
        heartbeat_ms: None,
        limits: PeerLimits { frame_bytes: 500, requests_in_flight: 2 },
    }
}

async fn accept(raw: &mut Raw) -> Result<handshake::Knock, HandshakeError> {
    within(handshake::accept(&raw.peer, &mut raw.incoming, ClientKind::Agent, PATIENCE)).await
}

/// Sends one message first and expects this error code, the end, and a reason for the log.
async fn fails(first: &Value, code: i64, reason: &str) {
    let mut raw = raw(Limits::default());
    raw.send(first).await;
    let Err(error) = accept(&mut raw).await else { panic!("{first} was accepted") };
    assert!(error.to_string().contains(reason), "{error}");
    assert_eq!(raw.read().await["error"]["code"], code, "{first}");
    assert_eq!(raw.closed().await.to_string(), error.to_string());
}

#[tokio::test]
async fn bad_first_messages_are_answered_and_end_the_connection() {
    fails(&request(1, "agent/ready"), rpc::code::NOT_INITIALIZED, "before `initialize`").await;
    fails(&initialize("agent", 2, 3), rpc::code::VERSION, "2 to 3").await;
    fails(&initialize("agent", 3, 1), rpc::code::VERSION, "no protocol version").await;
    fails(&initialize("control", 1, 1), rpc::code::REFUSED, "Control").await;
    fails(&initialize("imp", 1, 1), rpc::code::INVALID_PARAMS, "wrong parameters").await;
    fails(&request(1, "initialize"), rpc::code::INVALID_PARAMS, "wrong parameters").await;
}

#[tokio::test]
async fn a_notification_first_ends_the_connection() {
    let mut raw = raw(Limits::default());
    raw.send(&notification("agent/ready")).await;
    assert!(matches!(accept(&mut raw).await, Err(HandshakeError::NotInitialized)));
    assert!(matches!(raw.closed().await, Closed::Local(_)));
}

#[tokio::test]
async fn a_silent_client_is_not_waited_for() {
    let mut raw = raw(Limits::default());
    let limit = Duration::from_millis(20);
    let accepted = within(handshake::accept(&raw.peer, &mut raw.incoming, ClientKind::Agent, limit)).await;
    assert!(matches!(accepted, Err(HandshakeError::Silent { .. })));
    assert!(raw.closed().await.to_string().contains("20 ms"));
}

#[tokio::test]
async fn a_client_that_vanishes_is_not_waited_for() {
    let mut raw = raw(Limits::default());
    raw.hang_up();
    assert!(matches!(accept(&mut raw).await, Err(HandshakeError::Closed(Closed::Eof))));
}

#[tokio::test]
async fn every_refusal_looks_the_same_from_outside() {
    let mut answers = Vec::new();
    for why in ["the token was used before", "the process is not in its cgroup"] {
        let mut raw = raw(Limits::default());
        raw.send(&initialize("agent", 1, 1)).await;
        let Ok(knock) = accept(&mut raw).await else { panic!() };
        let error = knock.refuse(&raw.peer, why);
        assert!(error.to_string().contains(why));
        answers.push(raw.read().await);
        assert!(raw.closed().await.to_string().contains(why), "the log knows why");
    }
    assert_eq!(answers[0], answers[1]);
    assert_eq!(answers[0]["error"]["code"], rpc::code::REFUSED);
}

#[tokio::test]
async fn both_sides_agree() {
    let ((client, _incoming), (service, mut incoming)) = pair(Limits::default());
    let program = Program { name: "acme-desk".into(), version: "3".into() };
    let token = Secret::from_random([3; 32]);
    let protocol = Versions { min: 1, max: 9 };
    let hello =
        Initialize { protocol, kind: ClientKind::Agent, token: Some(token), resume: None, client: program };
    let accept = async {
        let knock =
            handshake::accept(&service, &mut incoming, ClientKind::Agent, PATIENCE).await.ok().unwrap();
        assert!(knock.initialize.token.as_ref().unwrap().matches(&Secret::from_random([3; 32])));
        assert_eq!(knock.protocol, VERSIONS.max);
        knock.welcome(&welcome()).unwrap();
    };
    let (opened, ()) = within(async { tokio::join!(handshake::open(&client, &hello), accept) }).await;
    assert_eq!(opened.ok().unwrap().protocol, 1);
    // The service's limits bind the client from here on.
    assert!(client.notify("x", &"y".repeat(600)).is_err());
    let _two = [client.request("a", &()), client.request("b", &())];
    assert!(matches!(client.request("c", &()).await, Err(CallError::TooMany { max: 2 })));
}

#[tokio::test]
async fn a_service_that_picks_a_version_of_its_own_is_left() {
    let mut raw = raw(Limits::default());
    let client = Program { name: "x".into(), version: "1".into() };
    let hello = Initialize { protocol: VERSIONS, kind: ClientKind::Agent, token: None, resume: None, client };
    let peer = raw.peer.clone();
    let answer = async {
        let id = raw.read().await["id"].clone();
        let result = Initialized { protocol: 7, ..welcome() };
        raw.send(&json!({ "jsonrpc": "2.0", "id": id, "result": result })).await;
    };
    let (opened, ()) = within(async { tokio::join!(handshake::open(&peer, &hello), answer) }).await;
    assert!(matches!(opened, Err(HandshakeError::Picked(7))));
}

#[test]
fn versions_are_negotiated_to_the_highest_in_common() {
    let range = |min, max| Versions { min, max };
    for (ours, theirs, expected) in [
        (range(1, 1), range(1, 1), Some(1)),
        (range(1, 3), range(2, 9), Some(3)),
        (range(2, 9), range(1, 3), Some(3)),
        (range(1, 1), range(2, 2), None),
        (range(1, 5), range(4, 3), None),
        (range(1, 1), range(0, u32::MAX), Some(1)),
    ] {
        assert_eq!(handshake::negotiate(ours, theirs), expected, "{ours:?} {theirs:?}");
    }
}
