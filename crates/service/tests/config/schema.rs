//! The published schema says the same as the reader, key by key.

use std::collections::BTreeSet;

use bilayer::config::{Loading, Report, json_schema, print, sample};
use bilayer_platform::{HAS_GREETERS, HAS_TOKENS};
use serde_json::Value;

use crate::machine::{CONSOLE, agent, load, worker};

/// What is printed where users have tokens.
const OF_TOKENS: [&str; 2] = ["agent.desk.elevation", "agent.desk.token"];

/// Every key of the schema by its dotted path; an agent is called `desk`.
fn keys() -> Vec<(String, Value)> {
    fn walk(path: &str, schema: &Value, keys: &mut Vec<(String, Value)>) {
        let properties = schema["properties"].as_object().into_iter().flatten();
        for (key, schema) in properties.map(|(key, schema)| (key.clone(), schema)) {
            let path = if path.is_empty() { key } else { format!("{path}.{key}") };
            match path.as_str() {
                "agent" => walk("agent.desk", &schema["additionalProperties"], keys),
                "worker" => walk("worker.sync", &schema["additionalProperties"], keys),
                _ if schema["properties"].is_object() => walk(&path, schema, keys),
                _ => keys.push((path, schema.clone())),
            }
        }
    }
    let mut keys = Vec::new();
    walk("", &json_schema(), &mut keys);
    keys
}

fn report(text: &str, how: &Loading<'_>) -> Report {
    load(text, how).map(|loaded| loaded.warnings).unwrap_or_else(|report| report)
}

/// What the reader says if this key holds this value.
fn said(path: &str, value: &str) -> String {
    let (section, key) = path.split_once('.').unwrap();
    let text = match (section, path) {
        ("agent", _) if path == "agent.desk.command" => agent("").replace("[\"/opt/acme/desk\"]", value),
        ("agent", _) => agent(&format!("{} = {value}", key.strip_prefix("desk.").unwrap())),
        ("worker", _) if path == "worker.sync.command" => agent(&format!("[worker.sync]\ncommand = {value}")),
        ("worker", _) => worker(&format!("{} = {value}", key.strip_prefix("sync.").unwrap())),
        (_, "service.name") => agent("").replace("\"acme\"", value),
        ("service", _) => agent("").replace("\"acme\"", &format!("\"acme\"\n{key} = {value}")),
        _ => agent(&format!("[{section}]\n{key} = {value}")),
    };
    report(&text, &CONSOLE).to_string()
}

#[test]
fn the_reader_knows_every_key_of_the_schema() {
    let keys = keys();
    assert!(keys.len() > 35, "{} keys", keys.len());
    for (path, _) in keys {
        let said = said(&path, "1970-01-01");
        assert!(said.contains("not a date") && !said.contains("unknown key"), "{path}: {said}");
    }
}

#[test]
fn the_schema_knows_every_key_of_the_reader() {
    let schema: BTreeSet<String> = keys().into_iter().map(|(path, _)| path).collect();
    let tables = [
        "",
        "service",
        "agent.desk",
        "agent.desk.stop",
        "agent.desk.restart",
        "agent.desk.restart.limit",
        "worker.sync",
        "worker.sync.stop",
        "worker.sync.restart",
        "worker.sync.restart.limit",
        "log",
        "wire",
    ];
    let mut reader = BTreeSet::new();
    for table in tables {
        let unknown = if table.is_empty() { "zzzzzzzz".to_owned() } else { format!("{table}.zzzzzzzz") };
        let text = format!(
            "{unknown} = 1\nworker.sync.command = [\"/opt/acme/desk\"]\n{}",
            agent("")
                .replace("[service]\nname", "service.name")
                .replace("[agent.desk]\ncommand", "agent.desk.command")
        );
        let report = report(&text, &CONSOLE);
        let hint = report.findings()[0].hint.clone().unwrap();
        let known = hint.strip_prefix("keys here: ").unwrap_or_else(|| panic!("{report}")).split(", ");
        let path =
            |key: &str| format!("{table}.{}", key.trim_matches('`')).trim_start_matches('.').to_owned();
        reader.extend(known.map(path));
    }
    let is_table =
        |key: &&String| !tables.contains(&key.as_str()) && !["agent", "worker"].contains(&key.as_str());
    let reader: BTreeSet<&String> = reader.iter().filter(is_table).collect();
    assert_eq!(reader, schema.iter().collect());
}

