//! Ed25519 (RFC 8032): deterministic signatures, strict verification, and the X25519 keys that
//! belong to an Ed25519 key.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use sha2::{Digest, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::boxed::{BoxPublicKey, BoxSecretKey};
use crate::secret::Secret;
use crate::{KeyError, key_text};

/// A key pair, expanded once: a signature costs about 5 microseconds. The library that holds it
/// wipes it when dropped.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifying: VerifyingKey,
}

impl SigningKey {
    /// Expands a 32-byte seed (the secret key of RFC 8032, not the 64-byte form).
    ///
    /// # Errors
    /// [`KeyError::Refused`] if the signing library is out of memory; every seed is valid.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Result<Self, KeyError> {
        let pair =
            Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| KeyError::Refused)?;
        let public = pair
            .public_key()
            .as_ref()
            .try_into()
            .map_err(|_| KeyError::Refused)?;
        let verifying = VerifyingKey::from_bytes(&public)?;
        Ok(Self { pair, verifying })
    }

    /// The key that verifies what this one signs.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        self.verifying
    }

    /// Signs a message; the same message gives the same bytes.
    ///
    /// # Panics
    /// If the signing library cannot allocate.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let signature = self.pair.sign(message);
        signature
            .as_ref()
            .try_into()
            .expect("an Ed25519 signature has 64 bytes")
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("verifying", &self.verifying)
            .finish_non_exhaustive()
    }
}

/// A public key that is a point of the curve. It may have low order; [`verify_strict`] refuses
/// such a key, whatever was signed.
///
/// [`verify_strict`]: Self::verify_strict
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct VerifyingKey(ed25519_dalek::VerifyingKey);

impl VerifyingKey {
    /// Decompresses the point: about 3 microseconds.
    ///
    /// # Errors
    /// [`KeyError::NotOnCurve`].
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        ed25519_dalek::VerifyingKey::from_bytes(bytes)
            .map(Self)
            .map_err(|_| KeyError::NotOnCurve)
    }

    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`KeyError::NotHex`] or [`KeyError::NotOnCurve`].
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&*key_text::from_hex(text)?)
    }

    /// The 32 bytes of the compressed point.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Verifies by the strict rules: no low-order key, no low-order `R`, `s` reduced. So a
    /// signature that passes binds one key and one message and cannot be altered into another.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify_strict(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), BadSignature> {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        self.0
            .verify_strict(message, &signature)
            .map_err(|_| BadSignature)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = data_encoding::HEXLOWER.encode(self.as_bytes());
        f.debug_tuple("VerifyingKey").field(&hex).finish()
    }
}

/// The signature does not verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// The X25519 secret of an Ed25519 seed: `clamp(SHA-512(seed)[..32])`, as libsodium's
/// `crypto_sign_ed25519_sk_to_curve25519` computes it.
#[must_use]
pub fn x25519_secret(seed: &Secret<[u8; 32]>) -> BoxSecretKey {
    let mut digest = Sha512::digest(seed.expose());
    let mut key = Zeroizing::new([0; 32]);
    for (to, from) in key.iter_mut().zip(&digest) {
        *to = *from;
    }
    digest.as_mut_slice().zeroize();
    BoxSecretKey::from_bytes(curve25519_dalek::scalar::clamp_integer(*key))
}

/// The X25519 key of an Ed25519 key: `u = (1 + y) / (1 - y)`, as libsodium's
/// `crypto_sign_ed25519_pk_to_curve25519`. It equals the public key of [`x25519_secret`]. A key of
/// low order gives a key that [`crate::boxed`] refuses.
#[must_use]
pub fn x25519_public(key: &VerifyingKey) -> BoxPublicKey {
    BoxPublicKey(key.0.to_montgomery().to_bytes())
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use ed25519_dalek::Signer as _;
    use proptest::prelude::*;

    use super::*;

    fn hex<const N: usize>(text: &str) -> [u8; N] {
        HEXLOWER
            .decode(text.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }

    #[test]
    fn low_order_keys_verify_nothing() {
        // With the identity as key, R the identity and s zero, the plain equation holds for every
        // message.
        let mut identity = [0; 32];
        identity[0] = 1;
        let key = VerifyingKey::from_bytes(&identity).unwrap();
        let mut signature = [0; 64];
        signature[0] = 1;
        assert_eq!(
            key.verify_strict(b"anything", &signature),
            Err(BadSignature)
        );
    }

    #[test]
    fn an_unreduced_s_is_refused() {
        let key = SigningKey::from_seed(&Secret::new([5; 32])).unwrap();
        let mut signature = key.sign(b"message");
        assert_eq!(
            key.verifying_key().verify_strict(b"message", &signature),
            Ok(())
        );
        let order: [u8; 32] =
            hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0u16;
        for (s, l) in signature[32..].iter_mut().zip(order) {
            carry += u16::from(*s) + u16::from(l);
            *s = (carry & 0xff) as u8;
            carry >>= 8;
        }
        assert_eq!(
            key.verifying_key().verify_strict(b"message", &signature),
            Err(BadSignature)
        );
    }

    #[test]
    fn bytes_off_the_curve_are_no_key() {
        let mut off = [0; 32];
        off[0] = 2;
        assert_eq!(VerifyingKey::from_bytes(&off), Err(KeyError::NotOnCurve));
    }

    #[test]
    fn only_the_public_half_is_printed() {
        let key = SigningKey::from_seed(&Secret::new([5; 32])).unwrap();
        let printed = format!("{key:?}");
        let public = HEXLOWER.encode(key.verifying_key().as_bytes());
        assert_eq!(
            printed,
            format!("SigningKey {{ verifying: VerifyingKey(\"{public}\"), .. }}")
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn signs_as_another_implementation_does(seed: [u8; 32], message: Vec<u8>) {
            let key = SigningKey::from_seed(&Secret::new(seed)).unwrap();
            let other = ed25519_dalek::SigningKey::from_bytes(&seed);
            prop_assert_eq!(*key.verifying_key().as_bytes(), other.verifying_key().to_bytes());
            let signature = key.sign(&message);
            prop_assert_eq!(signature, other.sign(&message).to_bytes());
            prop_assert_eq!(key.verifying_key().verify_strict(&message, &signature), Ok(()));
        }

        #[test]
        fn both_ways_to_the_x25519_key_agree(seed: [u8; 32]) {
            let seed = Secret::new(seed);
            let key = SigningKey::from_seed(&seed).unwrap();
            prop_assert_eq!(x25519_public(&key.verifying_key()), x25519_secret(&seed).public());
        }
    }
}
