//! The tiles above level 0, rebuilt as the entries go by.

use merkle::tile::{NodeId, TILE_HEIGHT, TILE_LEN, TILE_WIDTH, TileId};
use merkle::{HASH_LEN, Hash};

use super::{AuditError, Finding, LogSource, fault, unread};

/// One unfinished tile per level from 1 on, and those that were filled since the last comparison.
#[derive(Default)]
pub(super) struct Tiles {
    open: Vec<Vec<u8>>,
    full: Vec<(TileId, Vec<u8>)>,
}

impl Tiles {
    /// Takes the hash of a node on a tile boundary.
    pub(super) fn add(&mut self, node: NodeId, hash: Hash) {
        let level = node.level / TILE_HEIGHT;
        let at = usize::from(level).saturating_sub(1);
        if self.open.len() <= at {
            self.open.resize(at + 1, Vec::new());
        }
        let Some(tile) = self.open.get_mut(at) else {
            return;
        };
        tile.extend_from_slice(&hash.0);
        if tile.len() == TILE_LEN {
            let index = node.index / u64::from(TILE_WIDTH);
            let id = TileId { level, index };
            self.full.push((id, std::mem::take(tile)));
        }
    }

    /// Compares the tiles that have become full. `index` is where the audit has come to.
    pub(super) async fn compare_full<S: LogSource>(
        &mut self,
        source: &S,
        index: u64,
    ) -> Result<(), AuditError> {
        for (id, expected) in self.full.drain(..) {
            compare(source, id, &expected, index).await?;
        }
        Ok(())
    }

    /// Compares the tiles that end a log of `size` entries.
    pub(super) async fn compare_partial<S: LogSource>(
        &self,
        source: &S,
        size: u64,
    ) -> Result<(), AuditError> {
        for (level, expected) in (1..).zip(&self.open) {
            let Some(nodes) = size.checked_shr(u32::from(level * TILE_HEIGHT)) else {
                break;
            };
            let index = nodes / u64::from(TILE_WIDTH);
            if !expected.is_empty() {
                compare(source, TileId { level, index }, expected, size).await?;
            }
        }
        Ok(())
    }
}

async fn compare<S: LogSource>(
    source: &S,
    id: TileId,
    expected: &[u8],
    index: u64,
) -> Result<(), AuditError> {
    let width = u16::try_from(expected.len() / HASH_LEN).unwrap_or(TILE_WIDTH);
    let tile = source.tile(id, width).await;
    let tile = tile.map_err(|e| unread(index, e))?;
    if tile == expected {
        return Ok(());
    }
    let pairs = tile.chunks(HASH_LEN).zip(expected.chunks(HASH_LEN));
    let same = pairs.take_while(|(found, wanted)| found == wanted).count();
    let node = id.index * u64::from(TILE_WIDTH) + same as u64;
    let first = node << (id.level * TILE_HEIGHT);
    Err(fault(first, Finding::Tile { level: id.level }).into())
}

/// The hashes of a tile of that width.
pub(super) fn hashes(tile: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = tile.as_chunks::<HASH_LEN>();
    let fits = rest.is_empty() && hashes.len() == usize::from(width);
    fits.then(|| hashes.iter().copied().map(Hash).collect())
}
