//! C2SP tlog-tiles: where a hash stands, how a tile is named, and how tiles grow.
//!
//! A tile is up to 256 hashes of one tile level, in order. Tile level `L` holds the tree's nodes
//! of level `8 * L`: level 0 the leaf hashes, level 1 the roots of full tiles of level 0, and so
//! on. The levels in between are recomputed from the tile's hashes.

mod bundle;
mod grow;
mod path;

use alloc::vec::Vec;
use core::ops::Range;

use crate::{HASH_LEN, Hash, node_hash};

pub use bundle::{BundleError, ENTRY_LEN_MAX, decode_bundle, encode_bundle};
pub use grow::{GrowError, grow, tiles_to_load};
pub use path::{PathError, TilePath, parse_tile_path};

/// Tree levels per tile level.
pub const TILE_HEIGHT: u8 = 8;
/// Hashes in a full tile.
pub const TILE_WIDTH: u16 = 256;
/// Bytes of a full tile.
pub const TILE_LEN: usize = TILE_WIDTH as usize * HASH_LEN;

/// A complete subtree of the log: the leaves `index << level .. (index + 1) << level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId {
    /// Height above the leaves; 0 is a leaf.
    pub level: u8,
    /// Position from the left within its level.
    pub index: u64,
}

/// A tile's coordinates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TileId {
    /// Tile level: the hashes in it are nodes of level `8 * level`.
    pub level: u8,
    /// Position from the left within its tile level.
    pub index: u64,
}

impl TileId {
    /// How many hashes this tile holds in a tree of `size` leaves: 0 (no such tile) to 256.
    ///
    /// The entry bundle `index` has as many entries as the tile of level 0 has hashes.
    pub fn width(&self, size: u64) -> u16 {
        let before = self.index.checked_mul(TILE_WIDTH.into());
        let here = before.and_then(|before| nodes_at(self.level, size).checked_sub(before));
        here.unwrap_or(0)
            .try_into()
            .unwrap_or(TILE_WIDTH)
            .min(TILE_WIDTH)
    }
}

/// Every tile of a tree of `size` leaves with its width, level by level, left to right.
///
/// All but the last of each level are full. The iterator is lazy: a tree has `size / 255` tiles.
pub fn tiles(size: u64) -> impl Iterator<Item = (TileId, u16)> {
    (0..TILE_HEIGHT).flat_map(move |level| {
        let count = nodes_at(level, size).div_ceil(TILE_WIDTH.into());
        (0..count).map(move |index| {
            let id = TileId { level, index };
            (id, id.width(size))
        })
    })
}

/// The tile from which a node is computed, and the bytes of that tile which lie under it.
///
/// A node of level 8 is a hash in a tile of level 1, not the root of one of level 0.
pub fn tile_of(node: NodeId) -> (TileId, Range<usize>) {
    let inner = node.level % TILE_HEIGHT;
    let per_tile = TILE_HEIGHT - inner;
    let id = TileId {
        level: node.level / TILE_HEIGHT,
        index: node.index >> per_tile,
    };
    let slot = (node.index & ((1 << per_tile) - 1)) << inner;
    // At most 255, whatever the node: the mask keeps 8 - inner bits, then shifted by inner.
    let begin = usize::try_from(slot).unwrap_or(0) * HASH_LEN;
    (id, begin..begin + (HASH_LEN << inner))
}

/// Computes a node from the bytes of its tile ([`tile_of`] says which).
///
/// `None` when the tile is too narrow to hold all hashes under the node. At most 127 hashes.
pub fn node_in_tile(tile: &[u8], node: NodeId) -> Option<Hash> {
    let (_, range) = tile_of(node);
    subtree_root(tile.get(range)?)
}

/// The root over a whole number of hashes that is a power of two; `None` for no bytes.
pub(crate) fn subtree_root(bytes: &[u8]) -> Option<Hash> {
    let (hashes, _) = bytes.as_chunks::<HASH_LEN>();
    let mut row: Vec<Hash> = hashes.iter().copied().map(Hash).collect();
    while row.len() > 1 {
        let (pairs, _) = row.as_chunks::<2>();
        row = pairs
            .iter()
            .map(|[left, right]| node_hash(left, right))
            .collect();
    }
    row.first().copied()
}

/// How many nodes of `8 * level` are complete in a tree of `size` leaves.
fn nodes_at(level: u8, size: u64) -> u64 {
    size.checked_shr(u32::from(level) * u32::from(TILE_HEIGHT))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloc::vec::Vec;

    #[test]
    fn a_tree_of_70_000_has_the_tiles_of_the_specification() {
        let partial: Vec<_> = tiles(70_000)
            .filter(|(_, width)| *width < TILE_WIDTH)
            .collect();
        let full: Vec<_> = tiles(70_000)
            .filter(|(_, width)| *width == TILE_WIDTH)
            .collect();
        assert_eq!(full.iter().filter(|(id, _)| id.level == 0).count(), 273);
        assert_eq!(
            full.last(),
            Some(&(TileId { level: 1, index: 0 }, TILE_WIDTH))
        );
        assert_eq!(full.len(), 274);
        let expected = vec![
            (
                TileId {
                    level: 0,
                    index: 273,
                },
                112,
            ),
            (TileId { level: 1, index: 1 }, 17),
            (TileId { level: 2, index: 0 }, 1),
        ];
        assert_eq!(partial, expected);
        assert_eq!(
            TileId {
                level: 0,
                index: 274
            }
            .width(70_000),
            0
        );
    }

    #[test]
    fn a_tree_of_256_has_one_full_tile_and_one_of_width_1() {
        let all: Vec<_> = tiles(256).collect();
        let expected = vec![
            (TileId { level: 0, index: 0 }, 256),
            (TileId { level: 1, index: 0 }, 1),
        ];
        assert_eq!(all, expected);
        assert_eq!(tiles(0).count(), 0);
    }

    #[test]
    fn coordinates_out_of_reach_have_no_width() {
        assert_eq!(
            TileId {
                level: 0,
                index: u64::MAX
            }
            .width(u64::MAX),
            0
        );
        assert_eq!(
            TileId {
                level: 255,
                index: 0
            }
            .width(u64::MAX),
            0
        );
        assert_eq!(TileId { level: 7, index: 0 }.width(u64::MAX), 255);
    }

    #[test]
    fn a_node_is_found_in_the_tile_of_its_level() {
        assert_eq!(
            tile_of(NodeId {
                level: 0,
                index: 257
            }),
            (TileId { level: 0, index: 1 }, 32..64)
        );
        assert_eq!(
            tile_of(NodeId { level: 7, index: 3 }),
            (TileId { level: 0, index: 1 }, 4096..8192)
        );
        assert_eq!(
            tile_of(NodeId { level: 8, index: 3 }),
            (TileId { level: 1, index: 0 }, 96..128)
        );
        let (last, _) = tile_of(NodeId {
            level: 255,
            index: u64::MAX,
        });
        assert_eq!(last.level, 31);
    }

    #[test]
    fn a_narrow_tile_has_no_node_beyond_its_width() {
        let tile = [7; 3 * HASH_LEN];
        assert!(node_in_tile(&tile, NodeId { level: 1, index: 0 }).is_some());
        assert_eq!(node_in_tile(&tile, NodeId { level: 1, index: 1 }), None);
        assert_eq!(
            node_in_tile(&tile, NodeId { level: 0, index: 2 }),
            Some(Hash([7; 32]))
        );
        assert_eq!(node_in_tile(&[], NodeId { level: 0, index: 0 }), None);
    }
}
