//! Bodies, read as Go's `encoding/json` reads them into a struct, because clients have come to rely
//! on that (ProofService specification, section 1).
//!
//! The first JSON value of the body is read and what follows it ignored, whatever the content type.
//! Names of members match without regard to case, of duplicates the last counts, `null` and absent
//! are empty, members nobody knows are skipped. Bytes that are no UTF-8 and halves of surrogate pairs
//! become U+FFFD, one for each byte and each half. A member of the wrong type is a fault.

use std::collections::BTreeMap;
use std::fmt;

use httpkit::limits::{JSON_DEPTH_MAX, json_depth_ok};
use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

/// The members that a request may have.
#[derive(Debug)]
pub(crate) struct Shape {
    /// Those that are texts.
    pub(crate) texts: &'static [&'static str],
    /// Those that are objects.
    pub(crate) objects: &'static [(&'static str, &'static Shape)],
}

/// The members that a request has.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Members {
    texts: BTreeMap<&'static str, String>,
    objects: BTreeMap<&'static str, Members>,
}

/// Why a body cannot be read, in words for whoever sent it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BodyFault(pub(crate) String);

impl Members {
    /// Reads a body.
    ///
    /// # Errors
    /// When its first value is no JSON, neither an object nor null, nested more than
    /// [`JSON_DEPTH_MAX`] levels deep, or has a member of the wrong type.
    pub(crate) fn read(body: &[u8], shape: &'static Shape) -> Result<Self, BodyFault> {
        if !json_depth_ok(body, JSON_DEPTH_MAX) {
            let said = format!("nested more than {JSON_DEPTH_MAX} levels deep");
            return Err(BodyFault(said));
        }
        let text = replaced(body);
        let mut reader = serde_json::Deserializer::from_slice(&text);
        let mut members = Self::default();
        ObjectSeed {
            shape,
            into: &mut members,
        }
        .deserialize(&mut reader)
        .map_err(|error| fault(&text, &error))?;
        if has_bare_control(&text) {
            return Err(BodyFault("invalid character in string literal".into()));
        }
        Ok(members)
    }

    /// A member that is a text; empty when absent.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.texts.get(name).map_or("", String::as_str)
    }

    /// The text of a member of an object inside; empty when either is absent.
    pub(crate) fn text_in(&self, object: &str, name: &str) -> &str {
        self.objects.get(object).map_or("", |it| it.text(name))
    }
}

/// Each byte that is not UTF-8 becomes U+FFFD.
fn replaced(body: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        text.extend_from_slice(chunk.valid().as_bytes());
        for _ in chunk.invalid() {
            text.extend_from_slice("\u{fffd}".as_bytes());
        }
    }
    text
}

fn fault(text: &[u8], error: &serde_json::Error) -> BodyFault {
    let is_blank = text.iter().all(u8::is_ascii_whitespace);
    BodyFault(match (error.is_eof(), is_blank) {
        (true, true) => "EOF".into(),
        (true, false) => "unexpected EOF".into(),
        (false, _) => error.to_string(),
    })
}

/// Whether a string of the first value holds a control character that is not escaped, which the
/// reader of raw strings lets pass. Strings behind that value are nobody's business.
fn has_bare_control(text: &[u8]) -> bool {
    IgnoredAny::deserialize(&mut serde_json::Deserializer::from_slice(text)).is_err()
}

/// Whether a member's name is meant. Go folds the two letters outside ASCII that have a lower-case
/// form in it.
fn is_name(given: &str, name: &str) -> bool {
    let folded = given.chars().map(|character| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    });
    folded.eq(name.chars())
}

struct ObjectSeed<'m> {
    shape: &'static Shape,
    into: &'m mut Members,
}

impl<'de> DeserializeSeed<'de> for ObjectSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ObjectSeed<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(given) = map.next_key_seed(TextSeed)? {
            let given = given.unwrap_or_default();
            if let Some(name) = self.shape.texts.iter().find(|name| is_name(&given, name)) {
                let text = map.next_value_seed(TextSeed);
                let text = text.map_err(|error| of_member(name, &error))?;
                // As in Go, null changes nothing.
                if let Some(text) = text {
                    self.into.texts.insert(name, text);
                }
                continue;
            }
            let mut objects = self.shape.objects.iter();
            let Some((name, shape)) = objects.find(|(name, _)| is_name(&given, name)) else {
                map.next_value::<IgnoredAny>()?;
                continue;
            };
            let into = self.into.objects.entry(name).or_default();
            map.next_value_seed(ObjectSeed { shape, into })
                .map_err(|error| of_member(name, &error))?;
        }
        Ok(())
    }
}

