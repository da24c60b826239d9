//! Parts that answers of many services have.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

/// Characters of an id that somebody else gave.
const ID_CHARS_MAX: usize = 64;

/// An id: a number or a text, as the service likes; at most 64 characters that can be seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Id(String);

impl Id {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number or a short text")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Id, E> {
        Ok(Id(number.to_string()))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Id, E> {
        let fits = text.len() <= ID_CHARS_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits {
            Ok(Id(text.to_owned()))
        } else {
            Err(E::custom("the id is too long or cannot be seen"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_or_short_texts() {
        let id = |json: &str| serde_json::from_str::<Id>(json).ok().map(|id| id.0);
        assert_eq!(id("583231").as_deref(), Some("583231"));
        assert_eq!(id("-1").as_deref(), Some("-1"));
        assert_eq!(id("\"9z8k\"").as_deref(), Some("9z8k"));
        let long = format!("\"{}\"", "a".repeat(65));
        for bad in [
            "1.5",
            "null",
            "[]",
            "{}",
            "\"a b\"",
            "\"\\u0000\"",
            "1e300",
            &long,
        ] {
            assert_eq!(id(bad), None, "{bad}");
        }
    }
}
