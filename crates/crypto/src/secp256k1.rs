//! ECDSA over secp256k1 as Ethereum uses it: signatures that give away their key, over the hash that
//! a wallet makes of a message (EIP-191).
//!
//! The library keeps one context for each thread, made at its first use there (some 20 microseconds)
//! and blinded anew after each signature. A recovery costs some 30 microseconds.

use std::fmt;

use data_encoding::HEXLOWER;
use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SecretKey};
use zeroize::Zeroizing;

use crate::digest::keccak256;
use crate::secret::Secret;
use crate::token::sha256;

/// A public key, a point of the curve: `02` or `03` by the parity of Y, then X, big-endian.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 33]);

/// Why bytes are no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// Neither 33 bytes that begin with `02` or `03`, nor 65 that begin with `04`.
    #[error("not a compressed or uncompressed key")]
    Form,
    /// X is no coordinate of a point, or Y is not the one that belongs to it.
    #[error("not a point of the curve")]
    NotOnCurve,
}

impl PublicKey {
    /// Reads the compressed form (33 bytes) or the uncompressed one (`04 ‖ X ‖ Y`, 65 bytes); no
    /// hybrid form, and no `X ‖ Y` without the first byte. Costs a square root, 3 microseconds.
    ///
    /// # Errors
    /// [`KeyFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyFault> {
        let is_known = matches!(
            (bytes.len(), bytes.first()),
            (33, Some(2 | 3)) | (65, Some(4))
        );
        if !is_known {
            return Err(KeyFault::Form);
        }
        let point = secp256k1::PublicKey::from_slice(bytes).map_err(|_| KeyFault::NotOnCurve)?;
        Ok(Self(point.serialize()))
    }

    /// The key whose compressed form is known to be one, because it was parsed before it was kept:
    /// spares the square root. What only looks like a key is a mistake of the caller, and may stop
    /// the process when it is used.
    #[must_use]
    pub const fn known(compressed: [u8; 33]) -> Self {
        Self(compressed)
    }

    /// The compressed form.
    #[must_use]
    pub fn compressed(&self) -> &[u8; 33] {
        &self.0
    }

    /// The uncompressed form, `04 ‖ X ‖ Y`.
    #[must_use]
    pub fn uncompressed(&self) -> [u8; 65] {
        self.point().serialize_uncompressed()
    }

    /// The account that Ethereum knows the key by: the last 20 bytes of `Keccak-256(X ‖ Y)`.
    #[must_use]
    pub fn address(&self) -> [u8; 20] {
        let uncompressed = self.uncompressed();
        let (_, coordinates) = uncompressed.split_at(1);
        let hash = keccak256(&[coordinates]);
        let mut address = [0; 20];
        address.copy_from_slice(hash.split_at(12).1);
        address
    }

    /// `SHA-256` of the compressed form: 32 bytes that name the key.
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// Whether the signature is this key's: the key that it gives away has this one's address, which
    /// is the same as being this one. High `s` is accepted: whoever saw a signature can make its
    /// twin, so nothing may take a signature's bytes for a name of what was signed.
    ///
    /// # Errors
    /// [`BadSignature`].
    pub fn verify(&self, digest: &[u8; 32], signature: &Signature) -> Result<(), BadSignature> {
        let signer = recover(signature, digest).map_err(|Unrecoverable| BadSignature)?;
        if signer == *self {
            Ok(())
        } else {
            Err(BadSignature)
        }
    }

    fn point(&self) -> secp256k1::PublicKey {
        secp256k1::PublicKey::from_slice(&self.0).expect("only points of the curve are kept")
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey")
            .field(&HEXLOWER.encode(&self.0))
            .finish()
    }
}

/// A signature that gives away its key: `r ‖ s ‖ v`, `v` being 0 or 1. Nothing says yet that it
/// is anybody's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 65]);

/// Why bytes are no signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Not 65 bytes, but so many.
    #[error("{0} bytes are not the 65 of a signature")]
    Length(usize),
    /// The last byte is none of 0, 1, 27 and 28.
    #[error("recovery id {0} is not supported")]
    RecoveryId(u8),
}

impl Signature {
    /// Length in bytes.
    pub const BYTES: usize = 65;

    /// Takes `r ‖ s ‖ v`; wallets write `v` as 27 or 28, which becomes 0 or 1.
    ///
    /// # Errors
    /// [`SignatureFault`].
    pub fn parse(bytes: &[u8]) -> Result<Self, SignatureFault> {
        let mut own: [u8; 65] = bytes
            .try_into()
            .map_err(|_| SignatureFault::Length(bytes.len()))?;
        let [.., v] = &mut own;
        *v = match *v {
            0 | 27 => 0,
            1 | 28 => 1,
            other => return Err(SignatureFault::RecoveryId(other)),
        };
        Ok(Self(own))
    }

