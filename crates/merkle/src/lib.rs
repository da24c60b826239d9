//! Hash trees and their proofs, as pure functions over bytes.
//!
//! - [`range`], [`proof`], [`tile`]: the RFC 6962 log and its C2SP tiles.
//! - [`map`]: the prefix map from a 32-byte label to its newest sequence number and commitment.
//! - [`note`], [`proof_file`]: signed notes, checkpoints and `.tlog-proof` files, as text.
//! - [`entry`]: the 78 bytes of a log entry, and the hashes that stand in it.
//!
//! This crate knows nothing about files, networks, clocks or signature algorithms. What needs
//! stored hashes is split in two: a plan names what it wants, the caller fetches it however it
//! likes, and the plan finishes. Nothing here panics on bytes from outside, and nothing recurses.

#![no_std]
#![deny(missing_docs)]

extern crate alloc;

pub mod entry;
pub mod map;
pub mod note;
pub mod proof;
pub mod proof_file;
pub mod range;
pub mod tile;

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use data_encoding::{BASE64, HEXLOWER};
use sha2::{Digest, Sha256};

/// Length of a [`struct@Hash`] in bytes.
pub const HASH_LEN: usize = 32;

/// The largest tree size any function of this crate accepts: 2^63 - 1.
///
/// Sizes come from signed text that other people write, so the bound keeps every sum in range.
pub const SIZE_MAX: u64 = i64::MAX as u64;

/// A SHA-256 hash, or a 32-byte value that is used like one (a label, a commitment).
///
/// `Debug` and `Display` print lower-case hex. The order is that of the bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Hash(pub [u8; HASH_LEN]);

impl Hash {
    /// 32 zero bytes: the root of an empty map, and the label of an entry that has none.
    pub const ZERO: Self = Self([0; HASH_LEN]);

    /// Takes exactly 32 bytes; any other length is `None`.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// Reads 64 lower-case hex digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        Self::from_slice(&HEXLOWER.decode(text.as_bytes()).ok()?)
    }

    /// Reads 44 characters of standard base64, padding included.
    pub fn from_base64(text: &str) -> Option<Self> {
        Self::from_slice(&from_base64(text)?)
    }

    /// 64 lower-case hex digits.
    pub fn to_hex(&self) -> String {
        HEXLOWER.encode(&self.0)
    }

    /// 44 characters of standard base64, padding included: the form in checkpoints and proofs.
    pub fn to_base64(&self) -> String {
        BASE64.encode(&self.0)
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_LEN] {
        &self.0
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<[u8; HASH_LEN]> for Hash {
    fn from(bytes: [u8; HASH_LEN]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The RFC 6962 leaf hash: `SHA-256(0x00 ‖ data)`.
pub fn leaf_hash(data: &[u8]) -> Hash {
    let mut state = Sha256::new();
    state.update([0x00]);
    state.update(data);
    Hash(state.finalize().into())
}

/// The RFC 6962 node hash: `SHA-256(0x01 ‖ left ‖ right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    tagged_pair(0x01, left, right)
}

/// The root of a log without entries: `SHA-256("")`.
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// `SHA-256(tag ‖ left ‖ right)`. The tag separates log nodes (0x01) from map nodes (0x03).
pub(crate) fn tagged_pair(tag: u8, left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [tag; 1 + 2 * HASH_LEN];
    let (first, second) = bytes[1..].split_at_mut(HASH_LEN);
    first.copy_from_slice(&left.0);
    second.copy_from_slice(&right.0);
    sha256(&bytes)
}

/// Reads the one canonical spelling of standard base64.
///
/// The library alone would also take padded pieces written one after the other.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let inner = text
        .as_bytes()
        .split_last_chunk::<2>()
        .map_or(&[][..], |(inner, _)| inner);
    if inner.contains(&b'=') {
        return None;
    }
    BASE64.decode(text.as_bytes()).ok()
}

pub(crate) fn sha256(bytes: &[u8]) -> Hash {
    Hash(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn text_forms_round_trip_and_are_strict() {
        let hash = leaf_hash(b"text");
        assert_eq!(Hash::from_hex(&hash.to_hex()), Some(hash));
        assert_eq!(Hash::from_base64(&hash.to_base64()), Some(hash));
        assert_eq!(format!("{hash:?}"), hash.to_hex());
        assert_eq!(Hash::from_hex(&hash.to_hex().to_uppercase()), None);
        assert_eq!(Hash::from_hex("00"), None);
        assert_eq!(
            Hash::from_base64(hash.to_base64().trim_end_matches('=')),
            None
        );
        assert_eq!(Hash::from_slice(&[0; 31]), None);
        assert_eq!(Hash::from_slice(&[0; 32]), Some(Hash::ZERO));
    }

    #[test]
    fn base64_has_one_spelling() {
        assert_eq!(from_base64("AAAAAA==").as_deref(), Some(&[0; 4][..]));
        assert_eq!(from_base64("AAAA").as_deref(), Some(&[0; 3][..]));
        assert_eq!(from_base64("").as_deref(), Some(&[][..]));
        let others = [
            "AAAAAA=", "AAAAAA", "AAAAAB==", "AA==AA==", "AAA=AAA=", "AA A", "A", "=", "====",
        ];
        for other in others {
            assert_eq!(from_base64(other), None, "{other}");
        }
    }

    #[test]
    fn tags_separate_leaves_nodes_and_nothing() {
        assert_eq!(
            empty_root().to_hex(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(
            leaf_hash(b"").to_hex(),
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"
        );
        let pair = [leaf_hash(b"a").0, leaf_hash(b"b").0].concat();
        assert_ne!(
            node_hash(&leaf_hash(b"a"), &leaf_hash(b"b")),
            leaf_hash(&pair)
        );
    }
}
