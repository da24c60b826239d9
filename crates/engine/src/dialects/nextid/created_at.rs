//! Times as clients write them.

use crate::limits::NUMBER_CHARS_MAX;

/// Reads seconds since 1970 as Go's `ParseInt` does: decimal digits, one sign before them or none, 64
/// bits. So `+5` and `007` pass; payloads have the number written anew, as `i64` prints it. `None` for
/// anything else, and for text that is longer than 64 characters.
#[must_use]
pub fn parse_created_at(text: &str) -> Option<i64> {
    let is_short = text.len() <= NUMBER_CHARS_MAX;
    is_short.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        for (text, number) in [
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("-9223372036854775809", None),
            ("-0", Some(0)),
            ("+", None),
            ("-", None),
            ("++5", None),
            ("5 ", None),
            ("5_000", None),
            ("٥", None),
            (&"0".repeat(64), Some(0)),
            (&"0".repeat(65), None),
            (&"9".repeat(1_000_000), None),
        ] {
            assert_eq!(parse_created_at(text), number, "{:?}", text.get(..30));
        }
    }
}
