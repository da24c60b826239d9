//! The bundle that proves a look-up: what the log says of one subject, checkable offline.

use std::sync::Arc;

use bytes::Bytes;
use merkle::Hash;
use merkle::map::MapProof;

use crate::error::Internal;
use crate::ports::store::{Freshness, StoreError};
use crate::tables::{ENTRY_INDEX, LINKS, LOG_HEAD};
use crate::types::{Avatar, Handle, Label, Name};

use super::head::Head;
use super::read::LogError;
use super::{Log, ground, map};

/// What stands in the map under a label.
#[derive(Clone, Debug)]
pub struct Present {
    /// Seqno of the newest link.
    pub seqno: u32,
    /// Its commitment.
    pub commitment: Hash,
    /// Index of its entry in the log.
    pub index: u64,
    /// What opens the commitment; `None` when the link was erased.
    pub opening: Option<Opening>,
}

/// Salt and bytes of a link: `commitment = SHA-256("sealbook/link/v1" ‖ 00 ‖ salt ‖ link)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// 32 random bytes.
    pub salt: Bytes,
    /// The link, as stored.
    pub link: Bytes,
}

/// All that is needed to check a look-up against a checkpoint.
#[derive(Clone, Debug)]
pub struct Bundle {
    /// The subject's label.
    pub label: Label,
    /// Newest link of the subject; `None` when the map proves that there is none.
    pub present: Option<Present>,
    /// Path from the label to the map root.
    pub map_proof: MapProof,
    /// The head: its last entry, at index `size - 1`, commits to the map root.
    pub head: Arc<Head>,
    /// Audit path of that last entry.
    pub inclusion: Vec<Hash>,
}

impl Log<'_> {
    /// Builds the bundle of a name against the newest head. Head and map path are read in one round
    /// trip and of one moment; then link and entry index. Never stale: the head is the newest in the
    /// store, and is published here if it was not.
    ///
    /// # Errors
    /// Our own failures only: an unknown name has a bundle too, which proves its absence.
    pub async fn name_bundle(&self, name: &Name) -> Result<Bundle, LogError> {
        self.bundle(&Handle::Name(name.clone())).await
    }

    /// The same for an avatar: it proves which link of its chain is the newest, or that there is none.
    ///
    /// # Errors
    /// Our own failures only.
    pub async fn avatar_bundle(&self, avatar: &Avatar) -> Result<Bundle, LogError> {
        self.bundle(&Handle::Avatar(avatar.kid())).await
    }

    async fn bundle(&self, of: &Handle) -> Result<Bundle, LogError> {
        let ports = self.0.ports();
        let label = of.label(&ports.label_key);
        let before = self.head();
        let (row, reader) = map::reader(&ports.store, label.0, LOG_HEAD.key(&())).await?;
        let (_, row) = row.ok_or_else(|| StoreError::Corrupt("the log has no head".into()))?;
        let head = Head::read(&LOG_HEAD.read(&row)?)?;
        if head.size != before.size || head.root != before.root {
            // Another process has moved the log, or the store has lost it: look, and publish or
            // refuse, so that no bundle shows a head that this process would not.
            ground::publish(self.0).await?;
        }
        let map_proof = reader.proof().map_err(map::unreadable)?;
        let proven = map_proof
            .verify(&label.0, &head.map_root)
            .map_err(|error| {
                StoreError::Corrupt(format!("the map does not fit its root: {error}"))
            })?;
        let present = match proven {
            Some((seqno, commitment)) => Some(self.present(label, seqno, commitment).await?),
            None => None,
        };
        let inclusion = head.map_entry_path();
        Ok(Bundle {
            label,
            present,
            map_proof,
            head: Arc::new(head),
            inclusion,
        })
    }

    async fn present(
        &self,
        label: Label,
        seqno: u32,
        commitment: Hash,
    ) -> Result<Present, Internal> {
        let key = (label, seqno);
        let link = self.row(&LINKS, &key, Freshness::Now).await?;
        let index = self.row(&ENTRY_INDEX, &key, Freshness::Now).await?;
        let index = index
            .ok_or_else(|| StoreError::Corrupt("a link has no index".into()))?
            .index;
        let opening = link.map(|row| Opening {
            salt: row.salt.into(),
            link: row.link,
        });
        Ok(Present {
            seqno,
            commitment,
            index,
            opening,
        })
    }
}
