//! JSON-RPC 2.0: ids, parameters, errors, and the reading of one message.
//!
//! Follows <https://www.jsonrpc.org/specification>, with the error codes and `$/cancelRequest` of the Language Server
//! Protocol. Stricter in one place: there are no batches. Laxer in one: parameters by position are taken where they are
//! none or one, because some libraries send `[]` for nothing and `[{…}]` for an object.

use std::borrow::Cow;
use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;

/// Error codes.
pub mod code {
    /// The bytes were no JSON. Closes the connection.
    pub const PARSE: i64 = -32700;
    /// The JSON was no request; also a batch.
    pub const INVALID_REQUEST: i64 = -32600;
    /// There is no such method here.
    pub const METHOD_NOT_FOUND: i64 = -32601;
    /// The method's parameters were wrong.
    pub const INVALID_PARAMS: i64 = -32602;
    /// The method failed in a way that is nobody's business.
    pub const INTERNAL: i64 = -32603;
    /// No protocol version in common. Closes the connection.
    pub const VERSION: i64 = -32001;
    /// Something else came before `initialize`. Closes the connection.
    pub const NOT_INITIALIZED: i64 = -32002;
    /// Refused, whatever the cause. During the handshake it closes the connection.
    pub const REFUSED: i64 = -32003;
    /// Control API: unknown agent or session. `data` is [`Candidates`](crate::control::Candidates).
    pub const NO_SUCH: i64 = -32010;
    /// Control API: more than one match. `data` is [`Candidates`](crate::control::Candidates).
    pub const AMBIGUOUS: i64 = -32011;
    /// Control API: not possible in this state.
    pub const NOT_NOW: i64 = -32012;
    /// The one who asked cancelled the request.
    pub const CANCELLED: i64 = -32800;
}

/// Longest id that is a string, in bytes.
pub const ID_BYTES_MAX: usize = 64;

/// What a request is known by on its connection.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Id {
    /// An integer.
    Number(i64),
    /// A text of at most [`ID_BYTES_MAX`] bytes.
    Text(Box<str>),
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl de::Visitor<'_> for Visitor {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "an id: an integer, or a string of at most {ID_BYTES_MAX} bytes")
            }

            fn visit_i64<E>(self, number: i64) -> Result<Id, E> {
                Ok(Id::Number(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
                let number = i64::try_from(number);
                number
                    .map(Id::Number)
                    .map_err(|_| E::custom("an id that is a number must fit 64 bits with a sign"))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
                if text.len() > ID_BYTES_MAX {
                    return Err(E::invalid_length(text.len(), &self));
                }
                Ok(Id::Text(text.into()))
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// Parameters of `$/cancelRequest`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Cancel {
    /// The request that is not wanted any more. It is answered all the same: with [`code::CANCELLED`], or with a result
    /// that was ready before.
    pub id: Id,
}

/// An error as it crosses the wire.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema, thiserror::Error)]
#[error("{message} (error {code})")]
pub struct RpcError {
    /// One of [`code`], or the product's own.
    pub code: i64,
    /// A sentence for people.
    pub message: String,
    /// Details for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<serde_json::Value>")]
    pub data: Option<Box<RawValue>>,
}

impl RpcError {
    /// An error without data.
    pub fn new(code: i64, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), data: None }
    }

    /// The same error with data. Data that cannot be written as JSON is left out.
    #[must_use]
    pub fn with_data(mut self, data: &impl Serialize) -> Self {
        self.data = serde_json::value::to_raw_value(data).ok();
        self
    }

    /// "There is no such method here."
    pub fn method_not_found(method: &str) -> Self {
        let shown: String = method.chars().take(64).collect();
        Self::new(code::METHOD_NOT_FOUND, format!("there is no method {shown:?} here"))
    }

    /// "The one who asked cancelled the request."
    pub fn cancelled() -> Self {
        Self::new(code::CANCELLED, "the request was cancelled")
    }

    /// Refused: one text for every cause, so that it tells an attacker nothing.
    pub fn refused() -> Self {
        Self::new(code::REFUSED, "refused; the service's log says why")
    }

    /// [`RpcError::data`] as a type.
    pub fn parse_data<T: DeserializeOwned>(&self) -> Option<T> {
        self.data.as_deref().and_then(|data| serde_json::from_str(data.get()).ok())
    }
}

/// Parameters as they came, not yet read.
#[derive(Clone, Debug, Default)]
pub struct Params(Option<Box<RawValue>>);

impl Params {
    /// Parameters from JSON text.
    pub fn new(raw: Option<Box<RawValue>>) -> Self {
        Self(raw)
    }

    /// The JSON text; `None` if there are none.
    pub fn raw(&self) -> Option<&RawValue> {
        self.0.as_deref()
    }

    /// The JSON text itself.
    pub fn into_raw(self) -> Option<Box<RawValue>> {
        self.0
    }

    /// The parameters as a type. No parameters, and an empty list of them, read like an empty object; a list of one reads
    /// like that one.
    ///
    /// # Errors
    /// "Invalid params", ready to be sent as the answer.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, RpcError> {
        let text = self.0.as_deref().map_or("{}", RawValue::get).trim_ascii();
        let invalid = |error: serde_json::Error| {
            // serde quotes what it found, which may be as long as a frame.
            let found: String = error.to_string().chars().take(200).collect();
            RpcError::new(code::INVALID_PARAMS, format!("wrong parameters: {found}"))
        };
        if text == "null" {
            return serde_json::from_str("{}").map_err(invalid);
        }
        if text.starts_with('[') {
            let list: Vec<&RawValue> = serde_json::from_str(text).map_err(invalid)?;
            return match list[..] {
                [] => serde_json::from_str("{}").map_err(invalid),
                [one] => serde_json::from_str(one.get()).map_err(invalid),
                [..] => serde_json::from_str(text).map_err(invalid),
            };
        }
        serde_json::from_str(text).map_err(invalid)
    }

    /// Bytes of JSON text.
    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |raw| raw.get().len())
    }
}

