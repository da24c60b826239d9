//! The prefix map: from a 32-byte label to its newest sequence number and commitment.
//!
//! A binary tree by the bits of the label, the most significant first. With `‖` for joining:
//!
//! | subtree | its hash |
//! |---|---|
//! | no leaf | 32 zero bytes |
//! | one leaf, at any depth | `SHA-256(0x02 ‖ label ‖ seqno as u32 big-endian ‖ commitment)` |
//! | two or more leaves at depth d | `SHA-256(0x03 ‖ left ‖ right)`, the subtrees at depth d + 1 by bit d of the label; one of them may be empty |
//!
//! The root is the hash of the whole tree; so it depends on the leaves alone, not on the order in
//! which they came or on how they were batched. Leaves are replaced, never removed.
//!
//! # Storage
//! Four levels at a time the tree is kept in **pages** ([`Page`]), addressed by position
//! ([`PageId`]) and written over in place. A page exists if and only if its subtree has two leaves
//! or more; the page at depth 0 exists if and only if the map is not empty. [`MapBatch`] changes
//! the map, [`MapReader`] makes proofs; both name the pages they want and the caller brings them,
//! all of one state of the map. A map of n leaves is about `log16(n) + 1` pages deep.
//!
//! # Why a proof cannot lie
//! [`MapProof::verify`] folds a terminal up to the root along the bits of the label, so to accept
//! it twice with different answers two different byte strings with the same SHA-256 are needed:
//!
//! - At equal depth the two terminals have the same hash. A present leaf contains the label; the
//!   leaf of an absence proof must contain another; an empty slot is zero, which is the hash of
//!   nothing known.
//! - At different depths, the same hash is that of a leaf (first byte 0x02) or zero in one proof
//!   and that of a node (first byte 0x03) in the other.
//!
//! So one root binds each label to at most one answer, even when whoever made the root is the
//! attacker. That a leaf proving absence shares the label's first `depth` bits is checked as
//! well: it is what puts that leaf, alone, where the label would have to be.

mod batch;
mod page;
mod page_id;
mod proof;
mod reader;
mod rewrite;
mod rows;

use core::fmt;

use crate::{HASH_LEN, Hash, sha256, tagged_pair};

pub use batch::{MapBatch, MapChange};
pub use page::{Page, Slot};
pub use page_id::{PAGE_DEPTH_MAX, PageId};
pub use proof::{MapProof, Terminal};
pub use reader::MapReader;

const LEAF_TAG: u8 = 0x02;
const NODE_TAG: u8 = 0x03;
const LEAF_LEN: usize = 2 * HASH_LEN + size_of::<u32>();

/// One leaf of the map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MapLeaf {
    /// The key. Labels are hashes; the tree is only as balanced as they are random.
    pub label: Hash,
    /// The newest sequence number of the label's chain.
    pub seqno: u32,
    /// The commitment to that link.
    pub commitment: Hash,
}

impl MapLeaf {
    /// `SHA-256(0x02 ‖ label ‖ seqno ‖ commitment)`.
    pub fn hash(&self) -> Hash {
        let mut bytes = [LEAF_TAG; 1 + LEAF_LEN];
        let (_, rest) = bytes.split_at_mut(1);
        for (byte, value) in rest.iter_mut().zip(self.to_bytes()) {
            *byte = value;
        }
        sha256(&bytes)
    }

    /// `label ‖ seqno ‖ commitment`, as hashed, in pages and in proofs.
    pub(crate) fn to_bytes(self) -> [u8; LEAF_LEN] {
        let mut bytes = [0; LEAF_LEN];
        let (label, rest) = bytes.split_at_mut(HASH_LEN);
        let (seqno, commitment) = rest.split_at_mut(size_of::<u32>());
        label.copy_from_slice(&self.label.0);
        seqno.copy_from_slice(&self.seqno.to_be_bytes());
        commitment.copy_from_slice(&self.commitment.0);
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; LEAF_LEN]) -> Option<Self> {
        let (label, rest) = bytes.split_first_chunk()?;
        let (seqno, commitment) = rest.split_first_chunk()?;
        let seqno = u32::from_be_bytes(*seqno);
        Some(Self {
            label: Hash(*label),
            seqno,
            commitment: Hash::from_slice(commitment)?,
        })
    }
}

/// The hash of a subtree with two leaves or more: `SHA-256(0x03 ‖ left ‖ right)`.
pub(crate) fn map_node(left: &Hash, right: &Hash) -> Hash {
    tagged_pair(NODE_TAG, left, right)
}

/// Bit `depth` of a label, 0 being the most significant of the first byte.
pub(crate) fn bit(label: &Hash, depth: usize) -> bool {
    label
        .0
        .get(depth / 8)
        .is_some_and(|byte| byte >> (7 - depth % 8) & 1 == 1)
}

/// Nibble `depth` of a label, 0 to 15: the slot it falls into in a page of that depth.
pub(crate) fn nibble(label: &Hash, depth: u8) -> u8 {
    let byte = label
        .0
        .get(usize::from(depth / 2))
        .copied()
        .unwrap_or_default();
    if depth.is_multiple_of(2) {
        byte >> 4
    } else {
        byte & 0x0f
    }
}

/// Why the map cannot be changed or read with what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MapError {
    /// A label occurs twice in one batch.
    DuplicateLabel(Hash),
    /// A label that this batch did not load.
    UnknownLabel(Hash),
    /// A page that was not asked for, or not in this round.
    Unwanted(PageId),
    /// A page that must exist does not.
    MissingPage(PageId),
    /// The bytes are not the canonical encoding of that page.
    MalformedPage(PageId),
    /// The page's hash is not the one its parent holds: the pages are of different states.
    TornPage(PageId),
    /// Pages are still wanted.
    Unfinished,
}

impl fmt::Display for MapError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateLabel(label) => write!(f, "label {label} occurs twice"),
            Self::UnknownLabel(label) => write!(f, "label {label} was not loaded"),
            Self::Unwanted(id) => write!(f, "map page {id} was not asked for"),
            Self::MissingPage(id) => write!(f, "map page {id} is missing"),
            Self::MalformedPage(id) => write!(f, "map page {id} is malformed"),
            Self::TornPage(id) => write!(f, "map page {id} does not fit the page above it"),
            Self::Unfinished => f.write_str("map pages are still wanted"),
        }
    }
}

impl core::error::Error for MapError {}
