//! NaCl's `crypto_box`: X25519, HSalsa20 and XSalsa20-Poly1305, in the layout of
//! `crypto_box_easy`.
//!
//! ```text
//! shared key = HSalsa20(X25519(own secret, other public), 16 zero bytes)
//! ciphertext = Poly1305 tag (16) || XSalsa20(plaintext)       the nonce (24) travels apart
//! ```
//!
//! A box proves that whoever sealed it held one of the two secret keys. It is no signature: the
//! receiver could have made it too.

use std::fmt;

use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use curve25519_dalek::MontgomeryPoint;
use salsa20::cipher::consts::U10;
use salsa20::cipher::generic_array::GenericArray;
use salsa20::hsalsa;
use zeroize::Zeroizing;

use crate::KeyError;
use crate::key_text;
use crate::secret::Secret;

/// Bytes of a nonce. One pair of keys must never seal two messages under the same nonce.
pub const NONCE_BYTES: usize = 24;

/// Bytes a ciphertext is longer than its plaintext.
pub const TAG_BYTES: usize = 16;

/// A 32-byte X25519 secret. Its bytes are kept as given and clamped when used.
pub struct BoxSecretKey {
    bytes: Secret<[u8; 32]>,
    /// The same secret as aws-lc-rs wants it, whose X25519 takes half the time of dalek's.
    agreement: PrivateKey,
}

impl BoxSecretKey {
    /// Every 32 bytes are a key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let agreement = PrivateKey::from_private_key(&X25519, &bytes)
            .expect("every 32 bytes are an X25519 secret");
        Self {
            bytes: Secret::new(bytes),
            agreement,
        }
    }

    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`KeyError::NotHex`] on anything else, surrounding white space included.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        key_text::from_hex(text).map(|key| Self::from_bytes(*key))
    }

    /// The public key others seal to. Costs one fixed-base multiplication.
    #[must_use]
    pub fn public(&self) -> BoxPublicKey {
        BoxPublicKey(MontgomeryPoint::mul_base_clamped(*self.expose()).to_bytes())
    }

    /// The bytes the key was made from, for writing a key file.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        self.bytes.expose()
    }
}

impl fmt::Debug for BoxSecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxSecretKey(..)")
    }
}

/// An X25519 public key, as it came: whether it is usable shows when a box is opened or sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BoxPublicKey(pub [u8; 32]);

impl BoxPublicKey {
    /// Reads 64 hexadecimal digits of either case.
    ///
    /// # Errors
    /// [`KeyError::NotHex`] on anything else.
    pub fn from_hex(text: &str) -> Result<Self, KeyError> {
        key_text::from_hex(text).map(|key| Self(*key))
    }
}

/// Why a box was not opened or not made. Tells nothing about the plaintext.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BoxError {
    /// The ciphertext is shorter than a tag.
    #[error("the box is shorter than its tag")]
    TooShort,
    /// The other side's key is a point of low order (all zero, for one): the shared secret would
    /// be known to everyone and the box would prove nothing.
    #[error("the public key has low order")]
    WeakKey,
    /// The tag does not fit the key, the nonce and the ciphertext.
    #[error("the box does not open with these keys and this nonce")]
    Forged,
    /// The plaintext is longer than the cipher allows.
    #[error("the plaintext is too long")]
    TooLong,
}

