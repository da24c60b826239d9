//! What the members of several requests have in common.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use engine::types::ClaimAction;

/// As Go decodes: padded, bits that no byte has may be set.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// The action of a link, letter for letter.
pub(crate) fn action(text: &str) -> Option<ClaimAction> {
    match text {
        "create" => Some(ClaimAction::Create),
        "delete" => Some(ClaimAction::Delete),
        _ => None,
    }
}

/// Standard base64 with its padding; ends of lines are skipped wherever they are.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    LENIENT.decode(text.replace(['\r', '\n'], "")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_that_of_go() {
        for (text, bytes) in [
            ("", Some(&b""[..])),
            ("QQ==", Some(b"A")),
            ("Q\r\nQ=\n=", Some(b"A")),
            ("QR==", Some(b"A")),
            ("QQ", None),
            ("QQ=", None),
            ("Q Q==", None),
            ("-_-_", None),
            ("QQ==QQ==", None),
        ] {
            assert_eq!(base64(text).as_deref(), bytes, "{text:?}");
        }
    }
}
