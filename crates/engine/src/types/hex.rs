//! Hexadecimal text.

/// Bytes written as two digits each, of either case; `None` for anything else. Empty text is no
/// bytes.
pub(crate) fn bytes(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    pairs
        .map(|pair| {
            let [high, low] = pair else { return None };
            Some(digit(*high)? << 4 | digit(*low)?)
        })
        .collect()
}

/// Exactly `N` bytes; `None` for anything else.
pub(crate) fn array<const N: usize>(text: &str) -> Option<[u8; N]> {
    let fits = text.len() == N.checked_mul(2)?;
    fits.then(|| bytes(text))??.try_into().ok()
}

fn digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_pairs_of_digits_and_nothing_else() {
        assert_eq!(bytes("00aAfF"), Some(vec![0, 0xaa, 0xff]));
        assert_eq!(bytes(""), Some(Vec::new()));
        assert_eq!(array("0102"), Some([1, 2]));
        for bad in ["0", "000", "0g", "+1", " 1", "é0", "0x01"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
        assert_eq!((array::<2>("01"), array::<2>("010203")), (None, None));
    }
}
