//! Identifiers.

use std::fmt;

use crypto::secp256k1;

/// An identity: a set of subjects. 16 random bytes, never shown to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdentityId(pub [u8; 16]);

/// A job in the outbox. 16 random bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub [u8; 16]);

/// A process that has the store open. 16 random bytes, drawn when it opens it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub [u8; 16]);

/// 32 hex digits.
impl fmt::Display for ProcessId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Id of a public key in the Keybase layout: `01 ‖ algorithm ‖ 32 bytes ‖ 0a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kid(pub [u8; 35]);

impl Kid {
    /// Id of a Curve25519 key (algorithm byte 0x21), the kind of key a Tox ID holds.
    #[must_use]
    pub fn curve25519(key: &[u8; 32]) -> Self {
        Self::of(0x21, key)
    }

    /// Id of a secp256k1 key, the kind of key an avatar is: algorithm byte 0xe7, which Keybase uses for
    /// nothing and multicodec for these keys, and the SHA-256 of the compressed key, as its 33 bytes do
    /// not fit.
    #[must_use]
    pub fn secp256k1(key: &secp256k1::PublicKey) -> Self {
        Self::of(0xe7, &key.fingerprint())
    }

    fn of(algorithm: u8, body: &[u8; 32]) -> Self {
        let mut bytes = [0_u8; 35];
        let (head, tail) = bytes.split_at_mut(2);
        head.copy_from_slice(&[0x01, algorithm]);
        let (own, end) = tail.split_at_mut(32);
        own.copy_from_slice(body);
        end.copy_from_slice(&[0x0a]);
        Self(bytes)
    }
}
