//! What badly behaved peers can do: the connection is closed with a reason, others never notice, memory stays bounded.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod common;

use bilayer_ipc::{Closed, Limits, Message, frame::FrameError, rpc};
use common::{Raw, frame, message, notification, pair, raw, request, within};
use serde_json::json;
use tokio::io::AsyncWriteExt;

fn limits() -> Limits {
    Limits { frame_bytes: 1000, header_bytes: 200, depth: 8, requests_in_flight: 4, ..Limits::default() }
}

/// Sends bytes and expects the end, with this reason.
async fn ends(bytes: &[u8], expected: impl FnOnce(&Closed) -> bool) {
    let mut raw = raw(limits());
    raw.write(bytes).await;
    let closed = raw.closed().await;
    assert!(expected(&closed), "{:?} ended with {closed:?}", String::from_utf8_lossy(bytes));
    assert!(!closed.to_string().is_empty());
    assert!(raw.next().await.is_none(), "nothing of it is believed");
}

#[tokio::test]
async fn bad_frames_end_the_connection() {
    for (bytes, expected) in [
        (&b"Content-Type: x\r\n\r\n{}"[..], FrameError::NoLength),
        (b"\r\n\r\n", FrameError::NoLength),
        (b"Content-Length: -2\r\n\r\n{}", FrameError::NotDecimal),
        (b"Content-Length: +2\r\n\r\n{}", FrameError::NotDecimal),
        (b"Content-Length: 0x2\r\n\r\n{}", FrameError::NotDecimal),
        (b"Content-Length: \r\n\r\n{}", FrameError::NotDecimal),
        (b"Content-Length: 2\r\ncontent-length: 2\r\n\r\n{}", FrameError::RepeatedLength),
        (b"Content-Length: 1001\r\n\r\n", FrameError::TooLarge { length: 1001, max: 1000 }),
        (
            b"Content-Length: 99999999999999999999999\r\n\r\n",
            FrameError::TooLarge { length: u64::MAX, max: 1000 },
        ),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", FrameError::NotAHeader),
    ] {
        ends(bytes, |closed| matches!(closed, Closed::Frame(found) if *found == expected)).await;
    }
    ends(&[b'x'; 4000], |closed| matches!(closed, Closed::Frame(FrameError::HeaderTooLong { max: 200 })))
        .await;
}

#[tokio::test]
async fn bodies_that_are_no_json_are_answered_and_end_the_connection() {
    let bomb = "[".repeat(900);
    for body in
        [&b"{"[..], b"", b"\xff\xfe", b"{\"jsonrpc\":\"2.0\",\"method\":\"\xc3\"}", b"nul", bomb.as_bytes()]
    {
        let mut raw = raw(limits());
        let header = format!("Content-Length: {}\r\n\r\n", body.len());
        raw.write(&[header.as_bytes(), body].concat()).await;
        let answer = raw.read().await;
        assert_eq!(
            (&answer["id"], &answer["error"]["code"]),
            (&json!(null), &json!(rpc::code::PARSE)),
            "{body:?}"
        );
        assert!(matches!(raw.closed().await, Closed::Parse(_)), "{body:?}");
    }
}

