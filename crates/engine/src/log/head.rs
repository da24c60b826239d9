//! The newest head of the log: as stored, and as published inside this process.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use merkle::entry::LogEntry;
use merkle::note::{Checkpoint, Note};
use merkle::range::CompactRange;
use merkle::{Hash, leaf_hash};
use tokio::sync::watch;

use crate::ports::store::StoreError;
use crate::tables::LogHeadRow;
use crate::types::UnixMillis;

/// A head: the log of one size, and the map that its last entry commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries in the log; the last one is always a map head.
    pub size: u64,
    /// Root of the log.
    pub root: Hash,
    /// Root of the map.
    pub map_root: Hash,
    /// When it was signed; never less than that of the head before.
    pub time: UnixMillis,
    /// The signed checkpoint.
    pub note: Bytes,
    /// Links in the feed of changes, and the number of the newest one. Not signed.
    pub changes: u64,
    /// The log without its last entry.
    pub(crate) before: CompactRange,
    /// The log.
    pub(crate) edge: CompactRange,
}

impl Head {
    /// The head of the log `before` with the head of the map behind it, signed by `note`.
    pub(crate) fn new(before: CompactRange, map_root: Hash, time: UnixMillis, note: Bytes) -> Self {
        let mut edge = before.clone();
        edge.push(leaf_hash(&LogEntry::map_head(map_root, time.0).encode()));
        Self {
            size: edge.size(),
            root: edge.root(),
            map_root,
            time,
            note,
            changes: 0,
            before,
            edge,
        }
    }

    /// The same head, of a log with this many changes.
    pub(crate) fn with_changes(self, changes: u64) -> Self {
        Self { changes, ..self }
    }

    /// Reads a stored head and checks that its parts agree: edge, map root and time lead to the
    /// root that was signed.
    pub(crate) fn read(row: &LogHeadRow) -> Result<Self, StoreError> {
        Self::parse(row).ok_or_else(|| StoreError::Corrupt("the log head is malformed".into()))
    }

    fn parse(row: &LogHeadRow) -> Option<Self> {
        let before: Option<Vec<Hash>> = row.edge.chunks(32).map(Hash::from_slice).collect();
        let before = CompactRange::from_parts(row.size.checked_sub(1)?, before?)?;
        let map_root = Hash::from_slice(&row.map_root)?;
        let head = Self::new(before, map_root, UnixMillis(row.time_ms), row.note.clone())
            .with_changes(row.changes);
        let signed = Checkpoint::parse(&Note::parse(&row.note).ok()?.text).ok()?;
        (signed.size == head.size && signed.root == head.root).then_some(head)
    }

    /// The log's last entry, at index `size - 1`: what binds the map root to the log's root.
    #[must_use]
    pub fn map_entry(&self) -> LogEntry {
        LogEntry::map_head(self.map_root, self.time.0)
    }

    /// The audit path of that entry, leaf to root: the right edge of the log before it, so that a
    /// bundle needs no tile and no hash for it.
    #[must_use]
    pub fn map_entry_path(&self) -> Vec<Hash> {
        self.before.hashes().iter().rev().copied().collect()
    }

    pub(crate) fn row(&self) -> LogHeadRow {
        LogHeadRow {
            size: self.size,
            edge: self
                .before
                .hashes()
                .iter()
                .flat_map(|hash| hash.0)
                .collect(),
            map_root: self.map_root.0.to_vec(),
            time_ms: self.time.0,
            note: self.note.clone(),
            changes: self.changes,
        }
    }
}

/// The newest head this process has seen, and whether it may still write.
///
/// A head only ever moves forward. One that is smaller, or differs for the same size, means that the
/// store is an old backup or has lost writes: then this process takes no further writes.
pub(crate) struct Published {
    head: watch::Sender<Arc<Head>>,
    halted: OnceLock<String>,
}

impl Published {
    pub(crate) fn new(head: Head) -> Self {
        Self {
            head: watch::Sender::new(Arc::new(head)),
            halted: OnceLock::new(),
        }
    }

    /// The newest head.
    pub(crate) fn head(&self) -> Arc<Head> {
        self.head.borrow().clone()
    }

    /// Tells of every newer head.
    pub(crate) fn watch(&self) -> watch::Receiver<Arc<Head>> {
        self.head.subscribe()
    }

    /// Takes note of a head that was just committed, or that a read from the store found. `before`
    /// is the head that was published when that read began: the store may not be behind it, while
    /// it may well be behind what other tasks have published since. Answers whether the head fits;
    /// one that does not halts the process's writes.
    pub(crate) fn observe(&self, before: &Head, found: Head) -> bool {
        let mut contradicted = contradicts(before, &found).then(|| Arc::new(before.clone()));
        if contradicted.is_none() {
            self.head.send_if_modified(|seen| {
                if found.size > seen.size {
                    *seen = Arc::new(found.clone());
                    return true;
                }
                if found.size == seen.size && found.root != seen.root {
                    contradicted = Some(seen.clone());
                }
                false
            });
        }
        if let Some(seen) = &contradicted {
            self.halt(fork_warning(seen, &found));
        }
        contradicted.is_none()
    }

    /// Stops all writes of this process for good. The first reason stays.
    pub(crate) fn halt(&self, reason: String) {
        if self.halted.set(reason.clone()).is_ok() {
            tracing::error!("writes stopped: {reason}");
        }
    }

    /// Why writes are stopped, if they are.
    pub(crate) fn halted(&self) -> Option<&str> {
        self.halted.get().map(String::as_str)
    }
}

/// Whether a later read may not have found this head.
fn contradicts(before: &Head, found: &Head) -> bool {
    found.size < before.size
        || found.time < before.time
        || found.changes < before.changes
        || (found.size == before.size && found.root != before.root)
}

/// What to tell an operator about a head that contradicts one seen before.
pub(crate) fn fork_warning(seen: &Head, found: &Head) -> String {
    format!(
        "the store holds a log head of size {} and root {}, which does not continue the one of size \
         {} and root {} published before: it is an old backup or has lost writes. Restore the \
         newest copy; publishing from this one would fork the log",
        found.size,
        found.root.to_hex(),
        seen.size,
        seen.root.to_hex(),
    )
}
