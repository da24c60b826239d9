//! Reads of the log: checkpoint, tiles, entries, proofs. All below the newest published head.

use std::sync::Arc;

use bytes::Bytes;
use merkle::Hash;
use merkle::entry::LogEntry;
use merkle::proof::{ConsistencyPlan, InclusionPlan, ProofError};
use merkle::tile::{NodeId, TILE_WIDTH, TileId, decode_bundle, node_in_tile, tile_of};

use crate::error::Internal;
use crate::ports::store::{Freshness, Key, StoreError, Version};
use crate::table::{Row, Table, TableKey};
use crate::tables::{BUNDLES, TILES};

use super::Log;
use super::head::Head;
use super::reader::{CheckpointPage, Reader, SETTLED};

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

/// How stale these reads may be: each sees every batch that this process sequenced before, and those
/// of other processes at most a quarter of a second late, when this one publishes their head. What a
/// head covers never changes, so what is read below it is never stale.
impl Log<'_> {
    /// The newest head published here: at most 250 ms behind other processes.
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

    /// The signed checkpoint of one size, when there was one. One read. Absent until the head
    /// published here, at most 250 ms behind other processes, covers it.
    ///
    /// # Errors
    /// `Absent` or our own failure.
    pub async fn checkpoint(&self, size: u64) -> Result<Bytes, LogError> {
        self.reader().checkpoint(size).await
    }

    /// The signed checkpoints of all sizes from `from` on, a page at a time. One scan.
    ///
    /// # Errors
    /// Our own failures only; beyond the newest head, as [`Log::head`] knows it, the page is empty.
    pub async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, LogError> {
        self.reader().checkpoints(from).await
    }

    /// The first `width` (1 to 256) hashes of a tile. One read.
    ///
    /// # Errors
    /// `Absent` when the newest head, as [`Log::head`] knows it, does not cover it, or our own
    /// failure.
    pub async fn tile(&self, id: TileId, width: u16) -> Result<Bytes, LogError> {
        self.reader().tile(id, width).await
    }

    /// The first `width` (1 to 256) entries of a bundle, length-prefixed. One read.
    ///
    /// # Errors
    /// As [`Log::tile`].
    pub async fn entries(&self, index: u64, width: u16) -> Result<Bytes, LogError> {
        self.reader().entries(index, width).await
    }

    /// The entries `from..to`, which a published head covers, as they are stored now. One read of a
    /// row for each 256.
    ///
    /// # Errors
    /// Our own failures only.
    pub(crate) async fn entries_between(
        &self,
        from: u64,
        to: u64,
    ) -> Result<Vec<LogEntry>, Internal> {
        let width = u64::from(TILE_WIDTH);
        let numbers = from / width..to.div_ceil(width);
        let keys: Vec<Key> = numbers.clone().map(|number| BUNDLES.key(&number)).collect();
        let rows = self.0.ports().store.get_many(&keys, Freshness::Now).await?;
        let mut entries = Vec::new();
        for (number, row) in numbers.zip(rows) {
            let missing = || StoreError::Corrupt(format!("entry bundle {number} is missing"));
            let (_, bundle) = row.ok_or_else(missing)?;
            let bundle = decode_bundle(&bundle)
                .map_err(|error| StoreError::Corrupt(format!("an entry bundle: {error}")))?;
            for (index, entry) in (number * width..).zip(bundle) {
                if (from..to).contains(&index) {
                    entries.push(
                        LogEntry::decode(entry).map_err(|error| {
                            StoreError::Corrupt(format!("entry {index}: {error}"))
                        })?,
                    );
                }
            }
        }
        if entries.len() as u64 != to.saturating_sub(from) {
            let cause = StoreError::Corrupt("an entry bundle is too short".into());
            return Err(cause.into());
        }
        Ok(entries)
    }

    /// The audit path of an entry in the log of `size`, leaf to root. One read of a few tiles.
    ///
    /// # Errors
    /// `NoProof` for an index not below `size`, `Absent` for a size beyond the newest head, as
    /// [`Log::head`] knows it.
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

    pub(super) async fn row<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        key: &K,
        fresh: Freshness,
    ) -> Result<Option<V>, Internal> {
        self.reader().row(table, key, fresh).await
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            store: &self.0.ports().store,
            size: self.head().size,
        }
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
