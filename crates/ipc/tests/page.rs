//! docs/wire.md: its messages are those of the types.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::collections::HashMap;
use std::path::Path;

use bilayer_ipc::agent::{
    Goodbye, Initialize, Initialized, Intent, Log, PowerChanged, SessionChanged, ShowMessage, Status, Stop,
    StopReason,
};
use bilayer_ipc::rpc::{self, Incoming, Params, ParseError, code};
use bilayer_ipc::{Limits, method};
use serde_json::Value;
use serde_json::value::RawValue;

fn page() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/wire.md")).unwrap()
}

/// Reads parameters as the type of their method. Methods of a product's own have none.
fn read(method: &str, params: Option<&RawValue>) {
    let params = Params::new(params.map(ToOwned::to_owned));
    let read = match method {
        method::INITIALIZE => params.parse::<Initialize>().map(drop),
        method::AGENT_STATUS => params.parse::<Status>().map(drop),
        method::AGENT_GOODBYE => params.parse::<Goodbye>().map(drop),
        method::LOG_WRITE => params.parse::<Log>().map(drop),
        method::AGENT_STOP => params.parse::<Stop>().map(drop),
        method::SESSION_CHANGED => params.parse::<SessionChanged>().map(drop),
        method::POWER_CHANGED => params.parse::<PowerChanged>().map(drop),
        method::MESSAGE_SHOW => params.parse::<ShowMessage>().map(drop),
        method::AGENT_READY | method::AGENT_HEARTBEAT => {
            assert!(params.raw().is_none());
            Ok(())
        }
        own => {
            assert!(!method::is_reserved(own), "{own}");
            Ok(())
        }
    };
    read.unwrap_or_else(|error| panic!("{method}: {error}"));
}

#[test]
fn every_message_of_the_page_is_one_and_every_request_is_answered() {
    let page = page();
    let mut messages = 0;
    for transcript in page.split("```jsonl\n").skip(1).map(|rest| rest.split("```").next().unwrap()) {
        let mut unanswered = HashMap::new();
        for line in transcript.lines() {
            let (sender, json) = line.split_once(' ').unwrap();
            let receiver = if sender == "→" { "←" } else { "→" };
            messages += 1;
            match rpc::parse(json.as_bytes(), Limits::default().depth).unwrap() {
                Incoming::Request { id, method, params } => {
                    read(&method, params);
                    assert!(unanswered.insert((receiver.to_owned(), id), method.into_owned()).is_none());
                }
                Incoming::Notification { method, params } => read(&method, params),
                Incoming::Response { id, result } => {
                    let method = unanswered.remove(&(sender.to_owned(), id.unwrap())).expect(line);
                    if method == method::INITIALIZE {
                        serde_json::from_str::<Initialized>(result.unwrap().get()).unwrap();
                    }
                }
            }
        }
        assert!(unanswered.is_empty(), "{unanswered:?}");
    }
    assert!(messages > 15);
}

#[test]
fn the_frame_of_the_page_has_the_right_length() {
    let page = page();
    let (_, rest) = page.split_once("Content-Length: ").unwrap();
    let mut lines = rest.lines();
    let length: usize = lines.next().unwrap().trim_end_matches("\\r\\n").parse().unwrap();
    assert_eq!(lines.nth(1).unwrap().len(), length);
}

#[test]
fn the_page_names_every_method_error_and_word() {
    let page = page();
    let words = |value: Value| value.as_str().unwrap().to_owned();
    let mut names: Vec<String> = [
        method::INITIALIZE,
        method::CANCEL_REQUEST,
        method::AGENT_READY,
        method::AGENT_STATUS,
        method::AGENT_HEARTBEAT,
        method::AGENT_GOODBYE,
        method::LOG_WRITE,
        method::AGENT_STOP,
        method::SESSION_CHANGED,
        method::POWER_CHANGED,
        method::MESSAGE_SHOW,
    ]
    .map(str::to_owned)
    .into();
    let intents = [Intent::Restart, Intent::Hold, Intent::Release, Intent::LoggingOff];
    names.extend(intents.map(|intent| words(serde_json::to_value(intent).unwrap())));
    let reasons = [
        StopReason::Logoff,
        StopReason::SessionLeft,
        StopReason::Locked,
        StopReason::Operator,
        StopReason::Reload,
        StopReason::Hang,
        StopReason::NotReady,
        StopReason::ServiceStop,
        StopReason::Shutdown,
    ];
    names.extend(reasons.map(|reason| words(serde_json::to_value(reason).unwrap())));
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
    let codes = [
        code::PARSE,
        code::INVALID_REQUEST,
        code::METHOD_NOT_FOUND,
        code::INVALID_PARAMS,
        code::INTERNAL,
        code::VERSION,
        code::NOT_INITIALIZED,
        code::REFUSED,
        code::CANCELLED,
    ];
    for code in codes {
        assert!(page.contains(&format!("| {code} |")), "{code}");
    }
}

#[test]
fn a_batch_is_no_message_as_the_page_says() {
    assert!(matches!(rpc::parse(b"[]", 64), Err(ParseError::Message(_))));
}
