//! Compact ranges: a log's root and growth from at most 63 hashes, without the tree.

use alloc::vec::Vec;

use crate::tile::{NodeId, TILE_HEIGHT};
use crate::{Hash, SIZE_MAX, empty_root, node_hash};

/// The level of a subtree of 2^62 leaves, the largest that [`SIZE_MAX`] leaves can contain.
const LEVEL_MAX: u8 = 62;

/// The complete subtrees a log of `size` leaves falls apart into, left to right.
///
/// There is one per one-bit of the size, the largest first. With them leaves can be appended and
/// the root computed; nothing else of the tree is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactRange {
    size: u64,
    hashes: Vec<Hash>,
}

impl CompactRange {
    /// The range of a log without entries.
    pub const fn new() -> Self {
        Self {
            size: 0,
            hashes: Vec::new(),
        }
    }

    /// A range that was stored as its parts.
    ///
    /// `None` unless there is exactly one hash per one-bit of `size` and `size` is at most
    /// [`SIZE_MAX`]. The hashes themselves cannot be checked here: compare [`Self::root`].
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        let fits = size <= SIZE_MAX && size.count_ones() as usize == hashes.len();
        fits.then_some(Self { size, hashes })
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// One hash per complete subtree, left to right, the largest subtree first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends a leaf hash: one node hash on average, 63 at most.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _| ());
    }

    /// Appends a leaf hash and reports each node this completes on a tile boundary.
    ///
    /// Those are the nodes of levels 8, 16, 24 and so on, lower levels first: exactly the hashes
    /// that stand in tiles of level 1 and above. The leaf itself (level 0) is not reported.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(NodeId, Hash)) {
        let mut hash = leaf;
        let mut node = NodeId {
            level: 0,
            index: self.size,
        };
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.hashes.pop() else { break };
            hash = node_hash(&left, &hash);
            node = NodeId {
                level: node.level + 1,
                index: node.index >> 1,
            };
            if node.level.is_multiple_of(TILE_HEIGHT) {
                completed(node, hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// The RFC 6962 root; [`empty_root`] for size 0.
    pub fn root(&self) -> Hash {
        fold(&self.hashes).unwrap_or_else(empty_root)
    }

    /// Which nodes of the tree [`Self::hashes`] are, in the same order; none above [`SIZE_MAX`].
    ///
    /// A caller that lost the range can read these nodes from tiles and use [`Self::from_parts`].
    pub fn nodes(size: u64) -> Vec<NodeId> {
        if size > SIZE_MAX {
            Vec::new()
        } else {
            cover(0, size).collect()
        }
    }
}

/// Joins complete subtrees that stand side by side, the largest first, into one hash.
pub(crate) fn fold(hashes: &[Hash]) -> Option<Hash> {
    hashes
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node_hash(&left, &right))
}

/// The complete subtrees that cover the leaves `begin .. begin + len`, the largest first.
///
/// `begin` must be a multiple of the largest power of two not above `len`, as every right
/// neighbour in an RFC 6962 tree is.
pub(crate) fn cover(begin: u64, len: u64) -> impl Iterator<Item = NodeId> {
    let mut at = begin;
    (0..=LEVEL_MAX)
        .rev()
        .filter(move |level| len >> level & 1 == 1)
        .map(move |level| {
            let node = NodeId {
                level,
                index: at >> level,
            };
            at += 1 << level;
            node
        })
}
