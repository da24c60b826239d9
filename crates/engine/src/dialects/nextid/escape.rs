//! JSON text as Go's encoder writes it.

use std::fmt::Write as _;

/// Appends a JSON string with its quotes, escaped as Go's `encoding/json` does by default: `"` and `\`
/// with a backslash, newline, carriage return and tab by their letters, other controls below U+0020 and
/// `<`, `>`, `&`, U+2028 and U+2029 as `\u` and four lower-case digits. All else stays as it is. At most
/// six times as long as the text.
pub fn push_json_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\0'..='\x1f' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                // Writing to a string cannot fail.
                let _written = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn escaped(text: &str) -> String {
        let mut out = String::new();
        push_json_text(&mut out, text);
        out
    }

    /// What Go 1.19 prints for the same text.
    #[test]
    fn as_go_does() {
        assert_eq!(
            escaped("\0\u{8}\t\n\u{b}\u{c}\r\u{1f} \"\\/<>&'\u{7f}\u{2028}\u{2029}\u{fffd}é🎭"),
            "\"\\u0000\\u0008\\t\\n\\u000b\\u000c\\r\\u001f \\\"\\\\/\\u003c\\u003e\\u0026'\
             \u{7f}\\u2028\\u2029\u{fffd}é🎭\""
        );
        assert_eq!(escaped(""), "\"\"");
    }

    proptest! {
        #[test]
        fn any_parser_reads_the_same_text(text: String) {
            let written = escaped(&text);
            prop_assert_eq!(serde_json::from_str::<String>(&written).unwrap(), text);
        }
    }
}
