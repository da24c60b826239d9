//! What strangers send to the toxme API.

use engine::types::{Name, Phone, ToxId, ToxKey, UnixMillis, fold};
use httpkit::json::pythonic;
use httpkit::limits::{JSON_DEPTH_MAX, json_depth_ok};
use serde_json::Value;

/// The moment that the timestamps of the kept inputs are near to, in milliseconds.
const NOW: UnixMillis = UnixMillis(1_400_000_000_000);

/// The JSON around everything.
pub(crate) fn outer(data: &[u8]) {
    if door_toxme::parsers::request(data).is_some() {
        let value = serde_json::from_slice::<Value>(data).expect("what was read is JSON");
        same_in_python(&without_fractions(value));
    }
}

/// Numbers with a fraction may be read back one bit off, and no answer has one.
fn without_fractions(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => Value::Null,
        Value::Array(items) => items.into_iter().map(without_fractions).collect(),
        Value::Object(fields) => {
            let whole = |(name, value)| (name, without_fractions(value));
            fields.into_iter().map(whole).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value,
    }
}

/// An answer may hold any of these strings: it is ASCII, ends no script, and reads back the same.
fn same_in_python(value: &Value) {
    let written = pythonic(value);
    assert!(written.iter().all(|byte| (b' '..=b'~').contains(byte)));
    assert!(!written.windows(2).any(|pair| pair == b"</"));
    let again: Value = serde_json::from_slice(&written).expect("what was written is JSON");
    assert_eq!(&again, value);
}

/// The plaintext inside a sealed request.
pub(crate) fn payload(data: &[u8]) {
    // Nothing more is promised of what is refused.
    let _is_accepted = engine::parsers::sealed_payload(data, NOW);
}

/// A base64 field.
pub(crate) fn base64(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let bytes = door_toxme::parsers::base64_field(text);
        assert!(bytes.is_none_or(|bytes| bytes.len() <= text.len()));
    }
}

/// The pass before the JSON parser: what it lets through is as deep as the parser says.
pub(crate) fn json_depth(data: &[u8]) {
    let is_shallow = json_depth_ok(data, JSON_DEPTH_MAX);
    if let Ok(value) = serde_json::from_slice::<Value>(data) {
        assert_eq!(is_shallow, depth(&value) <= JSON_DEPTH_MAX);
    }
}

/// Levels of a value, by hand: the parser stops at 128, so the list is short.
fn depth(value: &Value) -> usize {
    let (mut deepest, mut open) = (0, vec![(value, 1)]);
    while let Some((value, level)) = open.pop() {
        let below: Vec<&Value> = match value {
            Value::Array(items) => items.iter().collect(),
            Value::Object(fields) => fields.values().collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => continue,
        };
        deepest = deepest.max(level);
        open.extend(below.into_iter().map(|value| (value, level + 1)));
    }
    deepest
}

/// Names, the fragments of searches, and the labels clients make of them.
pub(crate) fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let folded = fold(text);
    assert_eq!(fold(&folded), folded, "folding is done once");
    assert_eq!(client::name::fold(text), folded, "both sides fold alike");
    if let Ok(name) = Name::parse(text) {
        assert_eq!(name.as_str(), folded);
        assert_eq!(Name::parse(name.as_str()).as_ref(), Ok(&name));
        assert!((1..=63).contains(&name.as_str().chars().count()));
        assert!(!name.as_str().contains(char::is_whitespace));
        let shown = format!("{name:?}");
        assert!(!shown.contains(name.as_str()) || "Name(..)".contains(name.as_str()));
    }
    if let Some(phone) = Phone::parse(text) {
        assert_eq!(phone.as_str(), text);
    }
}

/// Tox IDs and keys, as the server and the client read them.
pub(crate) fn tox_id(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let (server, client) = (ToxId::parse(text), client::tox_id::ToxId::parse(text));
    assert_eq!(
        server.map(|id| *id.as_bytes()),
        client.map(|id| *id.as_bytes())
    );
    if let Some(id) = server {
        assert_eq!(id.to_string(), text.to_ascii_uppercase());
        assert_eq!(ToxId::from_bytes(*id.as_bytes()), Some(id));
    }
    if ToxKey::parse(text).is_some() {
        assert_eq!(text.len(), 64);
    }
}
