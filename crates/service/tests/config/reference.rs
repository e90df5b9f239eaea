//! docs/configuration.md: its reference is the schema, and its examples load.

use std::fmt::Write as _;
use std::path::PathBuf;

use bilayer::config::{Loading, Unchecked, json_schema, load_text};
use serde_json::Value;

const BEGIN: &str = "<!-- reference: begin -->\n";
const END: &str = "<!-- reference: end -->";

fn page() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/configuration.md")
}

#[test]
fn the_reference_is_that_of_the_schema() {
    let text = std::fs::read_to_string(page()).unwrap();
    let begin = text.find(BEGIN).unwrap() + BEGIN.len();
    let end = text.find(END).unwrap();
    let wanted = reference();
    if std::env::var_os("BILAYER_WRITE_DOCS").is_some() {
        std::fs::write(page(), format!("{}{wanted}{}", &text[..begin], &text[end..])).unwrap();
        return;
    }
    assert!(
        text[begin..end] == wanted,
        "docs/configuration.md is not what the schema says any more; if that is meant, run\n    \
         BILAYER_WRITE_DOCS=1 cargo test -p bilayer --test config reference\nand check in the result"
    );
}

#[test]
fn its_examples_load() {
    let text = std::fs::read_to_string(page()).unwrap();
    let examples: Vec<&str> =
        text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert!(examples.len() >= 5);
    for example in examples {
        let loaded = load_text(&page(), example, &Loading { privileged: true, checks: &Unchecked });
        let loaded = loaded.unwrap_or_else(|report| panic!("{report}\n{example}"));
        assert!(loaded.warnings.is_empty(), "{}\n{example}", loaded.warnings);
    }
}

fn reference() -> String {
    let schema = json_schema();
    let mut out = String::new();
    let sections = [
        ("[service]", &schema["properties"]["service"]),
        ("[agent.NAME]", &schema["properties"]["agent"]["additionalProperties"]),
        ("[worker.NAME]", &schema["properties"]["worker"]["additionalProperties"]),
        ("[log]", &schema["properties"]["log"]),
        ("[wire]", &schema["properties"]["wire"]),
    ];
    for (title, section) in sections {
        let text = section["description"].as_str().unwrap();
        write!(out, "\n### `{title}`\n\n{}\n\n", one_line(text)).unwrap();
        out.push_str("| key | value | default | meaning |\n|---|---|---|---|\n");
        rows("", section, &mut out);
    }
    out.push('\n');
    out
}

fn rows(path: &str, table: &Value, out: &mut String) {
    let required = table["required"].as_array().cloned().unwrap_or_default();
    for (key, schema) in table["properties"].as_object().unwrap() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if schema["properties"].is_object() {
            rows(&path, schema, out);
            continue;
        }
        let default = match &schema["default"] {
            Value::Null if required.contains(&Value::from(key.as_str())) => "required".to_owned(),
            Value::Null => String::new(),
            default => format!("`{}`", default.to_string().replace(',', ", ")),
        };
        let meaning = one_line(schema["description"].as_str().unwrap()).replace('|', "\\|");
        writeln!(out, "| `{path}` | {} | {default} | {meaning} |", value(schema)).unwrap();
    }
}

/// What a value of the key looks like.
fn value(schema: &Value) -> String {
    let words = |schema: &Value| {
        let words: Vec<String> = schema["enum"].as_array()?.iter().map(|word| format!("`{word}`")).collect();
        Some(words.join(", "))
    };
    let pattern = schema["pattern"].as_str().unwrap_or_default();
    match schema["type"].as_str().unwrap() {
        _ if schema["enum"].is_array() => words(schema).unwrap(),
        "boolean" => "`true`, `false`".to_owned(),
        "integer" => format!("{} to {}", schema["minimum"], schema["maximum"]),
        "array" => {
            words(&schema["items"]).map_or("list of texts".to_owned(), |words| format!("list of {words}"))
        }
        "object" => "table".to_owned(),
        _ if pattern.contains("ms|") => "time".to_owned(),
        _ if pattern.contains("KiB") => "size".to_owned(),
        _ if pattern.contains("a-z") => "name".to_owned(),
        _ => "text".to_owned(),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