#[test]
fn both_know_the_same_words() {
    for (path, schema) in keys() {
        let choice = [&schema["enum"], &schema["items"]["enum"], &schema["additionalProperties"]["enum"]];
        let Some(words) = choice.into_iter().find_map(Value::as_array) else { continue };
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        let wrong = match schema["type"].as_str() {
            Some("array") => "[\"zzzzzzzz\"]",
            Some("object") => "{ 64 = \"zzzzzzzz\" }",
            _ => "\"zzzzzzzz\"",
        };
        let said = said(&path, wrong);
        assert!(said.contains(&format!("it is one of {}", words.join(", "))), "{path}: {said}");
    }
}

#[test]
fn both_know_the_same_bounds() {
    for (path, schema) in keys() {
        let bounds =
            match (schema["minimum"].as_u64(), schema["maximum"].as_u64(), schema["pattern"].as_str()) {
                (Some(from), Some(to), _) => format!("must be between {from} and {to}"),
                (_, _, Some(pattern)) if pattern.contains("ms|s") || pattern.contains("KiB") => {
                    let text = schema["description"].as_str().unwrap().replace('`', "");
                    let (_, bounds) =
                        text.rsplit_once("From ").unwrap_or_else(|| panic!("{path}: no bounds in {text}"));
                    let (from, to) = bounds.trim_end_matches('.').split_once(" to ").unwrap();
                    match from {
                        "max_size" => continue,
                        "frame" => continue,
                        from => format!("must be between \"{from}\" and \"{to}\""),
                    }
                }
                _ => continue,
            };
        let wrong = if schema["type"] == "integer" {
            "99999999"
        } else if path.starts_with("log.max_s") || schema["pattern"].as_str().unwrap().contains("KiB") {
            "\"99999GiB\""
        } else {
            "\"99999d\""
        };
        let said = said(&path, wrong);
        assert!(said.contains(&bounds), "{path}: {bounds}: {said}");
    }
}

#[test]
fn both_have_the_same_defaults() {
    let printed: toml::Table = print(&load(&worker(""), &CONSOLE).unwrap().config).parse().unwrap();
    let printed = serde_json::to_value(printed).unwrap();
    for (path, schema) in keys() {
        let effective = path.split('.').fold(&printed, |table, key| &table[key]);
        let own = ["agent.desk.command", "worker.sync.command", "service.name", "service.display_name"]
            .contains(&path.as_str());
        let elsewhere = !HAS_TOKENS && OF_TOKENS.contains(&path.as_str());
        let elsewhere = elsewhere || !HAS_GREETERS && path == "agent.desk.greeter";
        if !own && !elsewhere {
            assert_eq!(effective, &schema["default"], "{path}");
        }
    }
}

#[test]
fn the_sample_names_every_key_but_the_rarely_needed() {
    let sample = sample();
    for (path, _) in keys() {
        let key = path.rsplit('.').next().unwrap();
        let rare = path.starts_with("wire.")
            || [
                "types",
                "greeter",
                "elevation",
                "token",
                "directory",
                "account",
                "dependencies",
                "preshutdown_timeout",
            ]
            .contains(&key);
        assert!(rare || sample.contains(key), "{path}");
    }
}

#[test]
fn the_sample_and_the_effective_configuration_are_valid_to_the_schema() {
    let effective = print(&load(&worker(""), &CONSOLE).unwrap().config);
    for text in [sample(), effective] {
        let document: toml::Table = text.parse().unwrap();
        let document = serde_json::to_value(document).unwrap();
        assert_eq!(violation("", &json_schema(), &document), None);
    }
}

/// The parts of JSON Schema that a structure can violate: types, required and unknown keys, words. Patterns are left to
/// the test of the bounds.
fn violation(path: &str, schema: &Value, value: &Value) -> Option<String> {
    let is = |name: &str| match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_u64(),
        "boolean" => value.is_boolean(),
        _ => false,
    };
    if let Some(wanted) = schema["type"].as_str().filter(|wanted| !is(wanted)) {
        return Some(format!("{path} is no {wanted}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{path} cannot be {value}"));
    }
    if let Some(items) = value.as_array() {
        return items.iter().find_map(|item| violation(path, &schema["items"], item));
    }
    let object = value.as_object()?;
    let mut required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.find(|key| !object.contains_key(*key)) {
        return Some(format!("{path} has no {missing}"));
    }
    object.iter().find_map(|(key, value)| {
        let path = format!("{path}.{key}");
        match (&schema["properties"][key], &schema["additionalProperties"]) {
            (Value::Null, Value::Bool(false)) => Some(format!("{path} is unknown")),
            (Value::Null, rest) => violation(&path, rest, value),
            (known, _) => violation(&path, known, value),
        }
    })
}
