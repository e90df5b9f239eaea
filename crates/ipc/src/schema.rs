//! The wire as documents for others: OpenRPC, and the JSON Schema of every message. Made from the types that this crate
//! itself reads and writes, so they cannot disagree.
//!
//! The checked-in copies are `schema/bilayer.openrpc.json` and `schema/bilayer.schema.json`.

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::handshake::VERSIONS;
use crate::rpc::{Cancel, RpcError, code};
use crate::{agent, control, method};

/// The OpenRPC document (<https://spec.open-rpc.org/>, 1.3) of everything that crosses the wire.
pub fn openrpc() -> Value {
    let mut generator = generator("/components/schemas");
    let methods = methods(&mut generator);
    json!({
        "openrpc": "1.3.2",
        "info": {
            "title": "Bilayer",
            "version": VERSIONS.max.to_string(),
            "description": "JSON-RPC 2.0 between the service, its agents and its administrators, over a Unix socket or a \
                named pipe, in frames of the Language Server base protocol: `Content-Length: N`, an empty line, N bytes of \
                UTF-8 JSON. A tag says who sends a method. Methods without a result are notifications. Readers ignore \
                fields that they do not know.",
        },
        "methods": methods,
        "components": { "schemas": generator.take_definitions(true), "errors": errors() },
    })
}

/// The JSON Schema (draft 7) of every message's parameters and results, by type name under `definitions`.
pub fn json_schema() -> Value {
    let mut generator = generator("/definitions");
    methods(&mut generator);
    json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Messages of Bilayer",
        "definitions": generator.take_definitions(true),
    })
}

fn generator(definitions_path: &str) -> SchemaGenerator {
    let settings = SchemaSettings::draft07().with(|settings| {
        settings.definitions_path = definitions_path.to_owned().into();
        settings.meta_schema = None;
    });
    settings.into_generator()
}

/// Who sends a method, as its tag.
const CLIENT: &str = "client to service";
const AGENT: &str = "agent to service";
const SERVICE: &str = "service to agent";
const CONTROL: &str = "control to service";
const EITHER: &str = "both ways";

/// A method without parameters or, as a result, null.
#[derive(JsonSchema)]
struct Nothing {}

fn methods(generator: &mut SchemaGenerator) -> Vec<Value> {
    use agent::{
        Goodbye, Initialize, Initialized, Log, PowerChanged, SessionChanged, ShowMessage, Status, Stop,
    };
    use control::{AgentStatus, Call, Delivery, Reloaded, Selector, Send, StatusReport};

    // Named in errors only.
    generator.subschema_for::<control::Candidates>();
    generator.subschema_for::<control::ConfigurationErrors>();
    generator.subschema_for::<RpcError>();

    let null = Some(json!({ "type": "null" }));
    let any = Some(json!(true));
    let mut all = Methods { generator, list: Vec::new() };
    let initialized = all.result::<Initialized>();
    all.add::<Initialize>(
        method::INITIALIZE,
        CLIENT,
        "First request of every connection: versions, and who the client is.",
        initialized,
        &["version", "refused"],
    );
    all.add::<Cancel>(
        method::CANCEL_REQUEST,
        EITHER,
        "A request of one's own is not wanted any more. It is still answered.",
        None,
        &[],
    );

    all.add::<Nothing>(method::AGENT_READY, AGENT, "The agent does its work now.", None, &[]);
    all.add::<Status>(
        method::AGENT_STATUS,
        AGENT,
        "What the agent is doing, in a few words for people.",
        None,
        &[],
    );
    all.add::<Nothing>(
        method::AGENT_HEARTBEAT,
        AGENT,
        "The agent is alive. Sent at a third of `heartbeat_ms`.",
        None,
        &[],
    );
    all.add::<Goodbye>(
        method::AGENT_GOODBYE,
        AGENT,
        "The agent is about to leave, and what it wants to happen next. May also be sent as a notification.",
        null.clone(),
        &[],
    );
    all.add::<Log>(method::LOG_WRITE, AGENT, "One line of the agent's log.", None, &[]);

    all.add::<Stop>(
        method::AGENT_STOP,
        SERVICE,
        "The agent must stop. Answered at once; its exit completes it.",
        null.clone(),
        &[],
    );
    all.add::<SessionChanged>(
        method::SESSION_CHANGED,
        SERVICE,
        "The facts of the agent's session, as they are now.",
        None,
        &[],
    );
    all.add::<PowerChanged>(
        method::POWER_CHANGED,
        SERVICE,
        "The machine is about to sleep, or woke up.",
        None,
        &[],
    );
    all.add::<ShowMessage>(method::MESSAGE_SHOW, SERVICE, "Show a message to the user. Answered once it is on the screen; an agent that shows none answers \"method not found\".", null.clone(), &[]);

    let report = all.result::<StatusReport>();
    all.add::<Nothing>(
        method::SERVICE_STATUS,
        CONTROL,
        "The service, its sessions and its agents.",
        report,
        &["refused"],
    );
    for (name, summary) in [
        (method::AGENTS_START, "Start agents, whatever held them."),
        (method::AGENTS_STOP, "Stop agents and hold them."),
        (method::AGENTS_RESTART, "Stop agents and start them again."),
    ] {
        let touched = all.result::<Vec<AgentStatus>>();
        all.add::<Selector>(name, CONTROL, summary, touched, &["refused", "no_such", "ambiguous", "not_now"]);
    }
    all.add::<Call>(
        method::AGENTS_CALL,
        CONTROL,
        "Call one of the product's own methods of one agent; results in what that results in.",
        any,
        &["refused", "no_such", "ambiguous", "not_now", "method_not_found"],
    );
    let deliveries = all.result::<Vec<Delivery>>();
    all.add::<Send>(
        method::MESSAGE_SEND,
        CONTROL,
        "Send a message to people.",
        deliveries,
        &["refused", "no_such", "ambiguous"],
    );
    let reloaded = all.result::<Reloaded>();
    all.add::<Nothing>(method::SERVICE_RELOAD, CONTROL, "Read the configuration again. Wrong configurations are answered with an error whose data is `ConfigurationErrors`, and change nothing.", reloaded, &["refused"]);
    all.add::<Nothing>(
        method::SERVICE_STOP,
        CONTROL,
        "Stop the service. Answered before it stops.",
        null,
        &["refused"],
    );
    all.list
}

