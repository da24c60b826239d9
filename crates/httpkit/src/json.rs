//! JSON in the bytes Python's `json.dumps` would write, because clients in the field look for
//! `"tox_id": "` with exactly one blank.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// Writes a value as Python's `json.dumps` does: `": "` and `", "` between items, everything
/// outside printable ASCII as `\uXXXX` (lower-case digits, surrogate pairs beyond U+FFFF, DEL
/// included), and `</` as `<\/`, which tornado adds for the sake of inline scripts. No trailing
/// newline. Fields keep the order of the struct.
///
/// Floating-point numbers follow `serde_json`, which writes `1e16` where Python writes `1e+16`;
/// no protocol here has any.
///
/// # Panics
/// If the type's `Serialize` fails: a map with keys that are not strings, for one.
#[must_use]
pub fn pythonic(value: &impl Serialize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    value
        .serialize(&mut Serializer::with_formatter(&mut bytes, Pythonic))
        .expect("an answer's type serialises: its maps have string keys");
    bytes
}

struct Pythonic;

impl Pythonic {
    fn separate<W: ?Sized + Write>(writer: &mut W, first: bool) -> io::Result<()> {
        if first {
            Ok(())
        } else {
            writer.write_all(b", ")
        }
    }
}

impl Formatter for Pythonic {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        Self::separate(out, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        Self::separate(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    /// A fragment is a run of characters that JSON itself need not escape, so `<` and `/` that
    /// follow each other are always in the same one.
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut before = '\0';
        let mut plain_from = 0;
        for (at, character) in fragment.char_indices() {
            let plain = matches!(character, ' '..='~') && !(before == '<' && character == '/');
            if !plain {
                out.write_all(fragment.as_bytes().get(plain_from..at).unwrap_or_default())?;
                escape(out, character)?;
                plain_from = at + character.len_utf8();
            }
            before = character;
        }
        out.write_all(fragment.as_bytes().get(plain_from..).unwrap_or_default())
    }
}

fn escape<W: ?Sized + Write>(out: &mut W, character: char) -> io::Result<()> {
    if character == '/' {
        return out.write_all(b"\\/");
    }
    let mut units = [0; 2];
    for unit in character.encode_utf16(&mut units) {
        write!(out, "\\u{unit:04x}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn text(value: &impl Serialize) -> String {
        String::from_utf8(pythonic(value)).unwrap()
    }

    /// Printed by `json.dumps(s).replace("</", "<\\/")` of Python 3.11.
    #[test]
    fn strings_are_those_of_python() {
        for (given, expected) in [
            ("", r#""""#),
            ("alice", r#""alice""#),
            ("\u{7f}", r#""\u007f""#),
            ("\0\u{1f}\u{8}\u{c}\n\r\t", r#""\u0000\u001f\b\f\n\r\t""#),
            ("</script>", r#""<\/script>""#),
            ("<\\/", r#""<\\/""#),
            ("a/b <a> /", r#""a/b <a> /""#),
            ("<</ </", r#""<<\/ <\/""#),
            ("</é", r#""<\/\u00e9""#),
            ("<é/", r#""<\u00e9/""#),
            ("é", r#""\u00e9""#),
            ("aéb", r#""a\u00e9b""#),
            ("\u{80}", r#""\u0080""#),
            ("\u{2028}", r#""\u2028""#),
            ("😀", r#""\ud83d\ude00""#),
            ("\u{10ffff}", r#""\udbff\udfff""#),
            ("\u{d7ff}\u{e000}", r#""\ud7ff\ue000""#),
            ("\"\\/", r#""\"\\/""#),
            ("~ ", r#""~ ""#),
        ] {
            assert_eq!(text(&given), expected, "{given:?}");
        }
    }

    #[test]
    fn structures_are_those_of_python() {
        #[derive(Serialize)]
        struct Reply {
            c: i32,
            password: Option<&'static str>,
            empty: [u8; 0],
            none: serde_json::Map<String, Value>,
            list: (u8, Vec<Option<bool>>, i8, u64),
        }
        let reply = Reply {
            c: 0,
            password: None,
            empty: [],
            none: serde_json::Map::new(),
            list: (1, vec![Some(true), Some(false), None], -5, u64::MAX),
        };
        assert_eq!(
            text(&reply),
            r#"{"c": 0, "password": null, "empty": [], "none": {}, "list": [1, [true, false, null], -5, 18446744073709551615]}"#
        );
        assert_eq!(text(&json!({"c": -3})), r#"{"c": -3}"#);
        assert_eq!(text(&json!([[], [[]], {}])), "[[], [[]], {}]");
        assert_eq!(
            text(&json!({"é</": "é</"})),
            r#"{"\u00e9<\/": "\u00e9<\/"}"#
        );
    }

    proptest! {
        #[test]
        fn parses_back_to_the_same_and_is_printable_ascii(given: String) {
            let bytes = pythonic(&given);
            prop_assert!(bytes.iter().all(|byte| matches!(byte, b' '..=b'~')));
            prop_assert!(!bytes.windows(2).any(|pair| pair == b"</"));
            prop_assert_eq!(serde_json::from_slice::<String>(&bytes).unwrap(), given);
        }
    }
}
