//! A log read straight from a store that no engine runs over: for verifying a copy. Needs no keys
//! and writes nothing.

use std::sync::Arc;

use bytes::Bytes;
use merkle::note::{KeyName, VerifierKey};
use merkle::tile::TileId;

use crate::error::Internal;
use crate::ports::store::{Freshness, Store, StoreError};
use crate::tables::{LOG_HEAD, META};

use super::head::Head;
use super::read::LogError;
use super::reader::{CheckpointPage, Reader};

/// The log of a store at rest, up to the head it had when opened.
pub struct LogAtRest {
    store: Arc<dyn Store>,
    key: VerifierKey,
    head: Head,
}

impl LogAtRest {
    /// Opens the log; `None` when the store holds none. One read.
    ///
    /// # Errors
    /// When the store cannot be read, or holds a log whose identity or head is damaged.
    pub async fn open(store: Arc<dyn Store>) -> Result<Option<Self>, Internal> {
        let keys = [META.key(&()), LOG_HEAD.key(&())];
        let mut rows = store.get_many(&keys, Freshness::Now).await?.into_iter();
        let (meta, head) = (rows.next().flatten(), rows.next().flatten());
        let (Some((_, meta)), Some((_, head))) = (meta, head) else {
            return Ok(None);
        };
        let (meta, head) = (META.read(&meta)?, LOG_HEAD.read(&head)?);
        let key = KeyName::parse(&meta.origin)
            .ok()
            .zip(meta.log_key.as_slice().try_into().ok())
            .map(|(name, key): (_, [u8; 32])| VerifierKey::ed25519(name, &key))
            .ok_or_else(|| StoreError::Corrupt("the log's identity is malformed".into()))?;
        let head = Head::read(&head)?;
        Ok(Some(Self { store, key, head }))
    }

    /// The key checkpoints verify with, by the store's own account.
    #[must_use]
    pub fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }

    /// The newest head.
    #[must_use]
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// The signed checkpoints of all sizes from `from` on, a page at a time. One scan.
    ///
    /// # Errors
    /// Our own failures only; beyond the newest head the page is empty.
    pub async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, LogError> {
        self.reader().checkpoints(from).await
    }

    /// The first `width` (1 to 256) hashes of a tile. One read.
    ///
    /// # Errors
    /// `Absent` when the head does not cover it or it is missing, or our own failure.
    pub async fn tile(&self, id: TileId, width: u16) -> Result<Bytes, LogError> {
        self.reader().tile(id, width).await
    }

    /// The first `width` (1 to 256) entries of a bundle, length-prefixed. One read.
    ///
    /// # Errors
    /// As [`LogAtRest::tile`].
    pub async fn entries(&self, index: u64, width: u16) -> Result<Bytes, LogError> {
        self.reader().entries(index, width).await
    }

    fn reader(&self) -> Reader<'_> {
        Reader {
            store: &self.store,
            size: self.head.size,
        }
    }
}
