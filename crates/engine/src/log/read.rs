//! Reads of the log: checkpoint, tiles, entries, proofs. All below the newest published head.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use merkle::entry::ENTRY_LEN;
use merkle::proof::{ConsistencyPlan, InclusionPlan, ProofError};
use merkle::tile::{NodeId, TileId, decode_bundle, encode_bundle, node_in_tile, tile_of};
use merkle::{HASH_LEN, Hash};

use crate::error::Internal;
use crate::limits::CHECKPOINTS_PAGE_ROWS;
use crate::ports::store::{Freshness, Key, StoreError, Version};
use crate::table::{Row, Table, TableKey};
use crate::tables::{BUNDLES, CHECKPOINTS, TILES};
use crate::tx::scan_table;

use super::Log;
use super::head::Head;

/// Rows of the log below a published head never change but for the last tile of a level and the last
/// bundle, which grow: so a cached copy will do when it is there and long enough. Else it is older
/// than the head, and is read again.
pub(super) const SETTLED: Freshness = Freshness::Within(Duration::from_secs(1));

/// Bytes an entry takes in a bundle: two of length in front of it.
const ENTRY_SPACE: usize = 2 + ENTRY_LEN;

/// Why a part of the log was not served.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The newest checkpoint does not cover it, or it is no part of any log.
    #[error("the log has no such part")]
    Absent,
    /// Index and size do not make a proof.
    #[error("no proof for this: {0}")]
    NoProof(ProofError),
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

impl From<StoreError> for LogError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

/// A page of the log's stored checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPage {
    /// Signed checkpoints, smallest size first; at most [`CHECKPOINTS_PAGE_ROWS`].
    pub notes: Vec<Bytes>,
    /// Where the next page begins; `None` when this one ends with the newest published head.
    pub next: Option<u64>,
}

