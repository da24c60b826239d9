//! The log: every link as one entry, in order, under one signed root.
//!
//! A unit of work that appends a link writes an *intent* in the same batch (`queue_in`). The
//! *sequencer* turns intents into entries, tiles, map pages and a signed checkpoint, in one batch of
//! its own. Readers see nothing that the newest checkpoint does not cover.

mod at_rest;
mod bundle;
mod choice;
pub(crate) mod ground;
pub(crate) mod head;
mod map;
pub(crate) mod pending;
mod read;
mod reader;
pub mod sequencer;
mod staged;
pub(crate) mod state;

use std::time::Duration;

use bytes::Bytes;
use merkle::entry::LogEntry;

use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::INTENT_SHARDS;
use crate::ports::store::{Freshness, StoreError};
use crate::processes::give_back;
use crate::processes::leases::Role;
use crate::tables::{ENTRY_INDEX, INTENTS, IndexRow, IntentRow};
use crate::tx::{Effect, Queued, Tx};
use crate::types::{Label, Seqno};

pub use at_rest::LogAtRest;
pub use bundle::{Bundle, Opening, Present};
pub use head::Head;
pub use read::LogError;
pub use reader::CheckpointPage;

/// The log service.
pub struct Log<'e>(pub(crate) &'e Engine);

impl Queued {
    fn row(&self) -> IntentRow {
        IntentRow {
            entry: Bytes::copy_from_slice(&self.entry.encode()),
            is_change: self.is_change,
        }
    }

    fn read(row: &IntentRow) -> Result<Self, StoreError> {
        let entry = LogEntry::decode(&row.entry);
        Ok(Self {
            entry: entry.map_err(|error| StoreError::Corrupt(format!("an intent: {error}")))?,
            is_change: row.is_change,
        })
    }
}

/// Queues the entry of a link in the caller's unit of work. One write.
pub(crate) fn queue_in(tx: &mut Tx<'_>, queued: Queued) {
    tx.create(&INTENTS, &intent_key(&queued.entry), &queued.row());
    tx.effect(Effect::EntryQueued(queued));
}

/// The key of an entry's intent: no clock in it, so that nothing is skipped, and spread over shards
/// by label, so that nothing is hot.
pub(crate) fn intent_key(entry: &LogEntry) -> (u8, (Label, u32)) {
    let [first, ..] = entry.label.0;
    (first % INTENT_SHARDS, (Label(entry.label), entry.seqno))
}

impl Log<'_> {
    /// Gives up the lead of the log, if this process has it: for a process that stops, so that the
    /// next one need not wait until the lease ends. Waits for a batch that runs.
    ///
    /// # Errors
    /// Our own failures only; then the lease ends by itself.
    pub async fn step_down(&self) -> Result<(), Internal> {
        let _turn = self.0.sequencer().turn().await;
        give_back(self.0, Role::Sequence, None).await
    }

    /// Waits until the published checkpoint covers a link, and answers the index of its entry, which
    /// then is below the size of [`Log::head`]; `None` when the time is over. Never stale, whichever
    /// process has sequenced the link; one that waits learns of others' checkpoints within 250 ms. One
    /// read for each checkpoint that is published meanwhile.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn wait_covered(
        &self,
        label: Label,
        seqno: Seqno,
        deadline: Duration,
    ) -> Result<Option<u64>, Internal> {
        let row = self.wait(label, seqno, deadline).await?;
        Ok(row.map(|row| row.index))
    }

    /// As [`Log::wait_covered`], for the number of a link in the feed of changes.
    ///
    /// # Errors
    /// Our own failures only.
    pub(crate) async fn wait_change(
        &self,
        label: Label,
        seqno: Seqno,
        deadline: Duration,
    ) -> Result<Option<u64>, Internal> {
        let row = self.wait(label, seqno, deadline).await?;
        Ok(row.and_then(|row| row.change))
    }

    async fn wait(
        &self,
        label: Label,
        seqno: Seqno,
        deadline: Duration,
    ) -> Result<Option<IndexRow>, Internal> {
        let ports = self.0.ports();
        let end = ports.timer.monotonic().saturating_add(deadline);
        let mut heads = self.0.published().watch();
        loop {
            // Marks the current head as seen before the read, so that no later one is missed.
            heads.borrow_and_update();
            if let Some(row) = self.covered(label, seqno).await? {
                return Ok(Some(row));
            }
            let left = end.saturating_sub(ports.timer.monotonic());
            if left.is_zero() {
                return Ok(None);
            }
            tokio::select! {
                changed = heads.changed() => {
                    if changed.is_err() {
                        return Ok(None);
                    }
                }
                () = ports.timer.sleep(left) => {}
            }
        }
    }

    /// Where a link is in the log, with a head published that covers it.
    async fn covered(&self, label: Label, seqno: Seqno) -> Result<Option<IndexRow>, Internal> {
        let key = (label, seqno.get());
        let Some(row) = self.row(&ENTRY_INDEX, &key, Freshness::Now).await? else {
            return Ok(None);
        };
        if row.index >= self.head().size {
            // Another process has sequenced it, and this one has not looked since.
            ground::publish(self.0).await?;
        }
        Ok(Some(row))
    }
}
