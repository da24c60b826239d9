//! Arweave keys: RSA with 4096 bits, signatures by RSASSA-PSS with SHA-256 (RFC 8017).

use std::fmt;

use aws_lc_rs::rsa::{KeyPair, KeyPairComponents, PublicKeyComponents, RsaPssSaltLength};
use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, RSA_PSS_SHA256, RsaParameters};
use data_encoding::BASE64URL_NOPAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::token::sha256;

/// Length of a modulus, which names the owner of a key, and of a signature, in bytes.
pub const OWNER_BYTES: usize = 512;
/// Longest key file read. A real one has 3.2 KB.
pub const JWK_BYTES_MAX: usize = 16 << 10;

/// Public exponent of every Arweave key: only the modulus is written down.
const EXPONENT: [u8; 3] = [1, 0, 1];

/// A salt as long as the hash, as arweave.js and goar's own key pairs write it.
static SALT_OF_HASH: RsaParameters = RSA_PSS_2048_8192_SHA256;
/// The longest salt that fits, as OpenSSL takes unless told otherwise.
static LONGEST_SALT: RsaParameters =
    RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max);

/// A key pair out of a key file. The library that holds it wipes it when dropped.
pub struct ArweaveKey {
    pair: KeyPair,
    owner: Box<[u8; OWNER_BYTES]>,
}

/// Why a key file gives no key. Says nothing about its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkFault {
    /// Longer than [`JWK_BYTES_MAX`], or not an object with the members of an RSA key (RFC 7518,
    /// section 6.3) as text.
    #[error("not an RSA key in JSON (JWK)")]
    Malformed,
    /// A member is not base64url without padding; its name.
    #[error("member {0} is not base64url")]
    NotBase64(&'static str),
    /// Not 4096 bits with the exponent 65537.
    #[error("not a key of 4096 bits with the exponent 65537")]
    NotArweave,
    /// The numbers do not belong together.
    #[error("the numbers are no RSA key")]
    Inconsistent,
}

/// The signature is not the owner's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not verify")]
pub struct BadSignature;

/// The library made no signature: it is out of memory or of randomness.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing library failed")]
pub struct SigningFailed;

/// The members of a key file. All are text without escapes, so that no copy of them is made.
#[derive(Deserialize)]
struct Jwk<'a> {
    kty: &'a str,
    n: &'a str,
    e: &'a str,
    d: &'a str,
    p: &'a str,
    q: &'a str,
    dp: &'a str,
    dq: &'a str,
    qi: &'a str,
}

impl ArweaveKey {
    /// Reads a key file: JSON with the members `kty`, `n`, `e`, `d`, `p`, `q`, `dp`, `dq` and `qi`;
    /// others are ignored. The bytes stay the caller's to wipe. Checks the numbers, which takes some
    /// milliseconds.
    ///
    /// # Errors
    /// [`JwkFault`].
    pub fn from_jwk(json: &[u8]) -> Result<Self, JwkFault> {
        if json.len() > JWK_BYTES_MAX {
            return Err(JwkFault::Malformed);
        }
        let jwk: Jwk<'_> = serde_json::from_slice(json).map_err(|_| JwkFault::Malformed)?;
        if jwk.kty != "RSA" {
            return Err(JwkFault::Malformed);
        }
        let components = KeyPairComponents {
            public_key: PublicKeyComponents {
                n: number("n", jwk.n)?,
                e: number("e", jwk.e)?,
            },
            d: number("d", jwk.d)?,
            p: number("p", jwk.p)?,
            q: number("q", jwk.q)?,
            dP: number("dp", jwk.dp)?,
            dQ: number("dq", jwk.dq)?,
            qInv: number("qi", jwk.qi)?,
        };
        let PublicKeyComponents { n, e } = &components.public_key;
        let owner: [u8; OWNER_BYTES] = n.as_slice().try_into().map_err(|_| JwkFault::NotArweave)?;
        if e.as_slice() != EXPONENT || owner.first().is_none_or(|byte| *byte < 0x80) {
            return Err(JwkFault::NotArweave);
        }
        let pair = KeyPair::from_components(&components).map_err(|_| JwkFault::Inconsistent)?;
        Ok(Self {
            pair,
            owner: Box::new(owner),
        })
    }

    /// The modulus, big-endian: what items and transactions name as their owner.
    #[must_use]
    pub fn owner(&self) -> &[u8; OWNER_BYTES] {
        &self.owner
    }

    /// SHA-256 of the modulus; in base64url it is the wallet's address.
    #[must_use]
    pub fn address(&self) -> [u8; 32] {
        sha256(self.owner.as_slice())
    }

    /// Signs a message with a salt of 32 bytes, which the library draws: the same message gives other
    /// bytes each time. Some 5 milliseconds.
    ///
    /// # Errors
    /// [`SigningFailed`].
    pub fn sign(&self, message: &[u8]) -> Result<[u8; OWNER_BYTES], SigningFailed> {
        let mut signature = [0; OWNER_BYTES];
        let rng = aws_lc_rs::rand::SystemRandom::new();
        self.pair
            .sign(&RSA_PSS_SHA256, &rng, message, &mut signature)
            .map_err(|_| SigningFailed)?;
        Ok(signature)
    }
}

