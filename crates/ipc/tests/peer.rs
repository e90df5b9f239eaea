//! What two well-behaved sides can do.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod common;

use bilayer_ipc::peer::{CallError, SendError};
use bilayer_ipc::{Connection, Limits, Message, RpcError, rpc};
use common::{message, notification, pair, raw, request, within};
use serde_json::{Value, json};

fn limits() -> Limits {
    Limits::default()
}

#[tokio::test]
async fn both_sides_ask_and_answer_at_once() {
    let ((a, mut incoming_a), (b, mut incoming_b)) = pair(limits());
    let echo = async |incoming: &mut bilayer_ipc::Incoming| {
        for _ in 0..10 {
            let Some(Message::Request { params, reply, .. }) = incoming.next().await else { panic!() };
            reply.answer(&params.raw()).unwrap();
        }
    };
    let ask = async |peer: &bilayer_ipc::Peer| {
        for n in 0..10 {
            let answer: Value = peer.call("example/echo", &json!({ "n": n })).await.unwrap();
            assert_eq!(answer, json!({ "n": n }));
        }
    };
    within(async { tokio::join!(echo(&mut incoming_a), echo(&mut incoming_b), ask(&a), ask(&b)) }).await;
}

#[tokio::test]
async fn answers_may_come_in_any_order() {
    let ((a, _incoming_a), (_b, mut incoming_b)) = pair(limits());
    let (first, second) = (a.request("one", &()), a.request("two", &()));
    let mut replies = Vec::new();
    for _ in 0..2 {
        let Some(Message::Request { method, reply, .. }) = within(incoming_b.next()).await else { panic!() };
        replies.push((method, reply));
    }
    for (method, reply) in replies.into_iter().rev() {
        reply.answer(&method).unwrap();
    }
    assert_eq!(within(first).await.unwrap().get(), "\"one\"");
    assert_eq!(within(second).await.unwrap().get(), "\"two\"");
}

#[tokio::test]
async fn a_dropped_call_cancels_and_its_late_answer_is_ignored() {
    let ((a, _incoming_a), (b, mut incoming_b)) = pair(limits());
    let call = a.request("slow", &());
    let Some(Message::Request { reply, .. }) = within(incoming_b.next()).await else { panic!() };
    drop(call);
    within(reply.cancelled()).await;
    reply.fail(RpcError::cancelled()).unwrap();
    // The connection goes on as if nothing had been.
    let again = a.request("quick", &());
    let Some(Message::Request { reply, .. }) = within(incoming_b.next()).await else { panic!() };
    reply.answer(&1).unwrap();
    assert_eq!(within(again).await.unwrap().get(), "1");
    assert!(b.closed().is_none());
}

#[tokio::test]
async fn a_forgotten_call_is_not_cancelled() {
    let mut raw = raw(limits());
    raw.peer.request("agent/stop", &json!({ "reason": "logoff" })).forget();
    raw.peer.notify("after", &()).unwrap();
    assert_eq!(raw.read().await["method"], "agent/stop");
    assert_eq!(raw.read().await["method"], "after");
}

#[tokio::test]
async fn absent_parameters_are_left_out() {
    let mut raw = raw(limits());
    raw.peer.notify("agent/ready", &()).unwrap();
    raw.peer.notify("agent/ready", &None::<u8>).unwrap();
    raw.peer.notify("x", &json!({ "params": null })).unwrap();
    assert_eq!(raw.read().await, notification("agent/ready"));
    assert_eq!(raw.read().await, notification("agent/ready"));
    assert_eq!(raw.read().await, json!({ "jsonrpc": "2.0", "method": "x", "params": { "params": null } }));
}

#[tokio::test]
async fn a_request_without_an_answer_is_answered_for() {
    let mut raw = raw(limits());
    raw.send(&request(7, "lost")).await;
    drop(raw.next().await);
    let answer = raw.read().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(rpc::code::INTERNAL)));
}

#[tokio::test]
async fn nobody_home_is_method_not_found() {
    let mut raw = raw(limits());
    let (_other, _, nobody) = Connection::new(tokio::io::duplex(1).0, limits());
    drop(std::mem::replace(&mut raw.incoming, nobody));
    raw.send(&request(1, "anyone")).await;
    assert_eq!(raw.read().await["error"]["code"], rpc::code::METHOD_NOT_FOUND);
}

#[tokio::test]
async fn string_ids_come_back_as_they_were() {
    let mut raw = raw(limits());
    let id = "x".repeat(rpc::ID_BYTES_MAX);
    raw.send(&json!({ "jsonrpc": "2.0", "id": id, "method": "m" })).await;
    let Some(Message::Request { reply, .. }) = raw.next().await else { panic!() };
    reply.answer(&()).unwrap();
    assert_eq!(raw.read().await, json!({ "jsonrpc": "2.0", "id": id, "result": null }));
}

#[tokio::test]
async fn our_own_requests_keep_to_the_agreed_number() {
    let mut raw = raw(Limits { requests_in_flight: 2, ..limits() });
    let _calls = [raw.peer.request("a", &()), raw.peer.request("b", &())];
    assert!(matches!(raw.peer.request("c", &()).await, Err(CallError::TooMany { max: 2 })));
    raw.read().await;
    raw.read().await;
}

#[tokio::test]
async fn an_answer_that_fits_no_frame_is_an_error_on_both_sides() {
    let mut raw = raw(Limits { frame_bytes: 1000, ..limits() });
    raw.send(&request(1, "much")).await;
    let Some(Message::Request { reply, .. }) = raw.next().await else { panic!() };
    assert!(matches!(reply.answer(&"x".repeat(1000)), Err(SendError::Encode(_))));
    assert_eq!(raw.read().await["error"]["code"], rpc::code::INTERNAL);
    assert!(matches!(raw.peer.notify("much", &"x".repeat(1000)), Err(SendError::Encode(_))));
}

#[tokio::test]
async fn what_was_said_before_the_end_is_heard() {
    let mut raw = raw(limits());
    raw.write(&[message(&notification("agent/goodbye")), message(&notification("last"))].concat()).await;
    raw.hang_up();
    assert!(
        matches!(raw.next().await, Some(Message::Notification { method, .. }) if method == "agent/goodbye")
    );
    assert!(matches!(raw.next().await, Some(Message::Notification { method, .. }) if method == "last"));
    assert!(raw.next().await.is_none());
}

#[tokio::test]
async fn closing_flushes_what_waits() {
    let mut raw = raw(limits());
    raw.peer.notify("last", &()).unwrap();
    raw.peer.close("enough");
    assert_eq!(raw.closed().await.to_string(), "enough");
    assert_eq!(raw.read().await["method"], "last");
    assert!(raw.peer.notify("more", &()).is_err());
}

#[tokio::test]
async fn a_lost_connection_answers_every_call() {
    let mut raw = raw(limits());
    let call = raw.peer.request("never", &());
    raw.read().await;
    raw.hang_up();
    assert!(matches!(within(call).await, Err(CallError::Closed(_))));
}

#[tokio::test]
async fn a_dropped_connection_answers_every_call() {
    let raw = raw(limits());
    let call = raw.peer.request("never", &());
    raw.over.abort();
    assert!(matches!(within(call).await, Err(CallError::Closed(_))));
}

/// A hundred connections share 4.5 MiB with everything else in the service.
#[tokio::test]
async fn an_idle_connection_is_small() {
    let (connection, _peer, _incoming) = Connection::new(tokio::io::duplex(1).0, limits());
    let task = size_of_val(&connection.run());
    assert!(task <= 640, "the task of a connection takes {task} bytes before anything is on the heap");
}
