//! Loading the pages of the map that a change or a proof needs.

use std::sync::Arc;

use merkle::Hash;
use merkle::map::{MapBatch, MapReader, PageId};

use crate::error::Internal;
use crate::limits::READ_KEYS_MAX;
use crate::ports::store::{Freshness, Key, Store, StoreError, Version};
use crate::tables::MAP_PAGES;

/// A stored row, as the store returns it.
type Stored = Option<(Version, bytes::Bytes)>;

/// Loads all pages that changing `labels` touches: one read per level of the tree.
///
/// # Errors
/// Our own failures only.
pub(super) async fn load(store: &Arc<dyn Store>, labels: Vec<Hash>) -> Result<MapBatch, Internal> {
    let mut batch = MapBatch::load(labels);
    loop {
        let wanted = batch.wanted();
        if wanted.is_empty() {
            return Ok(batch);
        }
        for ids in wanted.chunks(READ_KEYS_MAX) {
            let keys: Vec<Key> = ids.iter().map(page_key).collect();
            let pages = store.get_many(&keys, Freshness::Now).await?;
            for (id, page) in ids.iter().zip(pages) {
                let page = page.as_ref().map(|(_, bytes)| bytes.as_ref());
                batch.supply(*id, page).map_err(unreadable)?;
            }
        }
    }
}

/// A reader of one label's path and the row `first`, all from one moment of the store, so that path
/// and head belong together.
///
/// One round trip. Labels are hashes, so a path longer than the 32 bits it covers is rare; then all
/// is read again, with the pages found missing.
///
/// # Errors
/// Our own failures only.
pub(super) async fn reader(
    store: &Arc<dyn Store>,
    label: Hash,
    first: Key,
) -> Result<(Stored, MapReader), Internal> {
    let mut ids: Vec<PageId> = Vec::new();
    loop {
        let mut reader = MapReader::new(label);
        let mut wanted = reader.wanted();
        wanted.extend(&ids);
        let keys: Vec<Key> = std::iter::once(first.clone())
            .chain(wanted.iter().map(page_key))
            .collect();
        let mut rows = store.get_many(&keys, Freshness::Now).await?.into_iter();
        let head = rows.next().flatten();
        supply(&mut reader, &wanted, rows)?;
        let missing = reader.wanted();
        if missing.is_empty() {
            return Ok((head, reader));
        }
        ids.extend(missing);
    }
}

fn supply(
    reader: &mut MapReader,
    ids: &[PageId],
    rows: impl Iterator<Item = Stored>,
) -> Result<(), Internal> {
    for (id, row) in ids.iter().zip(rows) {
        let page = row.as_ref().map(|(_, bytes)| bytes.as_ref());
        reader.supply(*id, page).map_err(unreadable)?;
    }
    Ok(())
}

pub(super) fn page_key(id: &PageId) -> Key {
    MAP_PAGES.key(&id.key())
}

pub(super) fn unreadable(error: merkle::map::MapError) -> Internal {
    StoreError::Corrupt(format!("the map: {error}")).into()
}