/// Opens what `sender` sealed to `own`. Costs one X25519 multiplication, about 20 microseconds,
/// before the tag is looked at. The plaintext is wiped when dropped.
///
/// # Errors
/// See [`BoxError`]; nothing of the plaintext is returned unless the tag fits.
pub fn open(
    own: &BoxSecretKey,
    sender: &BoxPublicKey,
    nonce: &[u8; NONCE_BYTES],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, BoxError> {
    if ciphertext.len() < TAG_BYTES {
        return Err(BoxError::TooShort);
    }
    shared_cipher(own, sender)?
        .decrypt(GenericArray::from_slice(nonce), ciphertext)
        .map(Zeroizing::new)
        .map_err(|_| BoxError::Forged)
}

/// Seals `plaintext` so that the holder of `receiver`'s secret (or of `own`) can open it. The
/// nonce must be fresh for this pair of keys.
///
/// # Errors
/// [`BoxError::WeakKey`] for a receiver of low order, [`BoxError::TooLong`] beyond 2^70 bytes.
pub fn seal(
    own: &BoxSecretKey,
    receiver: &BoxPublicKey,
    nonce: &[u8; NONCE_BYTES],
    plaintext: &[u8],
) -> Result<Vec<u8>, BoxError> {
    shared_cipher(own, receiver)?
        .encrypt(GenericArray::from_slice(nonce), plaintext)
        .map_err(|_| BoxError::TooLong)
}

/// The multiplication follows RFC 7748 (the clamped secret is not reduced by the group order), so
/// that a key of low order gives zero for every secret, which is refused, and a key with a low-order
/// part gives what other implementations compute.
fn shared_cipher(own: &BoxSecretKey, other: &BoxPublicKey) -> Result<XSalsa20Poly1305, BoxError> {
    let other = UnparsedPublicKey::new(&X25519, &other.0);
    agree(&own.agreement, other, BoxError::WeakKey, |secret| {
        Ok(cipher(secret))
    })
}

fn cipher(secret: &[u8]) -> XSalsa20Poly1305 {
    let zero = GenericArray::default();
    let key = Zeroizing::new(<[u8; 32]>::from(hsalsa::<U10>(
        GenericArray::from_slice(secret),
        &zero,
    )));
    XSalsa20Poly1305::new(GenericArray::from_slice(key.as_slice()))
}

#[cfg(test)]
mod tests {
    use crypto_box::aead::Aead as _;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    fn weak_keys() -> Vec<[u8; 32]> {
        [
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0100000000000000000000000000000000000000000000000000000000000000",
            "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
            "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        ]
        .iter()
        .map(|text| {
            HEXLOWER
                .decode(text.as_bytes())
                .unwrap()
                .try_into()
                .unwrap()
        })
        .collect()
    }

    #[test]
    fn low_order_keys_are_refused() {
        let own = BoxSecretKey::from_bytes([7; 32]);
        for mut key in weak_keys() {
            for high_bit in [0, 0x80] {
                key[31] |= high_bit;
                let other = BoxPublicKey(key);
                let opened = open(&own, &other, &[0; 24], &[0; 32]);
                assert_eq!(opened.unwrap_err(), BoxError::WeakKey, "{key:02x?}");
                assert_eq!(seal(&own, &other, &[0; 24], b"x"), Err(BoxError::WeakKey));
            }
        }
    }

    #[test]
    fn a_box_shorter_than_its_tag_is_refused() {
        let own = BoxSecretKey::from_bytes([7; 32]);
        for length in 0..TAG_BYTES {
            let opened = open(&own, &own.public(), &[0; 24], &vec![0; length]);
            assert_eq!(opened.unwrap_err(), BoxError::TooShort);
        }
    }

    #[test]
    fn an_empty_plaintext_is_only_a_tag() {
        let (a, b) = (
            BoxSecretKey::from_bytes([1; 32]),
            BoxSecretKey::from_bytes([2; 32]),
        );
        let sealed = seal(&a, &b.public(), &[3; 24], b"").unwrap();
        assert_eq!(sealed.len(), TAG_BYTES);
        assert!(open(&b, &a.public(), &[3; 24], &sealed).unwrap().is_empty());
    }

    #[test]
    fn nothing_of_a_secret_key_is_printed() {
        let key = BoxSecretKey::from_hex(&"ab".repeat(32)).unwrap();
        assert_eq!(format!("{key:?}"), "BoxSecretKey(..)");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        /// Another implementation opens what we seal, and we open what it seals.
        #[test]
        fn agrees_with_another_implementation(
            ours: [u8; 32], theirs: [u8; 32], nonce: [u8; 24], plaintext: Vec<u8>,
        ) {
            let own = BoxSecretKey::from_bytes(ours);
            let peer = crypto_box::SecretKey::from_bytes(theirs);
            let peer_public = BoxPublicKey(*peer.public_key().as_bytes());
            let salsa = crypto_box::SalsaBox::new(&own.public().0.into(), &peer);

            let sealed = seal(&own, &peer_public, &nonce, &plaintext).unwrap();
            prop_assert_eq!(&salsa.decrypt(&nonce.into(), sealed.as_slice()).unwrap(), &plaintext);
            let sealed = salsa.encrypt(&nonce.into(), plaintext.as_slice()).unwrap();
            let opened = open(&own, &peer_public, &nonce, &sealed).unwrap();
            prop_assert_eq!(&*opened, &plaintext);
        }

        #[test]
        fn any_changed_bit_is_refused(plaintext: Vec<u8>, nonce: [u8; 24], place: usize, bit in 0u8..8) {
            let (a, b) = (BoxSecretKey::from_bytes([1; 32]), BoxSecretKey::from_bytes([2; 32]));
            let mut sealed = seal(&a, &b.public(), &nonce, &plaintext).unwrap();
            let place = place % sealed.len();
            sealed[place] ^= 1 << bit;
            let opened = open(&b, &a.public(), &nonce, &sealed);
            prop_assert_eq!(opened.unwrap_err(), BoxError::Forged);
        }
    }
}
