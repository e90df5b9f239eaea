//! Drives the core from nothing but constants.
//!
//! `cargo xtask wasm` links this for `wasm32-unknown-unknown` and reads the imports of the result: a core that reached for a
//! clock, a file, a thread or a random number would have to import it from a host, and there is none.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::sync::Arc;

use bilayer_core::{
    Event, Logon, OnServiceStop, Session, SessionKind, SessionState, Spec, SpecId, Supervisor, Time, Who,
};

fn main() {
    let mut supervisor = Supervisor::new(black_box(1));
    let session = Session {
        logon: Logon(1),
        state: SessionState::Active,
        kind: SessionKind::Console,
        locked: false,
        remote: false,
        environment: true,
        display: true,
        who: Arc::new(Who {
            session: "1".into(),
            user: "alice".into(),
            account: String::new(),
            user_id: "1001".into(),
            groups: Vec::new(),
            session_type: None,
            greeter: false,
        }),
    };
    let specs = vec![(SpecId(0), Spec::new("desk"))];
    let events =
        [Event::Configured { specs, on_service_stop: OnServiceStop::Stop }, Event::Sessions(vec![session])];
    for event in events {
        supervisor.handle(black_box(Time::ZERO), event);
    }
    while let Some(action) = supervisor.poll_action() {
        black_box(action);
    }
    black_box(supervisor.next_deadline());
}