#[tokio::test]
async fn messages_that_are_no_requests_are_answered_and_the_connection_lives() {
    let long = "x".repeat(65);
    let mut raw = raw(limits());
    for body in [
        json!([request(1, "a")]),
        json!([]),
        json!(7),
        json!({}),
        json!({ "method": "a" }),
        json!({ "jsonrpc": "1.0", "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": null, "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": 1.5, "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": long, "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": [1], "method": "a" }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": 7 }),
        json!({ "jsonrpc": "2.0", "id": 1, "method": "a", "params": 7 }),
        json!({ "jsonrpc": "2.0", "id": 1 }),
        json!({ "jsonrpc": "2.0", "id": 1, "result": 1, "error": { "code": 1, "message": "" } }),
    ] {
        raw.send(&body).await;
        let answer = raw.read().await;
        assert_eq!(answer["error"]["code"], rpc::code::INVALID_REQUEST, "{body}");
        assert_eq!(answer["id"], json!(null), "{body}");
    }
    raw.write(&frame(r#"{"jsonrpc":"2.0","id":1,"id":2,"method":"a"}"#)).await;
    assert_eq!(raw.read().await["error"]["code"], rpc::code::INVALID_REQUEST);
    raw.send(&notification("still here")).await;
    assert!(matches!(raw.next().await, Some(Message::Notification { method, .. }) if method == "still here"));
}

#[tokio::test]
async fn answers_to_nothing_are_ignored() {
    let mut raw = raw(limits());
    for body in [
        json!({ "jsonrpc": "2.0", "id": 99, "result": 1 }),
        json!({ "jsonrpc": "2.0", "id": "x", "result": 1 }),
        json!({ "jsonrpc": "2.0", "id": null, "error": { "code": 1, "message": "" } }),
        json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": 99 } }),
        json!({ "jsonrpc": "2.0", "method": "$/cancelRequest", "params": { "id": { } } }),
        json!({ "jsonrpc": "2.0", "method": "$/setTrace", "params": { } }),
    ] {
        raw.send(&body).await;
    }
    raw.send(&notification("still here")).await;
    assert!(matches!(raw.next().await, Some(Message::Notification { method, .. }) if method == "still here"));
}

#[tokio::test]
async fn an_id_in_use_cannot_be_used_again() {
    let mut raw = raw(limits());
    raw.send(&request(1, "first")).await;
    raw.send(&request(1, "second")).await;
    let answer = raw.read().await;
    assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(null), &json!(rpc::code::INVALID_REQUEST)));
    let Some(Message::Request { method, reply, .. }) = raw.next().await else { panic!() };
    reply.answer(&method).unwrap();
    assert_eq!(raw.read().await["result"], "first");
}

#[tokio::test]
async fn a_flood_of_requests_ends_the_connection() {
    let mut raw = raw(limits());
    let mut held = Vec::new();
    for id in 0..4 {
        raw.send(&request(id, "slow")).await;
        held.push(raw.next().await.unwrap());
    }
    raw.send(&request(4, "one too many")).await;
    assert!(matches!(raw.closed().await, Closed::TooManyRequests { max: 4 }));
    assert!(raw.next().await.is_none());
}

#[tokio::test]
async fn a_flood_of_notifications_waits_at_the_door() {
    let mut raw = raw(limits());
    let body = message(&notification("noise"));
    // Nobody takes any: writing must come to a stand once the pipe is full, long before a hundred thousand.
    let mut sent = 0;
    let flood = async {
        loop {
            raw.stream.write_all(&body).await.unwrap();
            sent += 1;
            assert!(sent < 100_000, "the flood is being swallowed");
        }
    };
    let stuck = tokio::time::timeout(std::time::Duration::from_millis(300), flood).await;
    assert!(stuck.is_err());
    // What it holds is what it may hold, and once it is taken the rest follows.
    for _ in 0..sent {
        assert!(raw.next().await.is_some());
    }
    assert!(!raw.over.is_finished());
}

/// Who takes the messages may be the one who awaits the answer behind them.
#[tokio::test]
async fn an_answer_passes_more_messages_than_may_wait_otherwise() {
    let mut raw = raw(limits());
    let noise = message(&notification("n"));
    raw.write(&noise.repeat(6)).await;
    let call = raw.peer.request("ask", &());
    assert_eq!(raw.read().await["id"], 1);
    raw.write(&[noise, message(&json!({ "jsonrpc": "2.0", "id": 1, "result": 2 }))].concat()).await;
    assert_eq!(within(call).await.unwrap().get(), "2");
    for _ in 0..7 {
        assert!(raw.next().await.is_some());
    }
}

#[tokio::test]
async fn a_flood_of_notifications_before_an_answer_waits_at_the_door_too() {
    let mut raw = raw(Limits { frame_bytes: 100_000, ..limits() });
    let _call = raw.peer.request("ask", &());
    raw.read().await;
    let body = message(&notification("noise"));
    let mut sent = 0;
    let flood = async {
        loop {
            raw.stream.write_all(&body).await.unwrap();
            sent += 1;
            assert!(sent < 100_000, "the flood is being swallowed");
        }
    };
    assert!(tokio::time::timeout(std::time::Duration::from_millis(300), flood).await.is_err());
}

#[tokio::test]
async fn a_reader_that_never_reads_is_cut_off() {
    let mut raw = raw(Limits { queue_bytes: 200_000, ..limits() });
    let noise = "x".repeat(900);
    let mut sent = 0;
    while raw.peer.notify("noise", &noise).is_ok() {
        sent += 1;
        assert!(raw.peer.queued_bytes() <= 200_000);
        assert!(sent < 10_000, "nothing bounds it");
    }
    assert!(matches!(raw.closed().await, Closed::SlowReader { max: 200_000 }));
}

#[tokio::test]
async fn a_reader_that_stops_in_the_middle_is_cut_off() {
    let mut raw = raw(Limits { frame_bytes: 1 << 20, stall_ms: 50, ..limits() });
    raw.peer.notify("much", &"x".repeat(500_000)).unwrap();
    assert!(matches!(raw.closed().await, Closed::WriteStalled { stall_ms: 50 }));
}

#[tokio::test]
async fn a_slow_reader_that_does_read_is_not_cut_off() {
    let mut raw = raw(Limits { frame_bytes: 1 << 20, stall_ms: 60_000, ..limits() });
    raw.peer.notify("much", &"x".repeat(500_000)).unwrap();
    assert_eq!(raw.read().await["params"].as_str().unwrap().len(), 500_000);
}

#[tokio::test]
async fn a_frame_that_does_not_end_is_cut_off() {
    let mut raw = raw(Limits { stall_ms: 50, ..limits() });
    raw.write(b"Content-Length: 10\r\n\r\n{").await;
    assert!(matches!(raw.closed().await, Closed::ReadStalled { stall_ms: 50 }));
}

#[tokio::test]
async fn a_header_that_does_not_end_is_cut_off() {
    let mut raw = raw(Limits { stall_ms: 50, ..limits() });
    raw.write(b"Content-").await;
    assert!(matches!(raw.closed().await, Closed::ReadStalled { stall_ms: 50 }));
}

#[tokio::test]
async fn vanishing_within_a_frame_is_told_from_hanging_up() {
    for (bytes, within_frame) in
        [(&b""[..], false), (b"Content-Le", true), (b"Content-Length: 5\r\n\r\n{", true)]
    {
        let mut raw = raw(limits());
        raw.write(bytes).await;
        raw.hang_up();
        let closed = raw.closed().await;
        assert!(
            matches!((&closed, within_frame), (Closed::Eof, false) | (Closed::EofInFrame, true)),
            "{closed:?}"
        );
    }
}

#[tokio::test]
async fn one_bad_connection_leaves_the_others_alone() {
    let ((good, _a), (_b, mut served)) = pair(limits());
    let mut bad: Vec<Raw> = (0..20).map(|_| raw(limits())).collect();
    for (at, raw) in bad.iter_mut().enumerate() {
        raw.write(&[b"Content-Length: nonsense\r\n\r\n", &b"{"[..]][at % 2].repeat(50)).await;
    }
    let call = good.request("ping", &());
    let Some(Message::Request { reply, .. }) = within(served.next()).await else { panic!() };
    reply.answer(&"pong").unwrap();
    assert_eq!(within(call).await.unwrap().get(), "\"pong\"");
}

#[test]
fn a_number_that_fits_no_type_is_wrong_where_it_is_read_and_nowhere_before() {
    let body = br#"{"jsonrpc":"2.0","method":"acme/go","params":{"n":5009e979770}}"#;
    let Ok(rpc::Incoming::Notification { params, .. }) = rpc::parse(body, 8) else {
        panic!("it is a message")
    };
    let params = bilayer_ipc::Params::new(params.map(ToOwned::to_owned));
    assert_eq!(params.parse::<serde_json::Value>().unwrap_err().code, rpc::code::INVALID_PARAMS);
}
