//! The SDK against a small service.

#![allow(clippy::unwrap_used, reason = "this is a test")]

mod common;

use std::time::Duration;

use bilayer_agent::{
    Agent, CallError, ConnectError, Environment, Event, Intent, PowerEvent, Stop, StopReason, code,
};
use bilayer_ipc::agent::{Goodbye, Initialize, Log, LogLevel};
use bilayer_ipc::{Message, method};
use common::{Served, Service, secret, session, within};
use serde_json::{Value, json};
use tracing_subscriber::prelude::*;

fn environment(service: &Service) -> Environment {
    let [(_, endpoint), (_, server), _] = service.variables();
    Environment { endpoint, server, token: service.token.clone() }
}

async fn connected(service: &Service) -> (Agent, Served) {
    let agent = Agent::builder("test", "1.2.3").environment(environment(service));
    let (agent, served) =
        within(async { tokio::join!(agent.connect(), service.serve(Some(secret()))) }).await;
    (agent.unwrap(), served)
}

#[tokio::test]
async fn shows_its_token_and_learns_who_it_is() {
    let service = Service::start("sdk-hello");
    let (agent, served) = connected(&service).await;
    let initialize = &served.initialize;
    assert!(initialize.token.as_ref().is_some_and(|token| token.matches(&service.token)));
    assert!(initialize.resume.is_none());
    assert_eq!((initialize.client.name.as_str(), initialize.client.version.as_str()), ("test", "1.2.3"));
    assert_eq!((agent.identity().name.as_str(), agent.identity().generation), ("desk", 4));
    assert_eq!(agent.session(), Some(session(false)));
}

#[tokio::test]
async fn stop_is_answered_by_itself() {
    let service = Service::start("sdk-stop");
    let (mut agent, served) = connected(&service).await;
    let stop = served.peer.request(method::AGENT_STOP, &json!({ "reason": "logoff", "deadline_ms": 5000 }));
    assert_eq!(within(stop).await.unwrap().get(), "null");
    let Some(Event::Stop(stop)) = within(agent.next()).await else { panic!() };
    assert_eq!(stop, Stop { reason: StopReason::Logoff, within: Duration::from_secs(5) });
}

#[tokio::test]
async fn a_reason_from_the_future_is_still_a_stop() {
    let service = Service::start("sdk-future");
    let (mut agent, served) = connected(&service).await;
    let params = json!({ "reason": "solar-flare", "deadline_ms": 1, "severity": 9 });
    served.peer.request(method::AGENT_STOP, &params).forget();
    let Some(Event::Stop(stop)) = within(agent.next()).await else { panic!() };
    assert_eq!(stop.reason, StopReason::Other);
}

#[tokio::test]
async fn the_session_and_the_power_are_told() {
    let service = Service::start("sdk-session");
    let (mut agent, served) = connected(&service).await;
    served.peer.notify(method::SESSION_CHANGED, &json!({ "session": session(true) })).unwrap();
    served.peer.notify(method::POWER_CHANGED, &json!({ "event": "suspend" })).unwrap();
    assert!(matches!(within(agent.next()).await, Some(Event::Session(facts)) if facts.locked));
    assert!(agent.session().unwrap().locked);
    assert!(matches!(within(agent.next()).await, Some(Event::Power(PowerEvent::Suspend))));
}

#[tokio::test]
async fn messages_are_answered_once_shown_and_declined_if_dropped() {
    let service = Service::start("sdk-message");
    let (mut agent, served) = connected(&service).await;
    let message = json!({ "title": "Hello", "text": "there" });
    let shown = served.peer.request(method::MESSAGE_SHOW, &message);
    let declined = served.peer.request(method::MESSAGE_SHOW, &message);
    let Some(Event::Message(first)) = within(agent.next()).await else { panic!() };
    assert_eq!((first.title.as_str(), first.text.as_str()), ("Hello", "there"));
    first.shown();
    drop(within(agent.next()).await);
    assert!(within(shown).await.is_ok());
    assert!(
        matches!(within(declined).await, Err(CallError::Answer(error)) if error.code == code::METHOD_NOT_FOUND)
    );
}

