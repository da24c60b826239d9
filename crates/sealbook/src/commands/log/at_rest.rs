//! The log in the data directory of a server that does not run.

use std::path::Path;
use std::sync::Arc;

use client::audit::{AuditReport, CheckpointPage, LogSource};
use client::checkpoint;
use engine::log::{LogAtRest, LogError};
use engine::ports::store::Store;
use merkle::note::VerifierKey;
use merkle::tile::TileId;
use outbound::remembered::Remembered;

use crate::failure::{Exit, Failure, chain};
use crate::wire_up::{REMEMBERED, STORE, open_store};

/// A file every store has.
const STORE_MARK: &str = "format";

/// An open store and its log.
pub(super) struct AtRest {
    pub(super) log: LogAtRest,
    store: Arc<dyn Store>,
    remembered: Remembered,
}

impl AtRest {
    /// Opens the store of a data directory, or a store's own directory.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Conflict` when a server uses it, `Unverified` when it is
    /// damaged.
    pub(super) async fn open(dir: &Path) -> Result<Self, Failure> {
        let below = dir.join(STORE);
        let path = if below.join(STORE_MARK).exists() {
            below
        } else {
            dir.to_owned()
        };
        // Opening makes a store where there is none.
        if !path.join(STORE_MARK).exists() {
            let said = format!("{} holds no store", dir.display());
            return Err(Failure::new(Exit::NotFound, said));
        }
        let store = open_store(&format!("file:{}", path.display())).await?;
        match LogAtRest::open(store.clone()).await {
            Ok(Some(log)) => Ok(Self {
                log,
                store,
                remembered: Remembered::at(dir.join(REMEMBERED)),
            }),
            Ok(None) => {
                store.close().await;
                let said = format!("{} holds no log", dir.display());
                Err(Failure::new(Exit::NotFound, said))
            }
            Err(error) => {
                store.close().await;
                Err(Failure::new(Exit::Unverified, chain(&error)))
            }
        }
    }

    pub(super) fn log_source(&self) -> Source<'_> {
        Source(&self.log)
    }

    /// Compares the log, as it was audited, with the highest checkpoint its server remembered beside
    /// the store: the log must have the same one at that size.
    pub(super) async fn check_remembered(
        &self,
        key: &VerifierKey,
        report: &AuditReport,
    ) -> Result<(), Failure> {
        let note = self.remembered.load().map_err(Failure::failed)?;
        let Some(note) = note else { return Ok(()) };
        let path = self.remembered.path().display();
        let seen = checkpoint::verify(&note, key)
            .map_err(|error| Failure::new(Exit::Unverified, format!("{path}: {error}")))?;
        let newest = report.newest.size;
        if seen.size > newest {
            let said = format!(
                "the log ends at size {newest}, but {path} shows that one of size {} was published: \
                 the store is an old copy",
                seen.size
            );
            return Err(Failure::new(Exit::Unverified, said).at_index(newest));
        }
        let stored = self.log.checkpoints(seen.size).await;
        let stored = stored.map_err(|error| Failure::failed(chain(&error)))?;
        let stored = stored
            .notes
            .first()
            .map(|note| checkpoint::verify(note, key));
        if stored != Some(Ok(seen)) {
            let said = format!(
                "the log does not contain the checkpoint in {path}, which was published: it was \
                 rewritten"
            );
            return Err(Failure::new(Exit::Unverified, said));
        }
        Ok(())
    }

    pub(super) async fn close(self) {
        self.store.close().await;
    }
}

/// The log as an audit reads it.
pub(super) struct Source<'l>(&'l LogAtRest);

impl LogSource for Source<'_> {
    type Error = LogError;

    async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, LogError> {
        let page = self.0.checkpoints(from).await?;
        Ok(CheckpointPage {
            notes: page.notes.iter().map(|note| note.to_vec()).collect(),
            next: page.next,
        })
    }

    async fn tile(&self, id: TileId, width: u16) -> Result<Vec<u8>, LogError> {
        self.0.tile(id, width).await.map(|tile| tile.to_vec())
    }

    async fn entries(&self, index: u64, width: u16) -> Result<Vec<u8>, LogError> {
        self.0
            .entries(index, width)
            .await
            .map(|entries| entries.to_vec())
    }
}
