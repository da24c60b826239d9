//! Hashes, keyed hashes and the comparison of secrets.

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// Domain separation of [`keyed_label`], followed by 0x01 for "keyed".
const KEYED_LABEL_DOMAIN: &[u8] = b"sealbook/label/v1\x01";

/// SHA-256 of the bytes as they are.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// HMAC-SHA-256 over a list of parts. Each part goes in behind its length, so that two different
/// lists never give the same input:
///
/// ```text
/// HMAC-SHA-256(key, len(part 1) u64 LE || part 1 || len(part 2) u64 LE || part 2 || ...)
/// ```
///
/// The first part should name the purpose (domain separation) when a key serves several.
#[must_use]
pub fn hmac_sha256(key: &Secret<[u8; 32]>, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = keyed(key);
    for part in parts {
        mac.update(&(part.len() as u64).to_le_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// The label of a private handle in the map:
/// `HMAC-SHA-256(key, "sealbook/label/v1" || 0x01 || kind || bytes)`.
///
/// Whoever lacks the key can neither compute a label from a handle nor test a guess.
#[must_use]
pub fn keyed_label(key: &Secret<[u8; 32]>, kind: u8, bytes: &[u8]) -> [u8; 32] {
    let mut mac = keyed(key);
    mac.update(KEYED_LABEL_DOMAIN);
    mac.update(&[kind]);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

/// Compares secrets: the time taken depends on the lengths, which are taken to be public, and not
/// on the content.
#[must_use]
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

fn keyed(key: &Secret<[u8; 32]>) -> Hmac<Sha256> {
    Hmac::new_from_slice(key.expose()).expect("HMAC takes keys of every length")
}

#[cfg(test)]
mod tests {
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    use super::*;

    /// HMAC as RFC 2104 writes it, by hand.
    fn by_definition(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
        let pad = |byte: u8| {
            let mut block = [byte; 64];
            for (to, from) in block.iter_mut().zip(key) {
                *to ^= from;
            }
            block
        };
        let inner = sha256(&[&pad(0x36), message].concat());
        sha256(&[pad(0x5c).as_slice(), &inner].concat())
    }

    #[test]
    fn sha256_of_abc_is_the_published_one() {
        assert_eq!(
            HEXLOWER.encode(&sha256(b"abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn the_layouts_are_the_documented_ones() {
        let key = [9; 32];
        let message = b"\x03\0\0\0\0\0\0\0one\0\0\0\0\0\0\0\0\x02\0\0\0\0\0\0\0to";
        assert_eq!(
            hmac_sha256(&Secret::new(key), &[b"one", b"", b"to"]),
            by_definition(&key, message)
        );
        assert_eq!(
            keyed_label(&Secret::new(key), 4, b"+4930"),
            by_definition(&key, b"sealbook/label/v1\x01\x04+4930")
        );
    }

    #[test]
    fn equal_compares_all_of_both() {
        assert!(equal(b"", b""));
        assert!(equal(b"same", b"same"));
        assert!(!equal(b"same", b"sama"));
        assert!(!equal(b"same", b"tame"));
        assert!(!equal(b"same", b"sam"));
    }

    proptest! {
        #[test]
        fn moving_a_boundary_changes_the_result(bytes in proptest::collection::vec(any::<u8>(), 1..40), at: usize, to: usize) {
            let (at, to) = (at % (bytes.len() + 1), to % (bytes.len() + 1));
            let key = Secret::new([1; 32]);
            let split = |place: usize| {
                let (head, tail) = bytes.split_at(place);
                hmac_sha256(&key, &[head, tail])
            };
            prop_assert_eq!(split(at) == split(to), at == to);
        }
    }
}