#[tokio::test]
async fn the_products_own_methods_go_both_ways() {
    let service = Service::start("sdk-own");
    let (mut agent, mut served) = connected(&service).await;
    let asked = served.peer.request("acme/add", &json!([[1, 2]]));
    let Some(Event::Request(request)) = within(agent.next()).await else { panic!() };
    let numbers: Vec<u32> = request.params().unwrap();
    request.reply(&numbers.iter().sum::<u32>());
    assert_eq!(within(asked).await.unwrap().get(), "3");

    let handle = agent.handle();
    let ask = async { handle.request::<Value>("acme/where", &json!({ "what": "keys" })).await.unwrap() };
    let answer = async {
        let Some(Message::Request { method, params, reply, .. }) = served.incoming.next().await else {
            panic!()
        };
        assert_eq!(
            (method.as_str(), params.parse::<Value>().unwrap()),
            ("acme/where", json!({ "what": "keys" }))
        );
        reply.answer(&"here").unwrap();
    };
    let (found, ()) = within(async { tokio::join!(ask, answer) }).await;
    assert_eq!(found, "here");
}

#[tokio::test]
async fn what_the_agent_does_not_know_is_not_found() {
    let service = Service::start("sdk-unknown");
    let (_agent, served) = connected(&service).await;
    // Reserved names never reach the agent.
    let answer = within(served.peer.request("agent/dance", &())).await;
    assert!(matches!(answer, Err(CallError::Answer(error)) if error.code == code::METHOD_NOT_FOUND));
}

#[tokio::test]
async fn heartbeats_come_by_themselves() {
    let mut service = Service::start("sdk-heartbeat");
    service.heartbeat_ms = Some(60);
    let (_agent, mut served) = connected(&service).await;
    for _ in 0..3 {
        served.heard(method::AGENT_HEARTBEAT).await;
    }
}

#[tokio::test]
async fn goodbye_is_heard_before_it_returns() {
    let service = Service::start("sdk-goodbye");
    let (agent, mut served) = connected(&service).await;
    let hear = async {
        let Some(Message::Request { method, params, reply, .. }) = served.incoming.next().await else {
            panic!()
        };
        assert_eq!(method, method::AGENT_GOODBYE);
        assert_eq!(params.parse::<Goodbye>().unwrap(), Goodbye { intent: Intent::Hold });
        reply.answer(&()).unwrap();
    };
    let (said, ()) = within(async { tokio::join!(agent.goodbye(Intent::Hold), hear) }).await;
    said.unwrap();
}

#[tokio::test]
async fn closing_writes_what_was_said() {
    let service = Service::start("sdk-close");
    let (agent, mut served) = connected(&service).await;
    agent.status("last words").unwrap();
    within(agent.close()).await;
    assert_eq!(
        served.heard(method::AGENT_STATUS).await.parse::<Value>().unwrap(),
        json!({ "text": "last words" })
    );
    assert!(within(served.incoming.next()).await.is_none());
}

#[tokio::test]
async fn comes_back_with_the_resume_secret_and_says_again_what_it_said() {
    let mut service = Service::start("sdk-resume");
    let first = secret();
    let builder = Agent::builder("test", "1").environment(environment(&service));
    let (agent, mut served) =
        within(async { tokio::join!(builder.connect(), service.serve(Some(first.clone()))) }).await;
    let mut agent = agent.unwrap();
    agent.status("busy").unwrap();
    agent.ready().unwrap();
    served.heard(method::AGENT_READY).await;

    service.deafen();
    served.peer.close("the service restarts");
    assert!(matches!(within(agent.next()).await, Some(Event::Disconnected)));
    agent.status("still busy").unwrap();

    let mut resume = first;
    for _ in 0..2 {
        service.listen().await;
        let next = secret();
        let mut served = service.serve(Some(next.clone())).await;
        let Initialize { token: None, resume: Some(shown), .. } = &served.initialize else { panic!() };
        assert!(shown.matches(&resume), "the secret of the last reply");
        assert!(matches!(within(agent.next()).await, Some(Event::Reconnected)));
        let status: Value = served.heard(method::AGENT_STATUS).await.parse().unwrap();
        assert_eq!(status, json!({ "text": "still busy" }));
        served.heard(method::AGENT_READY).await;
        resume = next;
        service.deafen();
        served.peer.close("the service restarts once more");
        assert!(matches!(within(agent.next()).await, Some(Event::Disconnected)));
    }
}

