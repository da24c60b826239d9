//! A log in memory, copied whole, to be damaged.

use std::collections::BTreeMap;
use std::convert::Infallible;

use client::audit::{CheckpointPage, LogSource};
use client::tlog::LogClient;
use merkle::note::{Checkpoint, Note};
use merkle::tile::{TileId, tiles};

/// Checkpoints on one page: few, so that there are several.
const PAGE: usize = 3;

/// All parts of a log, as they were served.
#[derive(Clone, Default)]
pub(crate) struct Copied {
    pub(crate) newest: Vec<u8>,
    pub(crate) notes: Vec<Vec<u8>>,
    pub(crate) tiles: BTreeMap<TileId, Vec<u8>>,
    pub(crate) bundles: BTreeMap<u64, Vec<u8>>,
}

impl Copied {
    /// Copies a log over HTTP.
    pub(crate) async fn of(log: &LogClient) -> Self {
        let newest = log.checkpoint().await.unwrap();
        let mut copied = Self::default();
        for (id, width) in tiles(size(&newest)) {
            copied.tiles.insert(id, log.tile(id, width).await.unwrap());
            if id.level == 0 {
                let bundle = log.entries(id.index, width).await.unwrap();
                copied.bundles.insert(id.index, bundle);
            }
        }
        let mut from = Some(0);
        while let Some(start) = from {
            let page = log.checkpoints(start).await.unwrap();
            copied.notes.extend(page.notes);
            from = page.next;
        }
        copied.newest = newest;
        copied
    }
}

/// The size a note speaks of.
pub(crate) fn size(note: &[u8]) -> u64 {
    let text = Note::parse(note).unwrap().text;
    Checkpoint::parse(&text).unwrap().size
}

impl LogSource for Copied {
    type Error = Infallible;

    /// Places are counted instead of sizes, as a damaged note has none.
    async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, Infallible> {
        let from = usize::try_from(from).unwrap();
        let end = from + PAGE;
        let notes = self.notes.iter().skip(from).take(PAGE).cloned().collect();
        let next = (end < self.notes.len()).then_some(end as u64);
        Ok(CheckpointPage { notes, next })
    }

    async fn tile(&self, id: TileId, width: u16) -> Result<Vec<u8>, Infallible> {
        let tile = self.tiles.get(&id).cloned().unwrap_or_default();
        assert!(usize::from(width) * 32 <= tile.len() + 32, "a wider tile");
        Ok(tile)
    }

    async fn entries(&self, index: u64, _: u16) -> Result<Vec<u8>, Infallible> {
        Ok(self.bundles.get(&index).cloned().unwrap_or_default())
    }
}
