//! The key of a ProofService avatar (ProofService spec, section 3).

use std::fmt;

use crypto::secp256k1::PublicKey;
use data_encoding::HEXLOWER;

use super::{Kid, hex};

/// A secp256k1 public key that claims accounts. It is a point of the curve.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Avatar(PublicKey);

impl Avatar {
    /// Digits of an uncompressed key, the longest form.
    const DIGITS_MAX: usize = 130;

    /// Reads every form that clients send: 33 bytes, or 65 that begin with `04`, in hexadecimal of
    /// either case, `0x` before them or not; `None` for anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let fits = digits.len() <= Self::DIGITS_MAX;
        Self::from_bytes(&fits.then(|| hex::bytes(digits))??)
    }

    /// Takes a key in its compressed (33 bytes) or uncompressed form (65 bytes); `None` when it is no
    /// point of the curve.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        PublicKey::parse(bytes).ok().map(Self)
    }

    /// The key itself.
    #[must_use]
    pub fn key(&self) -> &PublicKey {
        &self.0
    }

    /// The compressed form: what is stored.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 33] {
        self.0.compressed()
    }

    /// The key's id, of which the label of its chain is made.
    #[must_use]
    pub fn kid(&self) -> Kid {
        Kid::secp256k1(&self.0)
    }

    /// The account that Ethereum knows the key by.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        self.0.address()
    }
}

impl From<PublicKey> for Avatar {
    fn from(key: PublicKey) -> Self {
        Self(key)
    }
}

/// `0x` and 66 lower-case digits: the form in every payload and every answer.
impl fmt::Display for Avatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", HEXLOWER.encode_display(self.as_bytes()))
    }
}

impl fmt::Debug for Avatar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Avatar({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0x02c92f9ca1f97251e1daa07dd8c1e4dd2e9dc10691f28a8b49e52fecb6b05f7d24";

    #[test]
    fn prints_as_it_is_written() {
        let avatar = Avatar::parse(TEXT).unwrap();
        assert_eq!(avatar.to_string(), TEXT);
        assert_eq!(format!("{avatar:?}"), format!("Avatar({TEXT})"));
        assert_eq!(Avatar::from_bytes(avatar.as_bytes()), Some(avatar));
        assert_eq!(Avatar::parse(&TEXT[2..].to_uppercase()), Some(avatar));
    }

    #[test]
    fn other_texts_are_refused() {
        for bad in [
            &format!("0x{TEXT}"),
            &TEXT.replace("0x", "0X"),
            &format!(" {TEXT}"),
            &format!("{TEXT}\n"),
            &TEXT[..67],
            &format!("0x+2{}", &TEXT[4..]),
            &"é".repeat(33),
            &"0".repeat(1_000_000),
        ] {
            assert_eq!(Avatar::parse(bad), None, "{:?}", bad.get(..70));
        }
    }

    #[test]
    fn its_id_is_in_the_layout_of_key_ids() {
        let Kid(bytes) = Avatar::parse(TEXT).unwrap().kid();
        assert_eq!((bytes[0], bytes[1], bytes[34]), (0x01, 0xe7, 0x0a));
        let hash = "3f2de3d4";
        let hex: String = bytes[2..6].iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(hex, hash);
    }
}
