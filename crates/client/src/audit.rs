//! The audit of a whole log: every hash, every root and every signature, from the entries up.
//!
//! Nothing is taken on trust but the key. Entries are read once, in order, a bundle at a time; in
//! memory stand one bundle, one tile per tile level, one page of checkpoints, and the map: its pages
//! take about 110 bytes for each label.
//!
//! What is checked of each entry: its bytes, its leaf hash in the tiles, that a link continues its
//! label's chain by one, that a map head holds the root of the map so far and is no older than the
//! one before. Of each stored checkpoint: signature, origin, that sizes rise, that it ends with a
//! map head, and its root; and that no map head lacks one. Tiles above level 0 are compared as soon
//! as they are full, the partial ones at the end.

mod checkpoints;
mod map;
mod tiles;

use std::error::Error;
use std::future::Future;

use merkle::Hash;
use merkle::entry::{EntryError, EntryKind, LogEntry};
use merkle::leaf_hash;
use merkle::note::{Checkpoint, VerifierKey};
use merkle::range::CompactRange;
use merkle::tile::{BundleError, TILE_WIDTH, TileId, decode_bundle};

use crate::checkpoint::{self, CheckpointError};

use checkpoints::Checkpoints;
use map::MapReplay;
use tiles::Tiles;

/// Where the parts of a log come from.
pub trait LogSource: Sync {
    /// Why a part could not be read.
    type Error: Error + Send + Sync + 'static;

    /// All signed checkpoints of size `from` and above, smallest first, a page at a time.
    fn checkpoints(
        &self,
        from: u64,
    ) -> impl Future<Output = Result<CheckpointPage, Self::Error>> + Send;

    /// The first `width` (1 to 256) hashes of a tile.
    fn tile(
        &self,
        id: TileId,
        width: u16,
    ) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;

    /// The first `width` (1 to 256) entries of bundle `index`, each behind its length.
    fn entries(
        &self,
        index: u64,
        width: u16,
    ) -> impl Future<Output = Result<Vec<u8>, Self::Error>> + Send;
}

/// Some of a log's checkpoints.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CheckpointPage {
    /// Signed notes, smallest size first. Empty only on the last page.
    pub notes: Vec<Vec<u8>>,
    /// The size the next page begins with; `None` on the last page.
    pub next: Option<u64>,
}

/// How far an audit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Entries done.
    pub done: u64,
    /// Entries in all.
    pub total: u64,
}

/// A log in which everything is in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditReport {
    /// The newest checkpoint.
    pub newest: Checkpoint,
    /// Root of the map it covers.
    pub map_root: Hash,
    /// Entries that are links.
    pub links: u64,
    /// Chains they belong to.
    pub labels: u64,
    /// Stored checkpoints, each the end of a batch.
    pub checkpoints: u64,
}

/// Why an audit did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A part of the log could not be read: nothing is said about the log.
    #[error("cannot read the log at index {index}")]
    Source {
        /// The entry the audit had come to.
        index: u64,
        /// Why.
        #[source]
        cause: Box<dyn Error + Send + Sync>,
    },
    /// The log is broken.
    #[error(transparent)]
    Fault(#[from] AuditFault),
}

/// Where a log is broken, and how.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("index {index}: {what}")]
pub struct AuditFault {
    /// The first entry that is bad; for a checkpoint that cannot be believed, the first entry that
    /// no good checkpoint before it covers.
    pub index: u64,
    /// What is wrong there.
    pub what: Finding,
}

/// What an audit found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// The bytes are no bundle.
    #[error("malformed bundle: {0}")]
    Bundle(BundleError),
    /// The bundle has more or fewer entries than the checkpoint says.
    #[error("the bundle has {0} entries")]
    BundleWidth(usize),
    /// The bytes are no entry.
    #[error("malformed entry: {0}")]
    Entry(EntryError),
    /// An entry of a kind that this version cannot check.
    #[error("an entry of a kind this version does not check")]
    Kind,
    /// A link does not continue its chain.
    #[error("link {found} of a chain, where {expected} is next")]
    Sequence {
        /// The number that would continue it.
        expected: u64,
        /// The number in the entry.
        found: u32,
    },
    /// A map head holds another root than the links before it lead to.
    #[error("the map head holds another root than its links make")]
    MapRoot,
    /// A map head is older than the one before.
    #[error("the map head is older than the one before")]
    Time,
    /// A tile has another hash than the entries make, or another length.
    #[error("a tile of level {level} does not fit the entries")]
    Tile {
        /// The tile's level.
        level: u8,
    },
    /// A checkpoint is malformed, of another log, or not signed by the key.
    #[error("checkpoint: {0}")]
    Checkpoint(CheckpointError),
    /// A checkpoint is not larger than the one before.
    #[error("the next checkpoint is of size {0}")]
    CheckpointOrder(u64),
    /// A checkpoint's root is not that of the entries.
    #[error("the checkpoint has another root than its entries make")]
    CheckpointRoot,
    /// A checkpoint that does not end with a map head.
    #[error("a checkpoint ends with an entry that is no map head")]
    CheckpointPlace,
    /// A map head without a checkpoint.
    #[error("no checkpoint ends with this map head")]
    CheckpointMissing,
    /// The pages of checkpoints do not follow each other.
    #[error("the pages of checkpoints do not follow each other")]
    CheckpointPages,
    /// The newest checkpoint's root is not that of the entries.
    #[error("the newest checkpoint has another root than its entries make")]
    NewestRoot,
    /// The newest checkpoint does not end with a map head.
    #[error("the log does not end with a map head")]
    End,
}

