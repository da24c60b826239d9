//! Rows of the log up to one size, read from a store: for the engine's log and for one at rest.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use merkle::HASH_LEN;
use merkle::tile::{TileId, decode_bundle, encode_bundle};

use crate::error::Internal;
use crate::limits::CHECKPOINTS_PAGE_ROWS;
use crate::ports::store::{Freshness, Store, StoreError};
use crate::table::{Row, Table, TableKey};
use crate::tables::{BUNDLES, CHECKPOINTS, TILES};
use crate::tx::scan_table;

use super::read::LogError;

/// Rows of the log below a published head never change, so any cached copy will do.
pub(super) const SETTLED: Freshness = Freshness::Within(Duration::from_secs(1));

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
        self.row(&CHECKPOINTS, &size).await?.ok_or(LogError::Absent)
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
        let tile = self
            .row(&TILES, &(id.level, id.index))
            .await?
            .ok_or(LogError::Absent)?;
        let length = usize::from(width) * HASH_LEN;
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
        let bundle = self.row(&BUNDLES, &index).await?.ok_or(LogError::Absent)?;
        let entries = decode_bundle(&bundle).map_err(|error| damaged(&error))?;
        let count = usize::from(width);
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

    pub(super) async fn row<K: TableKey, V: Row>(
        &self,
        table: &Table<K, V>,
        key: &K,
    ) -> Result<Option<V>, Internal> {
        let rows = self.store.get_many(&[table.key(key)], SETTLED).await?;
        let row = rows.into_iter().next().flatten();
        Ok(row.map(|(_, value)| table.read(&value)).transpose()?)
    }
}

fn damaged(error: &merkle::tile::BundleError) -> StoreError {
    StoreError::Corrupt(format!("an entry bundle: {error}"))
}