impl Log<'_> {
    /// The newest published head.
    #[must_use]
    pub fn head(&self) -> Arc<Head> {
        self.0.published().head()
    }

    /// The log's origin line.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.0.origin()
    }

    /// The key checkpoints verify with, as `name+id+key`.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.0.log_key().to_string()
    }

    /// The signed checkpoint of one size, when there was one. One read.
    ///
    /// # Errors
    /// `Absent` or our own failure.
    pub async fn checkpoint(&self, size: u64) -> Result<Bytes, LogError> {
        if size > self.head().size {
            return Err(LogError::Absent);
        }
        let note = self.settled(&CHECKPOINTS, &size, |_| true).await?;
        note.ok_or(LogError::Absent)
    }

    /// The signed checkpoints of all sizes from `from` on, a page at a time. One scan.
    ///
    /// # Errors
    /// Our own failures only; beyond the newest head the page is empty.
    pub async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, LogError> {
        let newest = self.head().size;
        if from > newest {
            let (notes, next) = (Vec::new(), None);
            return Ok(CheckpointPage { notes, next });
        }
        let mut range = CHECKPOINTS.range(&[]);
        range.start = CHECKPOINTS.key(&from);
        range.end = Some(CHECKPOINTS.key(&newest.saturating_add(1)));
        let store = &self.0.ports().store;
        let rows = scan_table(store, &CHECKPOINTS, range, CHECKPOINTS_PAGE_ROWS).await?;
        let last = rows.last().map(|(size, ..)| *size);
        let next = last.filter(|size| *size < newest).map(|size| size + 1);
        let notes = rows.into_iter().map(|(.., note)| note).collect();
        Ok(CheckpointPage { notes, next })
    }

    /// The first `width` (1 to 256) hashes of a tile. One read.
    ///
    /// # Errors
    /// `Absent` when the newest head does not cover it, or our own failure.
    pub async fn tile(&self, id: TileId, width: u16) -> Result<Bytes, LogError> {
        if width == 0 || width > id.width(self.head().size) {
            return Err(LogError::Absent);
        }
        let length = usize::from(width) * HASH_LEN;
        let tile = self
            .settled(&TILES, &(id.level, id.index), |tile| tile.len() >= length)
            .await?
            .ok_or(LogError::Absent)?;
        tile.get(..length)
            .map(|hashes| tile.slice_ref(hashes))
            .ok_or(LogError::Absent)
    }

    /// The first `width` (1 to 256) entries of a bundle, length-prefixed. One read.
    ///
    /// # Errors
    /// As [`Log::tile`].
    pub async fn entries(&self, index: u64, width: u16) -> Result<Bytes, LogError> {
        if width == 0 || width > (TileId { level: 0, index }).width(self.head().size) {
            return Err(LogError::Absent);
        }
        let count = usize::from(width);
        let is_long = |bundle: &Bytes| bundle.len() >= count * ENTRY_SPACE;
        let bundle = self.settled(&BUNDLES, &index, is_long).await?;
        let bundle = bundle.ok_or(LogError::Absent)?;
        let entries = decode_bundle(&bundle).map_err(|error| damaged(&error))?;
        match entries.len().cmp(&count) {
            std::cmp::Ordering::Less => Err(LogError::Absent),
            std::cmp::Ordering::Equal => Ok(bundle),
            std::cmp::Ordering::Greater => {
                let first = entries.into_iter().take(count);
                Ok(encode_bundle(first)
                    .map_err(|error| damaged(&error))?
                    .into())
            }
        }
    }

    /// The audit path of an entry in the log of `size`, leaf to root. One read of a few tiles.
    ///
    /// # Errors
    /// `NoProof` for an index not below `size`, `Absent` for a size beyond the newest head.
    pub async fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        self.covers(size)?;
        let plan = InclusionPlan::new(index, size).map_err(LogError::NoProof)?;
        let hashes = self.nodes(plan.nodes()).await?;
        plan.finish(&hashes).map_err(LogError::NoProof)
    }

    /// The proof that the log of `first` entries is a prefix of the log of `second`.
    ///
    /// # Errors
    /// As [`Log::inclusion`].
    pub async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, LogError> {
        self.covers(second)?;
        let plan = ConsistencyPlan::new(first, second).map_err(LogError::NoProof)?;
        let hashes = self.nodes(plan.nodes()).await?;
        plan.finish(&hashes).map_err(LogError::NoProof)
    }

    fn covers(&self, size: u64) -> Result<(), LogError> {
        if size > self.head().size {
            Err(LogError::Absent)
        } else {
            Ok(())
        }
    }

    /// Hashes of complete subtrees, from the tiles they stand in; each tile is read once.
    async fn nodes(&self, nodes: &[NodeId]) -> Result<Vec<Hash>, LogError> {
        let mut ids: Vec<TileId> = nodes.iter().map(|node| tile_of(*node).0).collect();
        ids.sort_unstable();
        ids.dedup();
        let keys: Vec<Key> = ids
            .iter()
            .map(|id| TILES.key(&(id.level, id.index)))
            .collect();
        let store = &self.0.ports().store;
        let cached = store.get_many(&keys, SETTLED).await?;
        match nodes_in(nodes, &ids, &cached) {
            Ok(hashes) => Ok(hashes),
            Err(_) => {
                let tiles = store.get_many(&keys, Freshness::Now).await?;
                Ok(nodes_in(nodes, &ids, &tiles)?)
            }
        }
    }

    /// A row that stands still once a published head covers it: from a cache when `is_whole`.
    async fn settled<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        key: &K,
        is_whole: impl Fn(&V) -> bool,
    ) -> Result<Option<V>, Internal> {
        match self.row(table, key, SETTLED).await? {
            Some(row) if is_whole(&row) => Ok(Some(row)),
            _ => self.row(table, key, Freshness::Now).await,
        }
    }

    pub(super) async fn row<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        key: &K,
        fresh: Freshness,
    ) -> Result<Option<V>, Internal> {
        let store = &self.0.ports().store;
        let rows = store.get_many(&[table.key(key)], fresh).await?;
        let row = rows.into_iter().next().flatten();
        Ok(row.map(|(_, value)| table.read(&value)).transpose()?)
    }
}

/// Picks node hashes out of tiles; `tiles` are those of the sorted `ids`.
fn nodes_in(
    nodes: &[NodeId],
    ids: &[TileId],
    tiles: &[Option<(Version, Bytes)>],
) -> Result<Vec<Hash>, StoreError> {
    let hash = |node: &NodeId| {
        let at = ids.binary_search(&tile_of(*node).0).ok()?;
        let (_, tile) = tiles.get(at)?.as_ref()?;
        node_in_tile(tile, *node)
    };
    let missing = |node: &NodeId| {
        let NodeId { level, index } = node;
        StoreError::Corrupt(format!("hash {index} of level {level} is missing"))
    };
    nodes
        .iter()
        .map(|node| hash(node).ok_or_else(|| missing(node)))
        .collect()
}

fn damaged(error: &merkle::tile::BundleError) -> StoreError {
    StoreError::Corrupt(format!("an entry bundle: {error}"))
}