    /// `r ‖ s ‖ v` with `v` 0 or 1.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 65] {
        &self.0
    }

    /// `r ‖ s ‖ v` with `v` 27 or 28, as wallets write it.
    #[must_use]
    pub fn as_wallets_write(&self) -> [u8; 65] {
        let mut bytes = self.0;
        let [.., v] = &mut bytes;
        *v += 27;
        bytes
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signature")
            .field(&HEXLOWER.encode(&self.0))
            .finish()
    }
}

/// No key could have made the signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no key belongs to the signature")]
pub struct Unrecoverable;

/// The signature is another key's, or nobody's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// What a wallet signs of a message (`personal_sign`, EIP-191 version 0x45):
/// `Keccak-256("\x19Ethereum Signed Message:\n" ‖ length in bytes, decimal ‖ message)`. The prefix
/// keeps it apart from transactions.
#[must_use]
pub fn personal_digest(message: &[u8]) -> [u8; 32] {
    let length = message.len().to_string();
    keccak256(&[
        b"\x19Ethereum Signed Message:\n",
        length.as_bytes(),
        message,
    ])
}

/// The key that made a signature over a digest. Any other digest gives another key, so the answer
/// means nothing until it is compared with a key one knows.
///
/// # Errors
/// [`Unrecoverable`]: `r` or `s` is zero or not below the order, or `r` is no point's X.
pub fn recover(signature: &Signature, digest: &[u8; 32]) -> Result<PublicKey, Unrecoverable> {
    let (numbers, v) = signature.0.split_at(64);
    let parity = if v == [0] {
        RecoveryId::Zero
    } else {
        RecoveryId::One
    };
    let signature =
        RecoverableSignature::from_compact(numbers, parity).map_err(|_| Unrecoverable)?;
    let key = signature
        .recover_ecdsa(Message::from_digest(*digest))
        .map_err(|_| Unrecoverable)?;
    Ok(PublicKey(key.serialize()))
}

/// A key pair. Its secret half is kept as [`Secret`] and expanded for each signature.
pub struct SigningKey {
    secret: Secret<[u8; 32]>,
    public: PublicKey,
}

/// The bytes are no secret key: zero, or not below the order of the curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a secret key")]
pub struct BadSecret;

