//! The log in a store that is read without its server: in a data directory, or in a database.

use std::path::Path;
use std::sync::Arc;

use client::audit::{AuditReport, CheckpointPage, LogSource};
use client::checkpoint;
use engine::log::{LogAtRest, LogError};
use engine::marks::{Mark, mark};
use engine::ports::store::Store;
use merkle::note::VerifierKey;
use merkle::tile::TileId;
use outbound::remembered::Remembered;

use super::super::store::{Access, MARK_FILE};
use crate::config::StoreUrl;
use crate::failure::{Exit, Failure, chain};
use crate::wire_up::{REMEMBERED, STORE};

/// An open store and its log.
pub(super) struct AtRest {
    pub(super) log: LogAtRest,
    store: Arc<dyn Store>,
    /// What the server remembered beside the store.
    remembered: Option<Remembered>,
}

impl AtRest {
    /// Opens the store of a data directory, or a store's own directory.
    ///
    /// # Errors
    /// `NotFound` when there is none, `Conflict` when a server uses it, `Unverified` when it is
    /// damaged.
    pub(super) async fn open(dir: &Path) -> Result<Self, Failure> {
        let below = dir.join(STORE);
        let path = if below.join(MARK_FILE).exists() {
            below
        } else {
            dir.to_owned()
        };
        let access = Access::plain(StoreUrl::of_dir(&path));
        // Opening makes a store where there is none.
        let Some(store) = access.open_existing().await? else {
            let said = format!(
                "{} holds no store; if its server keeps it in a database, give the URL of that",
                dir.display()
            );
            return Err(Failure::new(Exit::NotFound, said));
        };
        let remembered = Remembered::at(dir.join(REMEMBERED));
        Self::over(store, &dir.display().to_string(), Some(remembered)).await
    }

    /// The log of an open store, which is closed if it holds none.
    ///
    /// # Errors
    /// `NotFound` when there is no log, `Unverified` when it is damaged.
    pub(super) async fn over(
        store: Arc<dyn Store>,
        name: &str,
        remembered: Option<Remembered>,
    ) -> Result<Self, Failure> {
        let opened = match LogAtRest::open(store.clone()).await {
            Ok(Some(log)) => Ok(Self {
                log,
                store: store.clone(),
                remembered,
            }),
            Ok(None) => Err(Failure::new(Exit::NotFound, format!("{name} holds no log"))),
            Err(error) => Err(Failure::new(Exit::Unverified, chain(&error))),
        };
        if opened.is_err() {
            store.close().await;
        }
        opened
    }

    /// Refuses a store that a conversion has not filled yet.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) async fn refuse_part(&self) -> Result<(), Failure> {
        let mark = mark(self.store.as_ref()).await;
        match mark.map_err(|error| Failure::failed(chain(&error)))? {
            Some(mark @ Mark::Arriving { .. }) => {
                Err(Failure::new(Exit::Conflict, mark.to_string()))
            }
            // The log in them is whole.
            Some(Mark::Moving { .. } | Mark::Moved { .. }) | None => Ok(()),
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
        let Some(remembered) = &self.remembered else {
            return Ok(());
        };
        let note = remembered.load().map_err(Failure::failed)?;
        let Some(note) = note else { return Ok(()) };
        let path = remembered.path().display();
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
