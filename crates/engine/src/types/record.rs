//! What a name points to.

use std::fmt;

use super::{Name, ToxId, UnixMillis};
use crate::limits::BIO_CHARS_MAX;

/// Who may find a name without knowing it (toxme spec, section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Visibility {
    /// Found by look-up of the exact name only.
    Private = 0,
    /// Also found by search and by reverse look-up.
    Searchable = 1,
    /// Also on the public list.
    Listed = 2,
}

impl Visibility {
    /// Reads toxme's `privacy` number: negative counts as 0, anything above 2 as 2.
    #[must_use]
    pub fn from_privacy(privacy: i128) -> Self {
        match privacy {
            ..=0 => Self::Private,
            1 => Self::Searchable,
            2.. => Self::Listed,
        }
    }

    /// The stored number, 0 to 2.
    #[must_use]
    pub fn number(self) -> u32 {
        self as u32
    }
}

/// A few words about the owner: one line, at most 1372 code points.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bio(Box<str>);

impl Bio {
    /// Trims, folds every run of CR and LF into one blank, and checks the length (toxme spec,
    /// section 2.2); `None` when it is too long.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut folded = String::with_capacity(text.len());
        for part in text
            .trim()
            .split(['\r', '\n'])
            .filter(|part| !part.is_empty())
        {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(part);
        }
        (folded.chars().count() <= BIO_CHARS_MAX).then(|| Self(folded.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Bio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bio(..)")
    }
}

/// The Tox record of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToxRecord {
    /// The name it belongs to.
    pub name: Name,
    /// Where it points.
    pub tox_id: ToxId,
    /// A few words.
    pub bio: Bio,
    /// Who may find it.
    pub visibility: Visibility,
    /// When it was last changed.
    pub changed_at: UnixMillis,
    /// Whether the key of the Tox ID has sealed or confirmed the record; if not, somebody else gave
    /// it.
    pub is_proven: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bio_is_one_trimmed_line() {
        for (given, expect) in [
            ("  hi  ", "hi"),
            ("a\r\n\r\nb\nc", "a b c"),
            ("a \n b", "a   b"),
            ("\n\n", ""),
            ("tab\tstays", "tab\tstays"),
        ] {
            assert_eq!(Bio::parse(given).unwrap().as_str(), expect, "{given:?}");
        }
        assert!(Bio::parse(&"é".repeat(1372)).is_some());
        assert!(Bio::parse(&"é".repeat(1373)).is_none());
        assert!(Bio::parse(&format!("{}   ", "é".repeat(1372))).is_some());
    }

    #[test]
    fn privacy_numbers_are_clamped() {
        for (given, expect) in [(i128::MIN, 0), (-1, 0), (0, 0), (1, 1), (2, 2), (9_999, 2)] {
            assert_eq!(Visibility::from_privacy(given).number(), expect);
        }
    }
}
