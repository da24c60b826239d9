//! Payloads inside toxme's crypto_box (toxme spec, sections 2.2 and 2.3; a reset
//! of the password has the payload of a delete).

use serde_json::{Map, Value};

use crate::limits::TIMESTAMP_WINDOW;
use crate::types::{Bio, Name, NameFault, ToxId, ToxKey, UnixMillis, Visibility};

/// What a push asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Push {
    pub(crate) name: Name,
    pub(crate) tox_id: ToxId,
    pub(crate) bio: Bio,
    pub(crate) visibility: Visibility,
    /// Seconds since 1970, within the window.
    pub(crate) timestamp: u64,
}

/// Orders of a key about its own record, by the numbers of their actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Delete it.
    Delete = 2,
    /// Give it a new edit password.
    Reset = 7,
}

/// What a key orders about its own record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyOrder {
    pub(crate) key: ToxKey,
    /// Seconds since 1970, within the window.
    pub(crate) timestamp: u64,
}

/// Why a payload was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Not what a payload must look like; says what.
    Malformed(&'static str),
    /// A character no name may have.
    Character,
    /// No name.
    Name,
}

impl Push {
    /// Reads a push. Of several faults the last in the order of the spec is reported: Tox ID,
    /// timestamp, length of the name, bio, characters of the name, empty name.
    pub(crate) fn parse(plaintext: &[u8], now: UnixMillis) -> Result<Self, Fault> {
        let object = object(plaintext)?;
        let tox_id = text(&object, "tox_id").ok_or(Fault::Malformed("tox_id is no string"))?;
        let name = text(&object, "name").ok_or(Fault::Malformed("name is no string"))?;
        let bio = text(&object, "bio").ok_or(Fault::Malformed("bio is no string"))?;
        let privacy = object
            .get("privacy")
            .and_then(|value| integer(value).or_else(|| value.as_bool().map(i128::from)))
            .ok_or(Fault::Malformed("privacy is no integer"))?;
        let seconds = timestamp(&object).ok_or(Fault::Malformed("timestamp is no integer"))?;

        let mut fault = None;
        let tox_id = ToxId::parse(tox_id);
        if tox_id.is_none() {
            fault = Some(Fault::Malformed(
                "tox_id is not 76 hex digits with a valid checksum",
            ));
        }
        let timestamp = within_window(seconds, now);
        if timestamp.is_none() {
            fault = Some(OUTSIDE_WINDOW);
        }
        let name = Name::parse(name);
        if name == Err(NameFault::TooLong) {
            fault = Some(Fault::Name);
        }
        let bio = Bio::parse(bio);
        if bio.is_none() {
            fault = Some(Fault::Malformed("bio is longer than 1372 characters"));
        }
        match name {
            Err(NameFault::Character) => fault = Some(Fault::Character),
            Err(NameFault::Empty) => fault = Some(Fault::Name),
            Err(NameFault::TooLong) | Ok(_) => {}
        }
        match (fault, name, tox_id, bio, timestamp) {
            (None, Ok(name), Some(tox_id), Some(bio), Some(timestamp)) => Ok(Self {
                name,
                tox_id,
                bio,
                visibility: Visibility::from_privacy(privacy),
                timestamp,
            }),
            (fault, ..) => Err(fault.unwrap_or(Fault::Malformed("the payload is malformed"))),
        }
    }
}

impl KeyOrder {
    /// Reads an order. As deletes and resets look alike, and the action stands outside the seal, a
    /// client may repeat it inside: `action`, which must then be that of the request.
    pub(crate) fn parse(plaintext: &[u8], order: Order, now: UnixMillis) -> Result<Self, Fault> {
        let object = object(plaintext)?;
        let action = object.get("action");
        if action.is_some_and(|action| action.as_u64() != Some(order as u64)) {
            return Err(Fault::Malformed(
                "the request was sealed for another action",
            ));
        }
        let key = text(&object, "public_key")
            .and_then(ToxKey::parse)
            .ok_or(Fault::Malformed("public_key is not 64 hex digits"))?;
        let seconds = timestamp(&object).ok_or(Fault::Malformed("timestamp is no integer"))?;
        let timestamp = within_window(seconds, now).ok_or(OUTSIDE_WINDOW)?;
        Ok(Self { key, timestamp })
    }
}

const OUTSIDE_WINDOW: Fault =
    Fault::Malformed("timestamp is more than 300 s away from the server's clock");

fn object(plaintext: &[u8]) -> Result<Map<String, Value>, Fault> {
    // serde_json stops at 128 levels, so nesting costs no stack.
    match serde_json::from_slice(plaintext) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Fault::Malformed("the sealed payload is no JSON object")),
        Err(_) => Err(Fault::Malformed("the sealed payload is no JSON")),
    }
}

