//! Rows of the log up to one size, read from a store: for the engine's log and for one at rest.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use merkle::HASH_LEN;
use merkle::entry::ENTRY_LEN;
use merkle::tile::{TileId, decode_bundle, encode_bundle};

use crate::error::Internal;
use crate::limits::CHECKPOINTS_PAGE_ROWS;
use crate::ports::store::{Freshness, Store, StoreError};
use crate::table::{Row, Table, TableKey};
use crate::tables::{BUNDLES, CHECKPOINTS, TILES};
use crate::tx::scan_table;

use super::read::LogError;

/// Rows of the log below a published head never change but for the last tile of a level and the last
/// bundle, which grow: so a cached copy will do when it is there and long enough. Else it is older
/// than the head, and is read again.
pub(super) const SETTLED: Freshness = Freshness::Within(Duration::from_secs(1));

/// Bytes an entry takes in a bundle: two of length in front of it.
const ENTRY_SPACE: usize = 2 + ENTRY_LEN;

/// A page of the log's stored checkpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPage {
    /// Signed checkpoints, smallest size first; at most [`CHECKPOINTS_PAGE_ROWS`].
    pub notes: Vec<Bytes>,
    /// Where the next page begins; `None` when this one ends with the newest published head.
    pub next: Option<u64>,
}

/// Reads below a head of this size.
pub(super) struct Reader<'s> {
    pub(super) store: &'s Arc<dyn Store>,
    pub(super) size: u64,
}

impl Reader<'_> {
    /// The signed checkpoint of one size, when there was one. One read.
    ///
    /// # Errors
    /// `Absent` or our own failure.
    pub(super) async fn checkpoint(&self, size: u64) -> Result<Bytes, LogError> {
        if size > self.size {
            return Err(LogError::Absent);
        }
        let note = self.settled(&CHECKPOINTS, &size, |_| true).await?;
        note.ok_or(LogError::Absent)
    }

    /// The signed checkpoints of all sizes from `from` on, a page at a time. One scan.
    ///
    /// # Errors
    /// Our own failures only; beyond the newest head the page is empty.
    pub(super) async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, LogError> {
        let newest = self.size;
        if from > newest {
            let (notes, next) = (Vec::new(), None);
            return Ok(CheckpointPage { notes, next });
        }
        let mut range = CHECKPOINTS.range(&[]);
        range.start = CHECKPOINTS.key(&from);
        range.end = Some(CHECKPOINTS.key(&newest.saturating_add(1)));
        let rows = scan_table(self.store, &CHECKPOINTS, range, CHECKPOINTS_PAGE_ROWS).await?;
        let last = rows.last().map(|(size, ..)| *size);
        let next = last.filter(|size| *size < newest).map(|size| size + 1);
        let notes = rows.into_iter().map(|(.., note)| note).collect();
        Ok(CheckpointPage { notes, next })
    }

    /// The first `width` (1 to 256) hashes of a tile. One read.
    ///
    /// # Errors
    /// `Absent` when the newest head does not cover it, or our own failure.
    pub(super) async fn tile(&self, id: TileId, width: u16) -> Result<Bytes, LogError> {
        if width == 0 || width > id.width(self.size) {
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
    /// As [`Reader::tile`].
    pub(super) async fn entries(&self, index: u64, width: u16) -> Result<Bytes, LogError> {
        if width == 0 || width > (TileId { level: 0, index }).width(self.size) {
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
        let rows = self.store.get_many(&[table.key(key)], fresh).await?;
        let row = rows.into_iter().next().flatten();
        Ok(row.map(|(_, value)| table.read(&value)).transpose()?)
    }
}

fn damaged(error: &merkle::tile::BundleError) -> StoreError {
    StoreError::Corrupt(format!("an entry bundle: {error}"))
}