struct Methods<'a> {
    generator: &'a mut SchemaGenerator,
    list: Vec<Value>,
}

impl Methods<'_> {
    fn result<T: JsonSchema>(&mut self) -> Option<Value> {
        Some(self.generator.subschema_for::<T>().to_value())
    }

    fn add<P: JsonSchema>(
        &mut self,
        name: &str,
        sender: &str,
        summary: &str,
        result: Option<Value>,
        errors: &[&str],
    ) {
        let mut method = json!({
            "name": name,
            "summary": summary,
            "tags": [{ "name": sender }],
            "paramStructure": "by-name",
            "params": parameters(&P::json_schema(self.generator)),
        });
        // The type as a whole is published too, for those who generate code from it.
        if P::schema_name() != Nothing::schema_name() {
            self.generator.subschema_for::<P>();
        }
        if let Some(schema) = result {
            method["result"] = json!({ "name": "result", "schema": schema });
        }
        if !errors.is_empty() {
            let references =
                errors.iter().map(|error| json!({ "$ref": format!("#/components/errors/{error}") }));
            method["errors"] = references.collect();
        }
        self.list.push(method);
    }
}

/// OpenRPC lists parameters one by one: the properties of the object that is sent.
fn parameters(schema: &Schema) -> Vec<Value> {
    let properties = schema.get("properties").and_then(Value::as_object);
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|one| one == name));
    let describe = |(name, schema): (&String, &Value)| json!({ "name": name, "required": is_required(name), "schema": schema });
    let mut list: Vec<Value> = properties.into_iter().flatten().map(describe).collect();
    // Required ones come first, as the specification demands; the rest of the order must not depend on how serde_json was
    // built.
    list.sort_by_cached_key(|parameter| (parameter["required"] != true, parameter["name"].to_string()));
    list
}

fn errors() -> Map<String, Value> {
    let all = [
        ("parse", code::PARSE, "The bytes were no JSON; closes the connection."),
        ("invalid_request", code::INVALID_REQUEST, "The JSON was no request, or a batch."),
        ("method_not_found", code::METHOD_NOT_FOUND, "There is no such method here."),
        ("invalid_params", code::INVALID_PARAMS, "The parameters were wrong."),
        ("internal", code::INTERNAL, "The method failed."),
        ("version", code::VERSION, "No protocol version in common; closes the connection."),
        (
            "not_initialized",
            code::NOT_INITIALIZED,
            "Something came before `initialize`; closes the connection.",
        ),
        (
            "refused",
            code::REFUSED,
            "Refused, whatever the cause. During the handshake it closes the connection.",
        ),
        ("no_such", code::NO_SUCH, "Unknown agent or session; data: `Candidates`."),
        ("ambiguous", code::AMBIGUOUS, "More than one match; data: `Candidates`."),
        ("not_now", code::NOT_NOW, "Not possible in this state."),
        ("cancelled", code::CANCELLED, "The one who asked cancelled the request."),
    ];
    all.into_iter()
        .map(|(name, code, message)| (name.to_owned(), json!({ "code": code, "message": message })))
        .collect()
}
