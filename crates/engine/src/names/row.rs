//! Rows of the name tables as domain values.

use merkle::Hash;

use crate::ports::store::StoreError;
use crate::tables::{NameRow, ToxRecordRow};
use crate::types::{Bio, IdentityId, Name, ToxId, ToxRecord, UnixMillis, Visibility};

/// Bit of the toxme door in [`NameRow::doors`].
pub(super) const DOOR_TOXME: u32 = 1;

impl NameRow {
    pub(super) fn identity(&self) -> Result<IdentityId, StoreError> {
        let bytes: Option<[u8; 16]> = self.identity.as_slice().try_into().ok();
        bytes.map(IdentityId).ok_or_else(|| malformed("name"))
    }
}

impl ToxRecordRow {
    /// The record as the domain sees it.
    pub(super) fn record(&self) -> Result<ToxRecord, StoreError> {
        let tox_id: Option<[u8; 38]> = self.tox_id.as_slice().try_into().ok();
        Ok(ToxRecord {
            name: Name::parse(&self.name).map_err(|_| malformed("Tox record"))?,
            tox_id: tox_id
                .and_then(ToxId::from_bytes)
                .ok_or_else(|| malformed("Tox record"))?,
            bio: Bio::parse(&self.bio).ok_or_else(|| malformed("Tox record"))?,
            visibility: Visibility::from_privacy(self.visibility.into()),
            changed_at: UnixMillis(self.changed_at_ms),
            is_proven: !self.unproven,
        })
    }
}

/// SHA-256 of a bio, as links hold it.
pub(super) fn bio_hash(bio: &Bio) -> Hash {
    Hash(crypto::token::sha256(bio.as_str().as_bytes()))
}

pub(super) fn malformed(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a {what} row is malformed"))
}