impl SigningKey {
    /// Takes charge of the 32 bytes of a secret key, big-endian.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn from_secret(secret: Secret<[u8; 32]>) -> Result<Self, BadSecret> {
        let mut key = SecretKey::from_secret_bytes(*secret.expose()).map_err(|_| BadSecret)?;
        let public = PublicKey(secp256k1::PublicKey::from_secret_key(&key).serialize());
        key.non_secure_erase();
        Ok(Self { secret, public })
    }

    /// Reads 64 hexadecimal digits of either case, `0x` before them or not.
    ///
    /// # Errors
    /// [`BadSecret`].
    pub fn from_hex(text: &str) -> Result<Self, BadSecret> {
        let digits = text.strip_prefix("0x").unwrap_or(text);
        let secret: Zeroizing<[u8; 32]> =
            crate::key_text::from_hex(digits).map_err(|_| BadSecret)?;
        Self::from_secret(Secret::new(*secret))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message as a wallet does ([`personal_digest`]). Deterministic (RFC 6979), with low
    /// `s`.
    #[must_use]
    pub fn sign_personal(&self, message: &[u8]) -> Signature {
        self.sign_digest(&personal_digest(message))
    }

    /// Signs a digest that is the hash of something. Deterministic (RFC 6979), with low `s`.
    ///
    /// # Panics
    /// Never: the secret was read as a key before.
    #[must_use]
    pub fn sign_digest(&self, digest: &[u8; 32]) -> Signature {
        let key = SecretKey::from_secret_bytes(*self.secret.expose());
        let mut key = key.expect("the secret was read as a key before");
        let message = Message::from_digest(*digest);
        let signed = RecoverableSignature::sign_ecdsa_recoverable(message, &key);
        key.non_secure_erase();
        let (parity, numbers) = signed.serialize_compact();
        let mut bytes = [0; 65];
        let (head, v) = bytes.split_at_mut(64);
        head.copy_from_slice(&numbers);
        // Ids 2 and 3 would need an X beyond the order: one signature in 2^127.
        v.copy_from_slice(&[parity.to_u8() & 1]);
        Signature(bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey")
            .field("public", &self.public)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(byte: u8) -> SigningKey {
        SigningKey::from_secret(Secret::new([byte; 32])).unwrap()
    }

    /// The order of the curve, from which a twin's `s` is taken.
    const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

    fn order() -> [u8; 32] {
        HEXLOWER
            .decode(ORDER.as_bytes())
            .unwrap()
            .try_into()
            .unwrap()
    }

    /// The other signature that the same key could have made with the same nonce.
    fn twin(signature: &Signature) -> Signature {
        let mut bytes = *signature.as_bytes();
        let mut borrow = 0_i16;
        for (byte, of_order) in bytes[32..64].iter_mut().zip(order()).rev() {
            let digit = i16::from(of_order) - i16::from(*byte) - borrow;
            borrow = i16::from(digit < 0);
            *byte = u8::try_from(digit.rem_euclid(256)).unwrap();
        }
        bytes[64] ^= 1;
        Signature(bytes)
    }

    #[test]
    fn hybrid_and_bare_forms_are_no_keys() {
        let mut bytes = key(1).public().uncompressed();
        assert_eq!(PublicKey::parse(&bytes), Ok(*key(1).public()));
        let known = PublicKey::known(*key(1).public().compressed());
        assert_eq!(known.uncompressed(), bytes);
        assert_eq!(PublicKey::parse(&bytes[1..]), Err(KeyFault::Form));
        for first in [0, 2, 3, 5, 6, 7] {
            bytes[0] = first;
            assert_eq!(PublicKey::parse(&bytes), Err(KeyFault::Form), "{first}");
        }
        bytes[0] = 4;
        bytes[64] ^= 1;
        assert_eq!(PublicKey::parse(&bytes), Err(KeyFault::NotOnCurve));
    }

    #[test]
    fn a_twin_is_the_same_key_s_and_other_bytes_are_not() {
        let (own, digest) = (key(7), personal_digest(b"message"));
        let signature = own.sign_personal(b"message");
        assert!(signature.as_bytes()[32] < 0x80, "low s");
        let twin = twin(&signature);
        assert_ne!(twin, signature);
        assert_eq!(own.public().verify(&digest, &twin), Ok(()));
        let other = personal_digest(b"massage");
        assert_eq!(own.public().verify(&other, &signature), Err(BadSignature));
        assert_eq!(
            key(8).public().verify(&digest, &signature),
            Err(BadSignature)
        );
    }

    #[test]
    fn numbers_out_of_range_belong_to_nobody() {
        let digest = [1; 32];
        for (r, s) in [
            ([0; 32], [1; 32]),
            ([1; 32], [0; 32]),
            (order(), [1; 32]),
            ([1; 32], order()),
            ([0xff; 32], [0xff; 32]),
        ] {
            let bytes = [r.as_slice(), &s, &[0]].concat();
            let signature = Signature::parse(&bytes).unwrap();
            assert_eq!(recover(&signature, &digest), Err(Unrecoverable));
        }
    }

    #[test]
    fn wallets_numbers_become_0_and_1() {
        let mut bytes = [1; 65];
        for (written, read) in [(0, 0), (1, 1), (27, 0), (28, 1)] {
            bytes[64] = written;
            let signature = Signature::parse(&bytes).unwrap();
            assert_eq!(signature.as_bytes()[64], read);
            assert_eq!(signature.as_wallets_write()[64], read + 27);
        }
        for other in [2, 3, 26, 29, 255] {
            bytes[64] = other;
            let fault = SignatureFault::RecoveryId(other);
            assert_eq!(Signature::parse(&bytes), Err(fault));
        }
        assert_eq!(Signature::parse(&[0; 64]), Err(SignatureFault::Length(64)));
        assert_eq!(Signature::parse(&[]), Err(SignatureFault::Length(0)));
    }

    #[test]
    fn a_secret_is_a_number_below_the_order_and_not_printed() {
        for bad in [[0; 32], order(), [0xff; 32]] {
            assert!(SigningKey::from_secret(Secret::new(bad)).is_err());
        }
        let mut last = order();
        last[31] -= 1;
        let key = SigningKey::from_secret(Secret::new(last)).unwrap();
        assert_eq!(
            format!("{key:?}"),
            format!("SigningKey {{ public: {:?}, .. }}", key.public())
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn the_key_comes_back(secret in 1_u8..255, message: Vec<u8>) {
            let own = key(secret);
            let signature = own.sign_personal(&message);
            prop_assert_eq!(recover(&signature, &personal_digest(&message)), Ok(*own.public()));
            prop_assert_eq!(Signature::parse(&signature.as_wallets_write()), Ok(signature));
            prop_assert_eq!(signature, own.sign_personal(&message));
            prop_assert_eq!(PublicKey::parse(own.public().compressed()), Ok(*own.public()));
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..70)) {
            if let Ok(read) = PublicKey::parse(&bytes) {
                let forms = [read.compressed().to_vec(), read.uncompressed().to_vec()];
                prop_assert!(forms.contains(&bytes));
            }
        }
    }
}
