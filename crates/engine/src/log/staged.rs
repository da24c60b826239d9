//! One batch of the sequencer, computed in memory: pure, no store, no clock.

use bytes::Bytes;
use merkle::entry::LogEntry;
use merkle::map::MapChange;
use merkle::note::Checkpoint;
use merkle::range::CompactRange;
use merkle::tile::{TILE_WIDTH, TileId, decode_bundle, encode_bundle, grow};
use merkle::{Hash, leaf_hash};

use crate::ports::store::StoreError;
use crate::types::UnixMillis;

/// What the right edge of the log looks like before the batch.
pub(crate) struct Edge {
    /// Hashes of the complete subtrees.
    pub(crate) range: CompactRange,
    /// The partial tiles, as stored.
    pub(crate) tiles: Vec<(TileId, Vec<u8>)>,
    /// The last entry bundle when it is not full, else empty.
    pub(crate) bundle: Bytes,
}

/// The log after the batch, and the rows that bring it there.
pub(crate) struct Staged {
    /// The log without its last entry, the head of the map.
    pub(crate) before: CompactRange,
    pub(crate) range: CompactRange,
    pub(crate) root: Hash,
    pub(crate) tiles: Vec<(TileId, Vec<u8>)>,
    pub(crate) bundles: Vec<(u64, Vec<u8>)>,
}

impl Staged {
    /// Appends `links` and the head of the map they lead to.
    ///
    /// # Errors
    /// `Corrupt` when the stored edge does not fit together.
    pub(crate) fn build(
        edge: &Edge,
        links: &[LogEntry],
        map: &MapChange,
        time: UnixMillis,
    ) -> Result<Self, StoreError> {
        let map_head = LogEntry::map_head(map.root, time.0);
        let entries: Vec<_> = links
            .iter()
            .chain(std::iter::once(&map_head))
            .map(LogEntry::encode)
            .collect();
        let leaves: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let (mut before, mut range) = (edge.range.clone(), edge.range.clone());
        for leaf in &leaves {
            before.clone_from(&range);
            range.push(*leaf);
        }
        let tiles = grow(edge.range.size(), &edge.tiles, &leaves)
            .map_err(|error| StoreError::Corrupt(format!("the tiles of the log: {error}")))?;
        let bundles = bundles(edge, &entries)?;
        Ok(Self {
            root: range.root(),
            before,
            range,
            tiles,
            bundles,
        })
    }

    /// The text to sign.
    pub(crate) fn checkpoint(&self, origin: &str) -> Checkpoint {
        Checkpoint {
            origin: origin.into(),
            size: self.range.size(),
            root: self.root,
        }
    }
}

/// The entry bundles that change, each with all its entries so far.
fn bundles(edge: &Edge, entries: &[[u8; 78]]) -> Result<Vec<(u64, Vec<u8>)>, StoreError> {
    let corrupt = |what: &str| StoreError::Corrupt(format!("the entries of the log: {what}"));
    let width = u64::from(TILE_WIDTH);
    let size = edge.range.size();
    let mut held: Vec<&[u8]> =
        decode_bundle(&edge.bundle).map_err(|error| corrupt(&error.to_string()))?;
    if held.len() as u64 != size % width {
        return Err(corrupt("the last bundle does not fit the size"));
    }
    let mut index = size / width;
    let mut bundles = Vec::with_capacity(entries.len() / usize::from(TILE_WIDTH) + 2);
    for entry in entries {
        held.push(entry);
        if held.len() == usize::from(TILE_WIDTH) {
            bundles.push((index, encode(&held)?));
            held.clear();
            index += 1;
        }
    }
    if !held.is_empty() {
        bundles.push((index, encode(&held)?));
    }
    Ok(bundles)
}

fn encode(entries: &[&[u8]]) -> Result<Vec<u8>, StoreError> {
    encode_bundle(entries).map_err(|error| StoreError::Corrupt(error.to_string()))
}