/// One message, read but not yet understood.
#[derive(Debug)]
pub enum Incoming<'a> {
    /// Wants an answer.
    Request {
        /// What to answer to.
        id: Id,
        /// What is asked.
        method: Cow<'a, str>,
        /// With which parameters.
        params: Option<&'a RawValue>,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: Cow<'a, str>,
        /// With which parameters.
        params: Option<&'a RawValue>,
    },
    /// The answer to a request of ours.
    Response {
        /// Which request; `None` where the other side could not read the id.
        id: Option<Id>,
        /// The answer.
        result: Result<&'a RawValue, RpcError>,
    },
}

/// Why bytes are no message. Each is answered with an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not UTF-8, not JSON, or nested too deeply. The connection must be closed: the other side is no JSON-RPC program.
    #[error("a frame that is no JSON: {0}")]
    Json(String),
    /// JSON, but no message of JSON-RPC 2.0, or a batch of them.
    #[error("JSON that is no JSON-RPC 2.0 message: {0}")]
    Message(String),
}

impl ParseError {
    /// The answer to send, with a null id.
    pub fn to_rpc(&self) -> RpcError {
        let code = match self {
            Self::Json(_) => code::PARSE,
            Self::Message(_) => code::INVALID_REQUEST,
        };
        RpcError::new(code, self.to_string())
    }
}

/// Reads one message. `depth_max` bounds the nesting of arrays and objects, checked before anything is built.
///
/// # Errors
/// [`ParseError`], whose text quotes none of the input.
pub fn parse(body: &[u8], depth_max: u16) -> Result<Incoming<'_>, ParseError> {
    let json = |error: &dyn fmt::Display| ParseError::Json(error.to_string());
    let text = std::str::from_utf8(body).map_err(|error| json(&error))?;
    if is_deeper_than(body, depth_max) {
        return Err(ParseError::Json(format!("nested more than {depth_max} deep")));
    }
    match text.trim_start_matches([' ', '\t', '\r', '\n']).as_bytes().first() {
        Some(b'{') => {}
        Some(b'[') => {
            return Err(ParseError::Message("batches are not taken, send one message at a time".into()));
        }
        _ => {
            return serde_json::from_str::<de::IgnoredAny>(text).map_or_else(
                |error| Err(json(&error)),
                |_| Err(ParseError::Message("it is not an object".into())),
            );
        }
    }
    let envelope: Envelope<'_> = serde_json::from_str(text).map_err(|error| {
        // A wrong type stops the reader where it stands, so the rest of the text may still be no JSON at all.
        match serde_json::from_str::<de::IgnoredAny>(text) {
            Ok(_) => ParseError::Message(category(&error)),
            Err(error) => json(&error),
        }
    })?;
    envelope.classify()
}

/// serde's own words with the position, but without what it found: that may be anything, even a secret.
fn category(error: &serde_json::Error) -> String {
    format!(
        "a field is missing, repeated or of the wrong type, at line {} column {}",
        error.line(),
        error.column()
    )
}

/// Whether arrays and objects are nested more than `depth_max` deep. Counts brackets outside strings, so it needs no stack
/// and reads any bytes.
fn is_deeper_than(body: &[u8], depth_max: u16) -> bool {
    // Nothing is nested deeper than it has opening brackets. Counting them is many times faster than following strings,
    // and settles it for nearly every message.
    let openings = body.iter().filter(|byte| matches!(byte, b'[' | b'{')).count();
    if openings <= usize::from(depth_max) {
        return false;
    }
    let mut depth: u32 = 0;
    let mut in_string = false;
    let mut escaped = false;
    for byte in body {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (true, _) => {}
            (false, b'[' | b'{') => {
                depth += 1;
                if depth > u32::from(depth_max) {
                    return true;
                }
            }
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            (false, _) => {}
        }
    }
    false
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    jsonrpc: Cow<'a, str>,
    #[serde(default, deserialize_with = "present")]
    id: Option<Option<Id>>,
    #[serde(borrow, default)]
    method: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    params: Option<&'a RawValue>,
    #[serde(borrow, default, deserialize_with = "present")]
    result: Option<&'a RawValue>,
    #[serde(default)]
    error: Option<RpcError>,
}

/// Tells an explicit null (`Some`) from an absent field (`None`).
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'a> Envelope<'a> {
    fn classify(self) -> Result<Incoming<'a>, ParseError> {
        let wrong = |text: &str| Err(ParseError::Message(text.into()));
        if self.jsonrpc != "2.0" {
            return wrong("\"jsonrpc\" must be \"2.0\"");
        }
        let structured = |raw: &RawValue| matches!(raw.get().as_bytes().first(), Some(b'{' | b'[' | b'n'));
        if !self.params.is_none_or(structured) {
            return wrong("\"params\" must be an object or an array");
        }
        match (self.method, self.id, self.result, self.error) {
            (Some(method), Some(Some(id)), None, None) => {
                Ok(Incoming::Request { id, method, params: self.params })
            }
            (Some(_), Some(None), None, None) => wrong("the id of a request must not be null"),
            (Some(method), None, None, None) => Ok(Incoming::Notification { method, params: self.params }),
            (None, Some(Some(id)), Some(result), None) => {
                Ok(Incoming::Response { id: Some(id), result: Ok(result) })
            }
            (None, Some(id), None, Some(error)) => Ok(Incoming::Response { id, result: Err(error) }),
            _ => wrong("it is neither a request, nor a notification, nor a response"),
        }
    }
}
