//! Signatures as text.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::base1024;
use crate::limits::SIGNATURE_TEXT_BYTES_MAX;

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// Reads base64 as Go's `StdEncoding` does: the standard alphabet with its padding, newlines and carriage
/// returns anywhere, and whatever bits are left over at the end. So several texts stand for the same
/// bytes: what is stored is written anew by [`encode_signature`]. `None` for anything else, and for text
/// longer than 4 KiB.
#[must_use]
pub fn decode_base64(text: &str) -> Option<Vec<u8>> {
    if text.len() > SIGNATURE_TEXT_BYTES_MAX {
        return None;
    }
    let text: Vec<u8> = text
        .bytes()
        .filter(|byte| !matches!(byte, b'\n' | b'\r'))
        .collect();
    LENIENT.decode(text).ok()
}

/// Reads the signature of a post: base64 ([`decode_base64`]), else base1024. The two alphabets have no
/// character in common. It may have any length.
#[must_use]
pub fn decode_signature(text: &str) -> Option<Vec<u8>> {
    decode_base64(text).or_else(|| base1024::decode(text).ok())
}

/// The form that is stored, answered and named by the next payload's `prev`: standard base64 with
/// padding.
#[must_use]
pub fn encode_signature(bytes: &[u8]) -> String {
    LENIENT.encode(bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What Go 1.19 reads of each.
    #[test]
    fn as_go_does() {
        for (text, bytes) in [
            ("", Some(vec![])),
            ("\r\n", Some(vec![])),
            ("Zm8=", Some(b"fo".to_vec())),
            ("Z\nm\r8\n=\n", Some(b"fo".to_vec())),
            ("Zg\n=\n=\r", Some(b"f".to_vec())),
            ("Zm9", None),
            ("Zm8", None),
            ("Zm9=", Some(b"fo".to_vec())),
            ("Zh==", Some(b"f".to_vec())),
            ("Zm8==", None),
            ("Zm8=Zm8=", None),
            ("Z===", None),
            ("====", None),
            ("Zm 8=", None),
            ("Zm-_", None),
            ("Zm8=\0", None),
        ] {
            assert_eq!(decode_base64(text), bytes, "{text:?}");
        }
        assert_eq!(decode_base64(&"A".repeat(4096)), Some(vec![0; 3072]));
        assert_eq!(decode_base64(&"A".repeat(4100)), None);
    }

    proptest! {
        #[test]
        fn both_alphabets_come_back(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let base64 = encode_signature(&bytes);
            prop_assert_eq!(decode_base64(&base64), Some(bytes.clone()));
            prop_assert_eq!(decode_signature(&base64), Some(bytes.clone()));
            let base1024 = base1024::encode(&bytes);
            prop_assert_eq!(decode_signature(&base1024), Some(bytes));
        }
    }
}
