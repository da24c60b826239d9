//! Base58 with Bitcoin's alphabet: the text of Solana's keys and signatures.

/// Reads text that stands for exactly `N` bytes; `None` for anything else. The work grows with the
/// square of the length, so text that is too long is refused unread.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    // A digit carries 5.86 bits, so 32 bytes have at most 44 digits, and 64 have 88.
    if text.len() > N.saturating_mul(11).div_ceil(8) {
        return None;
    }
    let mut bytes = [0; N];
    let written = bs58::decode(text).onto(&mut bytes).ok()?;
    (written == N).then_some(bytes)
}

/// The text of some bytes.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    bs58::encode(bytes).into_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn lengths_and_characters_are_checked() {
        let text = "3MhxiG8RuvEXWt5wymNwxVDykMAtaFCcqZBSPX2hTtsC";
        let key: [u8; 32] = decode(text).unwrap();
        assert_eq!(encode(&key), text);
        assert_eq!(decode::<31>(text), None);
        assert_eq!(decode::<33>(text), None);
        for bad in [
            "",
            &text[..43],
            &format!("{text}1"),
            &format!("1{text}"),
            &text.replace('3', "0"),
        ] {
            assert_eq!(decode::<32>(bad), None, "{bad}");
        }
        assert_eq!(decode::<32>(&"1".repeat(32)), Some([0; 32]));
        assert_eq!(decode::<32>(&"1".repeat(1_000_000)), None);
    }

    proptest! {
        #[test]
        fn keys_and_signatures_come_back(key: [u8; 32], signature in proptest::array::uniform32(any::<u16>())) {
            prop_assert_eq!(decode(&encode(&key)), Some(key));
            let mut bytes = [0; 64];
            for (pair, number) in bytes.chunks_mut(2).zip(signature) {
                pair.copy_from_slice(&number.to_be_bytes());
            }
            prop_assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }
}
