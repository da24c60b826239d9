//! Signatures of 65 bytes as text: wallets of Ethereum show hexadecimal, the ProofService API takes
//! one form here and the other there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

/// `r ‖ s ‖ v`.
const SIGNATURE_BYTES: usize = 65;

/// A signature as base64; a text that is none in either form stays as it is.
#[must_use]
pub fn base64(text: &str) -> String {
    read(text).map_or_else(|| text.to_owned(), |bytes| STANDARD.encode(bytes))
}

/// A signature as hexadecimal in lower case, without `0x`; a text that is none in either form stays
/// as it is.
#[must_use]
pub fn hexadecimal(text: &str) -> String {
    read(text).map_or_else(|| text.to_owned(), |bytes| HEXLOWER.encode(&bytes))
}

fn read(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let of_hex = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok();
    [of_hex, STANDARD.decode(text).ok()]
        .into_iter()
        .flatten()
        .find(|bytes| bytes.len() == SIGNATURE_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_one_signature() {
        let (lower, in_base64) = ("ab".repeat(65), STANDARD.encode([0xab; 65]));
        let upper = format!("0x{}", "aB".repeat(65));
        for text in [&lower, &upper, &in_base64] {
            assert_eq!(base64(text), in_base64);
            assert_eq!(hexadecimal(text), lower);
        }
    }

    #[test]
    fn what_is_no_signature_stays_as_it_is() {
        for text in ["", "0x", "0xab", "%", "AAAA", &"ab".repeat(64)] {
            assert_eq!(
                (base64(text), hexadecimal(text)),
                (text.into(), text.into())
            );
        }
    }
}
