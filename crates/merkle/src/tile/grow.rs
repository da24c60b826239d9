//! Which tiles change, and to what, when the log grows.

use alloc::vec::Vec;
use core::fmt;

use super::{TILE_HEIGHT, TILE_LEN, TILE_WIDTH, TileId, nodes_at, subtree_root};
use crate::{HASH_LEN, Hash, SIZE_MAX};

/// Why a tree cannot grow from what was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrowError {
    /// A tile that [`tiles_to_load`] names was not given.
    Missing(TileId),
    /// A tile has fewer hashes than the old tree has there.
    TooNarrow(TileId),
    /// The new size would be above [`SIZE_MAX`].
    TooLarge,
}

impl fmt::Display for GrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(id) => write!(f, "tile {}/{} was not loaded", id.level, id.index),
            Self::TooNarrow(id) => {
                write!(
                    f,
                    "tile {}/{} is narrower than the tree",
                    id.level, id.index
                )
            }
            Self::TooLarge => f.write_str("the tree would be too large"),
        }
    }
}

impl core::error::Error for GrowError {}

/// The partial tiles on the right edge of a tree of `old_size` leaves, lowest level first.
///
/// These are the only tiles [`grow`] reads: at most eight, none above level 1 below 65,536 leaves.
pub fn tiles_to_load(old_size: u64) -> Vec<TileId> {
    (0..TILE_HEIGHT)
        .filter_map(|level| edge(level, old_size))
        .map(|(id, _)| id)
        .collect()
}

/// The tiles that must be written when `new_leaves` follow `old_size` leaves.
///
/// Each comes with all its bytes (at most 8,192), sorted by level and index: tiles that became
/// full and, per level, the new partial one. A tile is written over as it widens, so any narrower
/// width of it is a prefix of what is stored, and the loaded tiles may be wider than `old_size`
/// says: the excess is dropped. No leaves, no tiles. About one hash per leaf.
///
/// # Errors
/// [`GrowError::Missing`] or [`GrowError::TooNarrow`] when `loaded` lacks what the old tree has,
/// [`GrowError::TooLarge`] beyond [`SIZE_MAX`].
pub fn grow(
    old_size: u64,
    loaded: &[(TileId, Vec<u8>)],
    new_leaves: &[Hash],
) -> Result<Vec<(TileId, Vec<u8>)>, GrowError> {
    let new_size = u64::try_from(new_leaves.len())
        .ok()
        .and_then(|n| old_size.checked_add(n));
    new_size
        .filter(|size| *size <= SIZE_MAX)
        .ok_or(GrowError::TooLarge)?;
    let mut written = Vec::new();
    let mut carried = new_leaves.to_vec();
    for level in 0..TILE_HEIGHT {
        if carried.is_empty() {
            break;
        }
        let (id, bytes) = right_edge(level, old_size, loaded)?;
        carried = extend_level(id, bytes, &carried, &mut written);
    }
    Ok(written)
}

/// Appends hashes to one tile level; answers the roots of the tiles this filled.
fn extend_level(
    first: TileId,
    bytes: Vec<u8>,
    hashes: &[Hash],
    written: &mut Vec<(TileId, Vec<u8>)>,
) -> Vec<Hash> {
    let mut filled = Vec::new();
    let (mut id, mut bytes) = (first, bytes);
    for hash in hashes {
        bytes.extend_from_slice(&hash.0);
        if bytes.len() == TILE_LEN {
            filled.extend(subtree_root(&bytes));
            written.push((id, core::mem::take(&mut bytes)));
            id.index += 1;
        }
    }
    if !bytes.is_empty() {
        written.push((id, bytes));
    }
    filled
}

/// The tile the next hash of a level goes into, with the bytes the old tree has there.
fn right_edge(
    level: u8,
    old_size: u64,
    loaded: &[(TileId, Vec<u8>)],
) -> Result<(TileId, Vec<u8>), GrowError> {
    let Some((id, len)) = edge(level, old_size) else {
        let index = nodes_at(level, old_size) / u64::from(TILE_WIDTH);
        return Ok((TileId { level, index }, Vec::new()));
    };
    let (_, bytes) = loaded
        .iter()
        .find(|(other, _)| *other == id)
        .ok_or(GrowError::Missing(id))?;
    let bytes = bytes.get(..len).ok_or(GrowError::TooNarrow(id))?;
    Ok((id, bytes.to_vec()))
}

/// The partial tile of a level and its length in bytes, if the level ends in one.
fn edge(level: u8, size: u64) -> Option<(TileId, usize)> {
    let nodes = nodes_at(level, size);
    let id = TileId {
        level,
        index: nodes / u64::from(TILE_WIDTH),
    };
    let width = usize::from(id.width(size));
    (width > 0).then_some((id, width * HASH_LEN))
}