/// Reads a whole log and recomputes all of it, up to the signed checkpoint in `note`, which the log
/// gave as its newest. What it has beyond that is ignored. `progress` is called after each bundle.
///
/// The note is the caller's, so that what is audited is what was compared with other checkpoints.
///
/// # Errors
/// The first fault met, or that the log could not be read.
pub async fn verify_log<S: LogSource>(
    source: &S,
    note: &[u8],
    key: &VerifierKey,
    mut progress: impl FnMut(Progress),
) -> Result<AuditReport, AuditError> {
    let newest =
        checkpoint::verify(note, key).map_err(|error| fault(0, Finding::Checkpoint(error)))?;
    let mut audit = Audit {
        source,
        total: newest.size,
        range: CompactRange::new(),
        tiles: Tiles::default(),
        map: MapReplay::default(),
        checkpoints: Checkpoints::new(key),
    };
    for bundle in 0..newest.size.div_ceil(TILE_WIDTH.into()) {
        audit.bundle(bundle).await?;
        let (done, total) = (audit.range.size(), newest.size);
        progress(Progress { done, total });
    }
    audit.finish(newest).await
}

/// A fault at an index.
const fn fault(index: u64, what: Finding) -> AuditFault {
    AuditFault { index, what }
}

fn unread(index: u64, cause: impl Error + Send + Sync + 'static) -> AuditError {
    let cause = Box::new(cause);
    AuditError::Source { index, cause }
}

struct Audit<'a, S> {
    source: &'a S,
    total: u64,
    range: CompactRange,
    tiles: Tiles,
    map: MapReplay,
    checkpoints: Checkpoints<'a>,
}

impl<S: LogSource> Audit<'_, S> {
    /// Reads and checks one bundle and its tile. A fault in the links that wait for their map head
    /// comes first: it is at a lower index.
    async fn bundle(&mut self, index: u64) -> Result<(), AuditError> {
        match self.check_bundle(index).await {
            Err(AuditError::Fault(later)) => {
                self.map.settle()?;
                Err(later.into())
            }
            outcome => outcome,
        }
    }

    async fn check_bundle(&mut self, index: u64) -> Result<(), AuditError> {
        let first = self.range.size();
        let id = TileId { level: 0, index };
        let width = id.width(self.total);
        let bundle = self.source.entries(index, width).await;
        let bundle = bundle.map_err(|e| unread(first, e))?;
        let entries =
            decode_bundle(&bundle).map_err(|error| fault(first, Finding::Bundle(error)))?;
        if entries.len() != usize::from(width) {
            return Err(fault(first, Finding::BundleWidth(entries.len())).into());
        }
        let tile = self.source.tile(id, width).await;
        let tile = tile.map_err(|e| unread(first, e))?;
        let hashes = tiles::hashes(&tile, width).ok_or(fault(first, Finding::Tile { level: 0 }))?;
        for (bytes, hash) in entries.into_iter().zip(hashes) {
            self.entry(bytes, &hash).await?;
        }
        self.tiles
            .compare_full(self.source, self.range.size())
            .await
    }

    async fn entry(&mut self, bytes: &[u8], in_tile: &Hash) -> Result<(), AuditError> {
        let index = self.range.size();
        let next = self.checkpoints.next(self.source, index).await?;
        let leaf = leaf_hash(bytes);
        if leaf != *in_tile {
            return Err(fault(index, Finding::Tile { level: 0 }).into());
        }
        let entry = LogEntry::decode(bytes).map_err(|error| fault(index, Finding::Entry(error)))?;
        match entry.kind {
            EntryKind::Link => self.map.link(index, entry)?,
            EntryKind::MapHead => self.map.head(index, &entry)?,
            EntryKind::KeybaseRoot => return Err(fault(index, Finding::Kind).into()),
        }
        let tiles = &mut self.tiles;
        self.range
            .push_with(leaf, |node, hash| tiles.add(node, hash));
        let ends_batch = entry.kind == EntryKind::MapHead;
        match next.filter(|next| next.size == self.range.size()) {
            Some(_) if !ends_batch => Err(fault(index, Finding::CheckpointPlace).into()),
            Some(next) if next.root != self.range.root() => {
                Err(fault(index, Finding::CheckpointRoot).into())
            }
            Some(_) => {
                self.checkpoints.take();
                Ok(())
            }
            None if ends_batch => Err(fault(index, Finding::CheckpointMissing).into()),
            None => Ok(()),
        }
    }

    async fn finish(mut self, newest: Checkpoint) -> Result<AuditReport, AuditError> {
        self.map.settle()?;
        let last = newest.size.saturating_sub(1);
        if self.range.root() != newest.root {
            return Err(fault(last, Finding::NewestRoot).into());
        }
        self.tiles.compare_partial(self.source, newest.size).await?;
        // An empty log has no map either; ours begin with the head of the empty map.
        if newest.size > 0 && !self.map.ends_with_head() {
            return Err(fault(last, Finding::End).into());
        }
        Ok(AuditReport {
            newest,
            map_root: self.map.root(),
            links: self.map.links(),
            labels: self.map.labels(),
            checkpoints: self.checkpoints.taken(),
        })
    }
}
