//! Rows of avatars as domain values, and the one way they are written.

use std::collections::BTreeSet;
use std::time::Duration;

use crypto::secp256k1::PublicKey;
use merkle::Hash;

use crate::engine::Engine;
use crate::ports::store::StoreError;
use crate::tables::{
    AVATARS, AvatarRow, CLAIM_IDENTITIES, CLAIMS_DUE, ClaimEntry, DueRow, SeenRow,
};
use crate::tx::{Effect, Tx};
use crate::types::{Avatar, Handle, Label, UnixMillis, fold, state_hash};

use super::ClaimView;

impl AvatarRow {
    /// The row of an avatar that has none yet.
    pub(super) fn of(avatar: &Avatar) -> Self {
        Self {
            key: avatar.as_bytes().to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn avatar(&self) -> Result<Avatar, StoreError> {
        Avatar::from_bytes(&self.key).ok_or_else(|| malformed("avatar"))
    }

    /// The same of a row that stands under a label, without the cost of parsing a key: the label is
    /// the hash of one that was parsed.
    pub(super) fn avatar_at(&self, engine: &Engine, label: Label) -> Result<Avatar, StoreError> {
        let key = <[u8; 33]>::try_from(self.key.as_slice());
        let avatar = key.ok().map(|key| Avatar::from(PublicKey::known(key)));
        let avatar = avatar.filter(|avatar| label_of(engine, avatar) == label);
        avatar.ok_or_else(|| malformed("avatar"))
    }

    /// Signature of the newest link.
    pub(super) fn prev(&self) -> Option<&str> {
        Some(self.prev.as_str()).filter(|prev| !prev.is_empty())
    }

    /// Where the claim of an account is, or would be: an account's name is the same in any case.
    pub(super) fn place(&self, service: &str, identity: &str) -> Result<usize, usize> {
        let sought = (service, fold(identity));
        self.claims
            .binary_search_by(|claim| (claim.service.as_str(), fold(&claim.identity)).cmp(&sought))
    }

    /// The claim with this key in the table of what is due.
    pub(super) fn claim_mut(&mut self, key: &[u8; 32]) -> Option<&mut ClaimEntry> {
        self.claims.iter_mut().find(|claim| claim.key() == *key)
    }

    /// Hash over all claims.
    pub(super) fn state(&self) -> Hash {
        let pair = |claim| {
            let ClaimEntry {
                service, identity, ..
            }: &ClaimEntry = claim;
            (service.as_str(), identity.as_str())
        };
        state_hash(self.claims.iter().map(pair))
    }

    /// Where the newest link is archived; empty while it is not.
    pub(super) fn last_archive_id(&self) -> &str {
        if self.archived == self.links {
            &self.archive_id
        } else {
            ""
        }
    }

    fn name_hashes(&self) -> BTreeSet<[u8; 32]> {
        let names = |claim: &ClaimEntry| [name_hash(&claim.identity), name_hash(&claim.alt_id)];
        let mut hashes: BTreeSet<_> = self.claims.iter().flat_map(names).collect();
        hashes.remove(&name_hash(""));
        hashes
    }

    fn due(&self) -> BTreeSet<(UnixMillis, [u8; 32])> {
        let due = |claim: &ClaimEntry| (UnixMillis(claim.due_ms), claim.key());
        self.claims.iter().map(due).collect()
    }
}

impl ClaimEntry {
    /// Names the claim among those of its avatar.
    pub(super) fn key(&self) -> [u8; 32] {
        claim_key(&self.service, &self.identity)
    }

    /// Whether this is the account's name, or its other name, whatever the case; `folded` is in
    /// lower case.
    pub(super) fn is_called(&self, folded: &str) -> bool {
        fold(&self.identity) == folded || fold(&self.alt_id) == folded
    }

    pub(super) fn view(&self) -> ClaimView {
        ClaimView {
            service: self.service.clone(),
            identity: self.identity.clone(),
            alt_id: self.alt_id.clone(),
            created_at: UnixMillis(self.created_at_ms),
            checked_at: UnixMillis(self.checked_at_ms),
            is_valid: !self.is_invalid,
            invalid_reason: self.invalid_reason.clone(),
        }
    }
}

/// Names a claim among those of its avatar: the account's name counts in lower case.
pub(super) fn claim_key(service: &str, identity: &str) -> [u8; 32] {
    let parts = [b"claim", service.as_bytes(), fold(identity).as_bytes()].map(<[u8]>::to_vec);
    crypto::token::sha256(&parts.join(&0))
}

/// Under what an account's name is found.
pub(super) fn name_hash(name: &str) -> [u8; 32] {
    crypto::token::sha256(fold(name).as_bytes())
}

/// The label of an avatar's chain.
pub(super) fn label_of(engine: &Engine, avatar: &Avatar) -> Label {
    Handle::Avatar(avatar.kid()).label(&engine.ports().label_key)
}

/// Writes an avatar's row, and what follows from it: under what names it is found, and when its claims
/// are due. `before` is the row as read in the same unit of work. One write, and one for each name and
/// each due time that came or went.
pub(super) fn save_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    label: Label,
    before: Option<&AvatarRow>,
    mut after: AvatarRow,
) {
    let none = AvatarRow::default();
    let before = before.unwrap_or(&none);
    after.revision = before.revision.saturating_add(1);
    let (old, new) = (before.name_hashes(), after.name_hashes());
    for hash in old.difference(&new) {
        tx.delete(&CLAIM_IDENTITIES, &(*hash, label));
    }
    for hash in new.difference(&old) {
        tx.put(&CLAIM_IDENTITIES, &(*hash, label), &SeenRow {});
    }
    let (old, new) = (before.due(), after.due());
    for (due, claim) in old.difference(&new) {
        tx.delete(&CLAIMS_DUE, &(*due, (label, *claim)));
    }
    for (due, key) in new.difference(&old) {
        let claim = after.claims.iter().find(|claim| claim.key() == *key);
        let upstream = claim.map(|claim| upstream(engine, claim));
        let upstream = upstream.unwrap_or_default();
        tx.put(&CLAIMS_DUE, &(*due, (label, *key)), &DueRow { upstream });
    }
    tx.put(&AVATARS, &label, &after);
    tx.effect(Effect::ClaimsChanged(label, Box::new(after)));
}

/// Who is asked about a claim.
pub(super) fn upstream(engine: &Engine, claim: &ClaimEntry) -> String {
    match engine.checker(&claim.service) {
        Some(checker) => checker.upstream(&claim.identity),
        None => claim.service.clone(),
    }
}

/// Time between two checks of a claim.
pub(super) fn recheck_after(engine: &Engine) -> Duration {
    engine.settings().recheck_after
}

pub(super) fn malformed(what: &str) -> StoreError {
    StoreError::Corrupt(format!("a row of an {what} is malformed"))
}
