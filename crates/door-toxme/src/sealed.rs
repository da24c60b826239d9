//! The envelope of actions 1, 2 and 7 (the API document, "Authenticated" APIs; toxme wire
//! specification, section 2.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::names::{NameError, Sealed};
use engine::types::ToxKey;
use serde_json::{Map, Value};

use crate::error::Refusal;

/// An envelope, or what is wrong with it.
pub(crate) struct Envelope(Result<Sealed, &'static str>);

impl Envelope {
    /// Reads `public_key`, `nonce` and `encrypted`.
    pub(crate) fn read(fields: &Map<String, Value>) -> Self {
        Self(read(fields))
    }

    /// What the engine is given: an unreadable envelope too, because it counts as an attempt.
    pub(crate) fn sealed(&self) -> Option<Sealed> {
        self.0.as_ref().ok().cloned()
    }

    /// The engine's refusal; if it says that there is no envelope, what is wrong with it.
    pub(crate) fn refusal(&self, error: NameError) -> Refusal {
        match (&self.0, &error) {
            (Err(what), NameError::Malformed(_)) => Refusal::Payload(what),
            (Ok(_) | Err(_), _) => Refusal::Name(error),
        }
    }
}

fn read(fields: &Map<String, Value>) -> Result<Sealed, &'static str> {
    let text = |field: &str| fields.get(field).and_then(Value::as_str);
    let ToxKey(sender) = text("public_key")
        .and_then(ToxKey::parse)
        .ok_or("public_key must be a string of 64 hexadecimal digits")?;
    let nonce = text("nonce")
        .and_then(decode)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or("nonce must be a base64 string of 24 bytes")?;
    let ciphertext = text("encrypted")
        .and_then(decode)
        .ok_or("encrypted must be a base64 string")?;
    Ok(Sealed {
        sender,
        nonce,
        ciphertext: ciphertext.into(),
    })
}

/// Base64 with the standard alphabet and padding. White space between is skipped, as the original
/// does; anything else it skips is refused.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let solid: Vec<u8> = text
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    STANDARD.decode(solid).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn base64_is_standard_padded_and_may_be_wrapped() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("+/8=", Some(&[0xfb, 0xff])),
            (" +/\r\n8\t= ", Some(&[0xfb, 0xff])),
            ("-_8=", None),
            ("+/8", None),
            ("+/8==", None),
            ("+/9=", None),
            ("+/8=AAAA", None),
            ("+.8=", None),
            ("+\u{a0}/8=", None),
            ("+\u{b}/8=", None),
        ] {
            assert_eq!(decode(text).as_deref(), bytes, "{text:?}");
        }
    }

    #[test]
    fn each_field_is_named_when_it_is_wrong() {
        let good = json!({
            "public_key": "aB".repeat(32),
            "nonce": "ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7",
            "encrypted": "AAAA",
        });
        let read_with = |field: &str, value: Value| {
            let mut fields = good.as_object().unwrap().clone();
            fields.insert(field.to_owned(), value);
            read(&fields)
        };
        let sealed = read_with("extra", Value::Null).ok().unwrap();
        assert_eq!(sealed.sender, [0xab; 32]);
        assert_eq!(&sealed.nonce, b"defghijklmnopqrstuvwxyz{");
        assert_eq!(sealed.ciphertext, [0, 0, 0][..]);

        for (field, bad) in [
            ("public_key", json!("ab".repeat(31))),
            ("public_key", json!("ab".repeat(38))),
            ("public_key", json!("xy".repeat(32))),
            ("public_key", json!("é".repeat(32))),
            ("public_key", json!(7)),
            ("nonce", json!("AAAA")),
            ("nonce", json!("ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp")),
            ("nonce", json!(["ZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXp7"])),
            ("encrypted", json!("AAA")),
            ("encrypted", Value::Null),
        ] {
            let what = read_with(field, bad.clone()).err().unwrap();
            assert!(what.starts_with(field), "{field} {bad}: {what}");
        }
    }
}