fn text<'a>(object: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    object.get(field).and_then(Value::as_str)
}

/// An integer that fits 64 bits; nothing else, neither `1.0` nor `1e3`.
fn integer(value: &Value) -> Option<i128> {
    value
        .as_i64()
        .map(i128::from)
        .or_else(|| value.as_u64().map(i128::from))
}

fn timestamp(object: &Map<String, Value>) -> Option<i128> {
    object.get("timestamp").and_then(integer)
}

/// The timestamp, when it is at most 300 s away from `now`.
fn within_window(seconds: i128, now: UnixMillis) -> Option<u64> {
    let window = i128::from(TIMESTAMP_WINDOW.as_secs());
    let distance = seconds.checked_sub(i128::from(now.seconds()))?;
    (-window..=window)
        .contains(&distance)
        .then(|| u64::try_from(seconds).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = UnixMillis(1_400_000_000_999);
    const ID: &str = "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";

    fn push(field: &str, value: Value) -> Result<Push, Fault> {
        let mut object = serde_json::json!({
            "tox_id": ID, "name": "alice", "privacy": 1, "bio": "hi", "timestamp": 1_400_000_000_u64,
        });
        object[field] = value;
        Push::parse(object.to_string().as_bytes(), NOW)
    }

    #[test]
    fn a_push_is_read() {
        let read = push("bio", " two\r\nlines ".into()).unwrap();
        assert_eq!(read.name.as_str(), "alice");
        assert_eq!(read.tox_id.to_string(), ID);
        assert_eq!(read.bio.as_str(), "two lines");
        assert_eq!(read.visibility, Visibility::Searchable);
        assert_eq!(
            push("privacy", true.into()).unwrap().visibility,
            Visibility::Searchable
        );
        assert_eq!(push("extra", Value::Null).unwrap().timestamp, 1_400_000_000);
    }

    #[test]
    fn wrong_types_are_malformed() {
        for field in ["tox_id", "name", "privacy", "bio", "timestamp"] {
            for value in [
                Value::Null,
                serde_json::json!([1]),
                serde_json::json!({}),
                1.5.into(),
            ] {
                assert!(
                    matches!(push(field, value), Err(Fault::Malformed(_))),
                    "{field}"
                );
            }
        }
        assert!(matches!(
            push("timestamp", 1.4e9.into()),
            Err(Fault::Malformed(_))
        ));
        for body in [
            "",
            "{}",
            "[]",
            "null",
            "1",
            "\"x\"",
            "{\"a\":",
            "\u{feff}{}",
        ] {
            assert!(matches!(
                Push::parse(body.as_bytes(), NOW),
                Err(Fault::Malformed(_))
            ));
        }
        let deep = "[".repeat(60_000);
        assert!(matches!(
            Push::parse(deep.as_bytes(), NOW),
            Err(Fault::Malformed(_))
        ));
    }

    #[test]
    fn the_window_is_300_s_both_ways() {
        for (seconds, fits) in [
            (1_399_999_700_i64, true),
            (1_400_000_300, true),
            (1_399_999_699, false),
            (1_400_000_301, false),
            (0, false),
            (-1, false),
            (i64::MIN, false),
        ] {
            assert_eq!(push("timestamp", seconds.into()).is_ok(), fits, "{seconds}");
        }
        assert!(push("timestamp", u64::MAX.into()).is_err());
    }

    #[test]
    fn the_last_fault_of_the_specs_order_is_reported() {
        assert_eq!(push("name", "a b".into()), Err(Fault::Character));
        assert_eq!(push("name", "".into()), Err(Fault::Name));
        assert_eq!(push("name", "x".repeat(64).into()), Err(Fault::Name));
        let all = serde_json::json!({
            "tox_id": "00", "name": "a b", "privacy": 1, "bio": "x".repeat(1373), "timestamp": 0,
        });
        assert_eq!(
            Push::parse(all.to_string().as_bytes(), NOW),
            Err(Fault::Character)
        );
    }

    #[test]
    fn an_order_is_read() {
        let body = |key: &str, time: &str| {
            KeyOrder::parse(
                format!(r#"{{"public_key": "{key}", "timestamp": {time}}}"#).as_bytes(),
                Order::Delete,
                NOW,
            )
        };
        assert!(body(&ID[..64], "1400000000").is_ok());
        assert!(body(&ID[..64].to_lowercase(), "1400000000").is_ok());
        for (key, time) in [
            (&ID[..63], "1400000000"),
            (ID, "1400000000"),
            (&ID[..64], "0"),
            (&ID[..64], "\"1400000000\""),
            (&ID[..64], "null"),
        ] {
            assert!(body(key, time).is_err(), "{key} {time}");
        }
    }
}
