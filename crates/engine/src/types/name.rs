//! Names: one namespace for every door (toxme spec, section 2.2).

use std::fmt;

use unicode_normalization::UnicodeNormalization;

use crate::limits::NAME_CHARS_MAX;

/// A name as it is stored and compared: NFC, lower case, 1 to 63 code points, no character that a
/// door could take for a separator or that a reader could not see.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Box<str>);

/// Why a text is no name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Nothing is left of it.
    #[error("the name is empty")]
    Empty,
    /// More than 63 code points.
    #[error("the name has more than {NAME_CHARS_MAX} characters")]
    TooLong,
    /// A separator, white space, or a control, format or unassigned-looking character.
    #[error("the name has a character that is not allowed")]
    Character,
}

impl Name {
    /// Normalises (NFC, lower case) and checks a text.
    ///
    /// # Errors
    /// The fault that the toxme door reports when several apply: a character first, then length.
    pub fn parse(text: &str) -> Result<Self, NameFault> {
        let folded = fold(text);
        if folded.chars().any(is_refused) {
            return Err(NameFault::Character);
        }
        match folded.chars().count() {
            0 => Err(NameFault::Empty),
            1..=NAME_CHARS_MAX => Ok(Self(folded.into())),
            _ => Err(NameFault::TooLong),
        }
    }

    /// The normalised text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lower case and NFC, as names are compared; also how a search fragment is read.
#[must_use]
pub fn fold(text: &str) -> String {
    // ASCII is in NFC already: the common case costs one pass.
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Lower-casing may denormalise (U+0130), and NFC may compose what lower-casing left apart.
    text.nfc()
        .collect::<String>()
        .to_lowercase()
        .nfc()
        .collect()
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names are personal: they reach no log by way of `Debug`.
impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Name(..)")
    }
}

fn is_refused(c: char) -> bool {
    matches!(c, '@' | '/' | ':' | ';' | '(' | ')' | '"' | '\'')
        || c.is_whitespace()
        || c.is_control()
        || (!c.is_ascii() && is_invisible(c))
}

/// Format, bidi and separator characters, less the joiners and selectors that emoji need.
///
/// Ranges are the general category Cf of Unicode 16, the interlinear and tag characters (which can
/// hide a whole text behind another name, so flags of regions are given up) and the Hangul fillers;
/// U+200D (ZWJ) and U+FE00..FE0F (variation selectors) stay allowed.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}'
        | '\u{890}'..='\u{891}' | '\u{8e2}' | '\u{180e}'
        | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff0}'..='\u{fffb}'
        | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}'
        | '\u{115f}'..='\u{1160}' | '\u{3164}' | '\u{ffa0}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_composition_make_no_other_name() {
        let composed = Name::parse("Zo\u{eb}").unwrap();
        assert_eq!(composed.as_str(), "zo\u{eb}");
        assert_eq!(Name::parse("ZOE\u{308}").unwrap(), composed);
        assert_eq!(
            Name::parse("\u{130}").unwrap(),
            Name::parse("i\u{307}").unwrap()
        );
    }

    #[test]
    fn what_the_spec_keeps_allowed_passes() {
        for good in [
            ".-_+%&\\<>#?=,*$[]{}|~!^`",
            "👩\u{200d}🚀",
            "❤\u{fe0f}",
            "a\u{301}\u{302}",
            "groupbot",
            "名前",
            &"x".repeat(63),
        ] {
            assert!(Name::parse(good).is_ok(), "{good:?}");
        }
    }

    #[test]
    fn each_refused_character_is_told_apart_from_length() {
        for bad in "@/:;()\"' \t\n\r\u{0}\u{7f}\u{85}\u{a0}\u{200b}\u{202e}\u{2028}\u{feff}\u{3000}"
            .chars()
        {
            assert_eq!(
                Name::parse(&format!("a{bad}b")),
                Err(NameFault::Character),
                "{bad:?}"
            );
        }
        assert_eq!(Name::parse(""), Err(NameFault::Empty));
        assert_eq!(Name::parse(&"x".repeat(64)), Err(NameFault::TooLong));
        assert_eq!(Name::parse(&" ".repeat(64)), Err(NameFault::Character));
    }

    #[test]
    fn no_character_alone_or_beside_others_folds_twice() {
        let marks = "\u{300}\u{307}\u{308}\u{30c}\u{323}\u{327}\u{342}\u{345}\u{3099}";
        let around: Vec<char> = marks
            .chars()
            .chain("aiIΣσJ\u{1100}\u{1161}\u{200d}'.".chars())
            .collect();
        for c in '\u{0}'..=char::MAX {
            let alone = fold(c.encode_utf8(&mut [0; 4]));
            assert_eq!(fold(&alone), alone, "{c:?}");
            // Without a case and a decomposition it is inert.
            if c.to_lowercase().eq([c]) && std::iter::once(c).nfd().eq([c]) {
                continue;
            }
            for other in &around {
                for text in [
                    format!("{c}{other}"),
                    format!("{other}{c}"),
                    format!("a{c}{other}b"),
                ] {
                    let folded = fold(&text);
                    assert_eq!(fold(&folded), folded, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn a_final_sigma_is_a_letter_of_its_own() {
        assert_eq!(Name::parse("ΟΔΟΣ").unwrap().as_str(), "οδος");
        assert_eq!(Name::parse("οδος").unwrap().as_str(), "οδος");
        assert_ne!(Name::parse("οδοσ").unwrap(), Name::parse("οδος").unwrap());
    }

    #[test]
    fn what_folds_to_a_refused_character_is_refused() {
        // The Greek question mark becomes a semicolon, an en quad an en space.
        for text in ["a\u{37e}b", "a\u{2000}b"] {
            assert_eq!(Name::parse(text), Err(NameFault::Character), "{text:?}");
        }
        // 63 code points that grow: a dotted capital I becomes two.
        assert_eq!(Name::parse(&"\u{130}".repeat(32)), Err(NameFault::TooLong));
        assert!(Name::parse(&"\u{130}".repeat(31)).is_ok());
    }

    proptest::proptest! {
        #[test]
        fn parsing_a_name_again_changes_nothing(text in "\\PC{0,70}") {
            if let Ok(name) = Name::parse(&text) {
                proptest::prop_assert_eq!(Name::parse(name.as_str()).unwrap(), name);
            }
        }
    }
}
