//! Keys written as hexadecimal text, and what can be wrong with a key.

use data_encoding::HEXLOWER_PERMISSIVE;
use zeroize::Zeroizing;

/// Why bytes or text do not make a key. Says nothing about their content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not exactly 64 hexadecimal digits.
    #[error("a key is written as 64 hexadecimal digits")]
    NotHex,
    /// The bytes are no point of the curve.
    #[error("the bytes are not a point of the curve")]
    NotOnCurve,
    /// The signing library refused the seed.
    #[error("the signing library refused the key")]
    Refused,
}

/// Reads 64 hexadecimal digits of either case, without anything around them.
pub(crate) fn from_hex(text: &str) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    if text.len() != 64 {
        return Err(KeyError::NotHex);
    }
    let mut key = Zeroizing::new([0; 32]);
    HEXLOWER_PERMISSIVE
        .decode_mut(text.as_bytes(), key.as_mut_slice())
        .map_err(|_| KeyError::NotHex)?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_either_case_and_nothing_else() {
        let text = "00aaBBccddeeff00112233445566778899AABBCCDDEEFF001122334455667788";
        let key = from_hex(text).unwrap();
        assert_eq!(key[..4], [0x00, 0xaa, 0xbb, 0xcc]);
        assert_eq!(key[31], 0x88);
        for bad in [
            "",
            &text[..62],
            &format!("{text}00"),
            &format!("{}\n", &text[..63]),
            &format!("0x{}", &text[2..]),
            &text.replace("00aa", "00g0"),
            &text.replace("00aa", "é0a"),
        ] {
            assert_eq!(from_hex(bad).unwrap_err(), KeyError::NotHex, "{bad:?}");
        }
    }
}
