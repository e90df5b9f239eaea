//! Any bytes as one body. What is read as a message must be JSON to a general reader too, and not too deep.
#![no_main]

use bilayer_ipc::agent::{Goodbye, Initialize, Log, PowerChanged, SessionChanged, ShowMessage, Status, Stop};
use bilayer_ipc::control::{Call, Selector, Send};
use bilayer_ipc::{Params, rpc};
use libfuzzer_sys::fuzz_target;
use serde::de::IgnoredAny;

fuzz_target!(|body: &[u8]| {
    let (Ok(rpc::Incoming::Request { params, .. }) | Ok(rpc::Incoming::Notification { params, .. })) =
        rpc::parse(body, 32)
    else {
        return;
    };
    // By its grammar: a number may still be too large for every type of Rust.
    serde_json::from_slice::<IgnoredAny>(body).expect("what is read as a message is JSON");
    let params = Params::new(params.map(ToOwned::to_owned));
    let _ = params.parse::<Initialize>();
    let _ = params.parse::<Goodbye>();
    let _ = params.parse::<Log>();
    let _ = params.parse::<Status>();
    let _ = params.parse::<PowerChanged>();
    let _ = params.parse::<Stop>();
    let _ = params.parse::<SessionChanged>();
    let _ = params.parse::<ShowMessage>();
    let _ = params.parse::<Selector>();
    let _ = params.parse::<Call>();
    let _ = params.parse::<Send>();
});