fn of_member<E: Error>(name: &str, error: &E) -> E {
    E::custom(format_args!("{name}: {error}"))
}

/// A string, or null.
struct TextSeed;

impl<'de> DeserializeSeed<'de> for TextSeed {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for TextSeed {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_bytes(self)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(text.to_owned()))
    }

    /// UTF-8 but for halves of surrogate pairs, which come as three bytes beginning with ED.
    fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if chunk.invalid().first() == Some(&0xed) {
                text.push('\u{fffd}');
            }
        }
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INNER: Shape = Shape {
        texts: &["signature", "wallet_signature"],
        objects: &[],
    };
    static SHAPE: Shape = Shape {
        texts: &["action", "public_key", "uuid"],
        objects: &[("extra", &INNER)],
    };

    fn read(body: impl AsRef<[u8]>) -> Members {
        Members::read(body.as_ref(), &SHAPE).unwrap()
    }

    fn said(body: impl AsRef<[u8]>) -> String {
        Members::read(body.as_ref(), &SHAPE).unwrap_err().0
    }

    #[test]
    fn null_absent_and_unknown_are_empty() {
        for body in [
            "null",
            "{}",
            " { } trailing",
            r#"{"action":null,"extra":null}"#,
            r#"{"other":[{"deep":1e999,"\ud800":"\ud800"}]}"#,
            "nullx",
        ] {
            let members = read(body);
            assert_eq!(members.text("action"), "", "{body}");
            assert_eq!(members.text_in("extra", "signature"), "", "{body}");
        }
    }

    #[test]
    fn names_fold_and_the_last_duplicate_counts() {
        let members = read(
            r#"{"ACTION":"a","Action":"b","action":null,"public_\u212aey":"c","EXTRA":{"\u017fIGNATURE":"s"},
                "extra":{"wallet_signature":"w"}}{"action":"ignored"}"#,
        );
        assert_eq!(members.text("action"), "b");
        assert_eq!(members.text("public_key"), "c");
        assert_eq!(members.text_in("extra", "signature"), "s");
        assert_eq!(members.text_in("extra", "wallet_signature"), "w");
    }

    #[test]
    fn what_is_no_text_is_replaced() {
        for (body, text) in [
            (&br#"{"action":"\ud800"}"#[..], "\u{fffd}"),
            (br#"{"action":"\ud800\ud800x"}"#, "\u{fffd}\u{fffd}x"),
            (br#"{"action":"\ud800\u0041\udc00"}"#, "\u{fffd}A\u{fffd}"),
            (br#"{"action":"\ud83c\udfad"}"#, "\u{1f3ad}"),
            (
                b"{\"action\":\"\xe2\x82|\xff\"}",
                "\u{fffd}\u{fffd}|\u{fffd}",
            ),
            (b"{\"action\":\"\xed\xa0\x80\"}", "\u{fffd}\u{fffd}\u{fffd}"),
            (br#"{"action":"a\u0000b"}"#, "a\0b"),
            (
                "{\"action\":\"\u{7f}\u{2028}\"}".as_bytes(),
                "\u{7f}\u{2028}",
            ),
        ] {
            assert_eq!(read(body).text("action"), text, "{body:?}");
        }
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(said(""), "EOF");
        assert_eq!(said(" \n"), "EOF");
        assert_eq!(said("{"), "unexpected EOF");
        for body in [
            "[]",
            "\"text\"",
            "5",
            "true",
            "{,}",
            "{'action':1}",
            r#"{"action":5}"#,
            r#"{"action":["a"]}"#,
            r#"{"action":{}}"#,
            r#"{"action":false}"#,
            r#"{"extra":"text"}"#,
            r#"{"extra":{"signature":1}}"#,
            "\u{feff}{}",
            "{\"action\":\"a\nb\"}",
            "{\"a\u{1}\":1}",
            r#"{"action":"\x"}"#,
            "\u{fffd}",
        ] {
            assert!(!said(body).is_empty(), "{body}");
        }
        assert!(said(r#"{"created_at":1,"uuid":5}"#).starts_with("uuid: invalid type: integer"));
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(said(deep), "nested more than 64 levels deep");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(members) = Members::read(&body, &SHAPE) {
                prop_assert!(members.texts.len() <= 3);
            }
        }

        #[test]
        fn texts_come_back(text in any::<String>()) {
            let body = serde_json::json!({"uuid": text}).to_string();
            let members = read(body);
            prop_assert_eq!(members.text("uuid"), text.as_str());
        }
    }
}