#[tokio::test]
async fn what_changed_while_the_service_was_away_is_told_and_a_service_that_goes_again_is_waited_for() {
    let mut service = Service::start("sdk-away");
    let (mut agent, served) = connected(&service).await;
    assert!(!agent.session().unwrap().locked);
    served.peer.close("the service restarts");
    assert!(matches!(within(agent.next()).await, Some(Event::Disconnected)));
    service.leave().await;
    service.locked = true;
    let _served = service.serve(Some(secret())).await;
    assert!(matches!(within(agent.next()).await, Some(Event::Reconnected)));
    let Some(Event::Session(session)) = within(agent.next()).await else { panic!() };
    assert!(session.locked && agent.session().unwrap().locked);
}

#[tokio::test]
async fn a_refused_resume_is_the_end() {
    let service = Service::start("sdk-refused-resume");
    let (mut agent, served) = connected(&service).await;
    served.peer.close("the service restarts");
    assert!(matches!(within(agent.next()).await, Some(Event::Disconnected)));
    service.refuse().await;
    assert!(within(agent.next()).await.is_none());
}

#[tokio::test]
async fn a_refusal_is_an_error_that_says_where() {
    let service = Service::start("sdk-refused");
    let agent = Agent::builder("test", "1").environment(environment(&service));
    let (agent, ()) = within(async { tokio::join!(agent.connect(), service.refuse()) }).await;
    let Err(error @ ConnectError::Handshake { .. }) = agent else { panic!() };
    assert!(error.to_string().contains(&environment(&service).endpoint), "{error}");
}

#[tokio::test]
async fn an_impostor_is_sent_nothing() {
    let service = Service::start("sdk-impostor");
    let environment = Environment { server: "4294967294".into(), ..environment(&service) };
    let agent = within(Agent::builder("test", "1").environment(environment).connect()).await;
    assert!(matches!(agent, Err(ConnectError::Endpoint(_))));
}

#[tokio::test]
async fn the_log_is_forwarded_and_what_was_dropped_is_counted() {
    let service = Service::start("sdk-log");
    let (mut agent, mut served) = connected(&service).await;
    let layer = agent.log_layer();
    let subscriber = tracing_subscriber::registry().with(layer.clone());

    tracing::subscriber::with_default(subscriber, || {
        tracing::warn!(files = 3, path = "a b", "out of {}", "sync");
    });
    let line: Log = served.heard(method::LOG_WRITE).await.parse().unwrap();
    assert_eq!((line.level, line.message.as_str(), line.dropped), (LogLevel::Warn, "out of sync", 0));
    assert_eq!(Value::Object(line.fields), json!({ "files": 3, "path": "a b" }));

    served.peer.close("the service restarts");
    assert!(matches!(within(agent.next()).await, Some(Event::Disconnected)));
    let subscriber = tracing_subscriber::registry().with(layer.clone());
    tracing::subscriber::with_default(subscriber, || {
        tracing::info!("nobody hears this");
        tracing::debug!("and nobody wants this");
    });
    assert_eq!(layer.dropped(), 1);
    let mut served = service.serve(None).await;
    assert!(matches!(within(agent.next()).await, Some(Event::Reconnected)));
    let subscriber = tracing_subscriber::registry().with(layer);
    tracing::subscriber::with_default(subscriber, || tracing::info!("here again"));
    let line: Log = served.heard(method::LOG_WRITE).await.parse().unwrap();
    assert_eq!((line.message.as_str(), line.dropped), ("here again", 1));
}
