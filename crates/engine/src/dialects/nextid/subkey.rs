//! Keys that an avatar lends its word to (ProofService spec, section 2, subkeys).

use std::fmt;

use crypto::secp256k1::PublicKey;

use super::push_json_text;
use crate::types::{Avatar, hex};

/// Kinds of subkeys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubkeyAlgorithm {
    /// ECDSA on P-256, as passkeys use it.
    Es256,
    /// ECDSA on secp256k1.
    Secp256k1,
}

impl SubkeyAlgorithm {
    /// The word in requests and payloads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "es256",
            Self::Secp256k1 => "secp256k1",
        }
    }

    /// Reads that word; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Es256, Self::Secp256k1]
            .into_iter()
            .find(|algorithm| algorithm.as_str() == text)
    }
}

/// A subkey's public half. That of a passkey may be off its curve: nothing is verified with it here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SubkeyKey {
    /// `X ‖ Y`, big-endian.
    Es256([u8; 64]),
    /// A point of the curve.
    Secp256k1(PublicKey),
}

impl SubkeyKey {
    /// Reads a key in hexadecimal of either case, `0x` before it or not: 64 bytes `X ‖ Y`, or any form of
    /// an avatar's key; `None` for anything else.
    #[must_use]
    pub fn parse(algorithm: SubkeyAlgorithm, text: &str) -> Option<Self> {
        match algorithm {
            SubkeyAlgorithm::Es256 => {
                hex::array(text.strip_prefix("0x").unwrap_or(text)).map(Self::Es256)
            }
            SubkeyAlgorithm::Secp256k1 => Avatar::parse(text).map(|it| Self::Secp256k1(*it.key())),
        }
    }

    /// Which kind it is.
    #[must_use]
    pub const fn algorithm(&self) -> SubkeyAlgorithm {
        match self {
            Self::Es256(_) => SubkeyAlgorithm::Es256,
            Self::Secp256k1(_) => SubkeyAlgorithm::Secp256k1,
        }
    }

    /// 64 or 33 bytes, by the kind: what is stored and compared.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Es256(bytes) => bytes,
            Self::Secp256k1(key) => key.compressed(),
        }
    }
}

/// `0x` and lower-case digits; a secp256k1 key is compressed.
impl fmt::Display for SubkeyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        let mut bytes = self.as_bytes().iter();
        bytes.try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SubkeyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SubkeyKey({}, {self})", self.algorithm().as_str())
    }
}

/// What the avatar signs: a JSON object without blanks, its members in this order, not in that of their
/// names: `avatar` (`0x` and compressed), `algorithm`, `public_key` as the client wrote it, `rp_id`.
#[must_use]
pub fn subkey_payload(
    avatar: &Avatar,
    algorithm: SubkeyAlgorithm,
    public_key: &str,
    rp_id: &str,
) -> String {
    let mut out = String::new();
    let avatar = avatar.to_string();
    for (before, value) in [
        ("{\"avatar\":", avatar.as_str()),
        (",\"algorithm\":", algorithm.as_str()),
        (",\"public_key\":", public_key),
        (",\"rp_id\":", rp_id),
    ] {
        out.push_str(before);
        push_json_text(&mut out, value);
    }
    out.push('}');
    out
}