impl fmt::Debug for ArweaveKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ArweaveKey")
            .field("address", &BASE64URL_NOPAD.encode(&self.address()))
            .finish_non_exhaustive()
    }
}

/// Verifies a signature by the key with this modulus. Wallets write the salt as long as the hash or as
/// long as it fits; both pass. Some 100 microseconds.
///
/// # Errors
/// [`BadSignature`], also for a modulus that is no key's.
pub fn verify(
    owner: &[u8; OWNER_BYTES],
    message: &[u8],
    signature: &[u8; OWNER_BYTES],
) -> Result<(), BadSignature> {
    let key = PublicKeyComponents {
        n: owner.as_slice(),
        e: EXPONENT.as_slice(),
    };
    key.verify(&SALT_OF_HASH, message, signature)
        .or_else(|_| key.verify(&LONGEST_SALT, message, signature))
        .map_err(|_| BadSignature)
}

/// A number in base64url, as RFC 7518 writes it; secret, as most are.
fn number(name: &'static str, text: &str) -> Result<Zeroizing<Vec<u8>>, JwkFault> {
    let fault = JwkFault::NotBase64(name);
    let length = BASE64URL_NOPAD.decode_len(text.len()).map_err(|_| fault)?;
    let mut bytes = Zeroizing::new(vec![0; length]);
    let written = BASE64URL_NOPAD.decode_mut(text.as_bytes(), &mut bytes);
    written.map_err(|_| fault)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by OpenSSL for these tests; it holds nothing.
    const JWK: &str = include_str!("../vectors/arweave-key.json");

    fn with(name: &str, value: &str) -> String {
        let mut jwk: serde_json::Value = serde_json::from_str(JWK).unwrap();
        jwk[name] = value.into();
        jwk.to_string()
    }

    #[test]
    fn what_a_key_signs_its_owner_verifies() {
        let key = ArweaveKey::from_jwk(JWK.as_bytes()).unwrap();
        let (one, two) = (key.sign(b"message").unwrap(), key.sign(b"message").unwrap());
        assert_ne!(one, two, "the salt is drawn anew");
        assert_eq!(verify(key.owner(), b"message", &one), Ok(()));
        assert_eq!(verify(key.owner(), b"message", &two), Ok(()));
        assert_eq!(verify(key.owner(), b"massage", &one), Err(BadSignature));
        assert_eq!(verify(&[0; 512], b"message", &one), Err(BadSignature));
        assert_eq!(verify(&[0xff; 512], b"message", &one), Err(BadSignature));
        assert_eq!(
            verify(key.owner(), b"message", &[0; 512]),
            Err(BadSignature)
        );
    }

    /// OpenSSL's, by `pkeyutl` with `rsa_pss_saltlen` digest and max.
    #[test]
    fn either_salt_passes() {
        let key = ArweaveKey::from_jwk(JWK.as_bytes()).unwrap();
        for text in [
            include_str!("../vectors/arweave-salt-digest.txt"),
            include_str!("../vectors/arweave-salt-max.txt"),
        ] {
            let bytes = BASE64URL_NOPAD.decode(text.trim_end().as_bytes()).unwrap();
            let signature = bytes.try_into().unwrap();
            assert_eq!(verify(key.owner(), b"message\n", &signature), Ok(()));
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let long = format!("{JWK}{}", " ".repeat(JWK_BYTES_MAX));
        for bad in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"kty":"RSA"}"#,
            &with("kty", "EC"),
            &long,
        ] {
            let fault = ArweaveKey::from_jwk(bad.as_bytes()).unwrap_err();
            assert_eq!(fault, JwkFault::Malformed, "{bad}");
        }
        for name in ["n", "e", "d", "p", "q", "dp", "dq", "qi"] {
            for text in ["A", "AQ==", "+/+/", "é"] {
                let fault = ArweaveKey::from_jwk(with(name, text).as_bytes()).unwrap_err();
                assert_eq!(fault, JwkFault::NotBase64(name));
            }
        }
        for (name, text) in [
            ("e", "Aw"),
            ("n", "AQAB"),
            ("n", ""),
            ("n", &"A".repeat(683)),
        ] {
            let fault = ArweaveKey::from_jwk(with(name, text).as_bytes()).unwrap_err();
            assert!(matches!(
                fault,
                JwkFault::NotArweave | JwkFault::NotBase64("n")
            ));
        }
    }

    #[test]
    fn numbers_that_do_not_belong_together_are_refused() {
        for name in ["d", "p", "q", "dp", "dq", "qi"] {
            for text in ["", "AQAB", "AA"] {
                let fault = ArweaveKey::from_jwk(with(name, text).as_bytes()).unwrap_err();
                assert_eq!(fault, JwkFault::Inconsistent, "{name} {text}");
            }
        }
    }

    #[test]
    fn only_the_address_is_printed() {
        let key = ArweaveKey::from_jwk(JWK.as_bytes()).unwrap();
        let address = BASE64URL_NOPAD.encode(&key.address());
        assert_eq!(
            format!("{key:?}"),
            format!("ArweaveKey {{ address: \"{address}\", .. }}")
        );
    }
}
