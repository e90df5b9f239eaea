//! The checked-in documents are those that the types make.

#![allow(clippy::unwrap_used, reason = "this is a test")]

use std::fs;
use std::path::Path;

use bilayer_ipc::schema;
use serde_json::Value;

/// With `BILAYER_WRITE_SCHEMA=1` in the environment, writes the document instead.
fn check(file: &str, made: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../schema").join(file);
    if std::env::var_os("BILAYER_WRITE_SCHEMA").is_some() {
        fs::write(&path, serde_json::to_string_pretty(made).unwrap() + "\n").unwrap();
    }
    let kept = fs::read_to_string(&path).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
    assert!(
        kept.as_ref() == Some(made),
        "schema/{file} is not what the types say any more; if that is meant, run\n    \
         BILAYER_WRITE_SCHEMA=1 cargo test -p bilayer-ipc --test schema\nand check in the result"
    );
}

#[test]
fn openrpc_is_up_to_date() {
    check("bilayer.openrpc.json", &schema::openrpc());
}

#[test]
fn json_schema_is_up_to_date() {
    check("bilayer.schema.json", &schema::json_schema());
}

#[test]
fn every_reference_leads_somewhere() {
    for document in [schema::openrpc(), schema::json_schema()] {
        let mut references = Vec::new();
        collect(&document, &mut references);
        assert!(!references.is_empty());
        for reference in references {
            assert!(
                document.pointer(reference.trim_start_matches('#')).is_some(),
                "{reference} leads nowhere"
            );
        }
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(fields) => {
            references.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| collect(field, references));
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, references)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn every_method_is_published_once() {
    let document = schema::openrpc();
    let mut names: Vec<_> =
        document["methods"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    let source = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/method.rs")).unwrap();
    let constants = source.lines().filter_map(|line| line.strip_prefix("pub const ")?.split('"').nth(1));
    let mut constants: Vec<_> = constants.collect();
    names.sort_unstable();
    constants.sort_unstable();
    assert_eq!(names, constants);
}
