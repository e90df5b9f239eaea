//! The JSON Schema of the file, for editors.

/// The schema.
pub fn json_schema() -> serde_json::Value {
    serde_json::json!({})
}
