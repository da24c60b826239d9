//! Names, as the directory compares them.

use merkle::Hash;
use unicode_normalization::UnicodeNormalization;

/// The kind byte of a name in its label.
const KIND_NAME: u8 = 1;

/// The form in which names are compared: NFC, lower case, NFC again, as lower-casing may take
/// characters apart (U+0130) and leave others to be joined.
#[must_use]
pub fn fold(name: &str) -> String {
    let composed: String = name.nfc().collect();
    composed.to_lowercase().nfc().collect()
}

/// Where a name stands in the map: `SHA-256("sealbook/label/v1" ‖ 00 ‖ 01 ‖ folded name)`.
#[must_use]
pub fn label(name: &str) -> Hash {
    merkle::entry::public_label(KIND_NAME, fold(name).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_name_have_one_label() {
        for (left, right) in [
            ("Alice", "alice"),
            ("ZOE\u{308}", "zo\u{eb}"),
            ("\u{130}", "i\u{307}"),
        ] {
            assert_eq!(label(left), label(right), "{left}");
        }
        assert_ne!(label("alice"), label("alicf"));
    }

    proptest::proptest! {
        #[test]
        fn folding_again_changes_nothing(text in "\\PC{0,70}") {
            let folded = fold(&text);
            proptest::prop_assert_eq!(fold(&folded), folded);
        }
    }
}
