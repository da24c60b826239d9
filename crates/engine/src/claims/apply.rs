//! The unit of work that makes or revokes a claim.

use std::time::Duration;

use bytes::Bytes;
use merkle::Hash;

use crate::chain::append::{ChainError, ChainHead, Held, Stamp, Subject, append_in};
use crate::engine::Engine;
use crate::error::Internal;
use crate::limits::{ALIASES_MAX, CLAIMS_PER_AVATAR_MAX};
use crate::outbox::{Job, enqueue_in};
use crate::tables::{AVATARS, AvatarRow, CHAIN_HEADS, CLAIM_UUIDS, ClaimEntry, SeenRow, TRACKS};
use crate::tx::Tx;
use crate::types::link::{Dialect, Evidence, Statement, TrackStep};
use crate::types::{Avatar, ClaimAction, ClaimBody, JobId, Kid, Label, Seqno};

use super::row::{label_of, save_in};
use super::{ClaimError, NEXTID, Posting};

/// A link that was checked, and waits to be written.
pub(super) struct Accepted<'p> {
    pub(super) posting: &'p Posting,
    pub(super) label: Label,
    /// Normalised.
    pub(super) identity: &'p str,
    pub(super) payload: &'p str,
    /// The predecessor that was signed over.
    pub(super) signed_prev: Option<&'p str>,
    pub(super) signature: Vec<u8>,
    pub(super) signature_text: String,
    pub(super) kid: Kid,
    pub(super) alt_id: String,
    pub(super) location: String,
    pub(super) dnssec: Option<bool>,
    pub(super) recheck_after: Duration,
    pub(super) stamp: Stamp,
    /// Id of the job that archives the link, if there is an archive.
    pub(super) archiving: Option<JobId>,
}

/// Writes a link and what it does to the avatar's claims. The chain must still end in the link that
/// was signed over, and the number be unused.
///
/// # Errors
/// `UuidUsed`, `Stale`, `NotBound`, `TooMany` or `Internal`.
pub(super) async fn apply_in(
    tx: &mut Tx<'_>,
    engine: &Engine,
    accepted: &Accepted<'_>,
) -> Result<ChainHead, ClaimError> {
    let (posting, label) = (accepted.posting, accepted.label);
    let target = accepted.target();
    let target = target.map(|avatar| (label_of(engine, &avatar), avatar));
    let mut keys = vec![
        CLAIM_UUIDS.key(posting.uuid.as_bytes()),
        AVATARS.key(&label),
        CHAIN_HEADS.key(&label),
        TRACKS.key(&(label, Dialect::ProofService as u8)),
    ];
    keys.extend(target.iter().map(|(label, _)| AVATARS.key(label)));
    tx.prefetch(&keys).await?;
    let uuid = posting.uuid.as_bytes();
    if tx.get(&CLAIM_UUIDS, uuid).await?.is_some() {
        return Err(ClaimError::UuidUsed(posting.uuid));
    }
    let before = tx.get(&AVATARS, &label).await?;
    let mut after = match &before {
        Some(row) => row.clone(),
        None => AvatarRow::of(&posting.avatar),
    };
    if after.prev() != accepted.signed_prev {
        return Err(ClaimError::Stale {
            signed_prev: accepted.signed_prev.map(str::to_owned),
            expected: after.prev().map(str::to_owned),
        });
    }
    let links = after.links.checked_add(1).ok_or_else(full)?;
    after.links = links;
    let alt_id = match posting.action {
        ClaimAction::Create => accepted.make(&mut after)?,
        ClaimAction::Delete => accepted.revoke(&mut after)?,
    };
    after.activated_at = posting.created_at;
    after.prev.clone_from(&accepted.signature_text);
    let head = accepted
        .append_in(tx, alt_id, &after, before.as_ref())
        .await?;
    tx.create(&CLAIM_UUIDS, uuid, &SeenRow {});
    if let Some(id) = accepted.archiving {
        let through = head.seqno;
        enqueue_in(
            tx,
            id,
            &Job::ArchiveLinks { label, through },
            accepted.stamp.at,
        );
    }
    save_in(tx, engine, label, before.as_ref(), after);
    if let Some((target, avatar)) = target.filter(|(target, _)| *target != label) {
        accepted.tell_in(tx, engine, target, &avatar).await?;
    }
    Ok(head)
}

impl Accepted<'_> {
    /// The avatar that is claimed as an account.
    fn target(&self) -> Option<Avatar> {
        let is_avatar = self.posting.service == NEXTID;
        is_avatar.then(|| Avatar::parse(self.identity)).flatten()
    }

    /// Adds the claim, or renews it; answers the account's other name.
    fn make(&self, row: &mut AvatarRow) -> Result<String, ClaimError> {
        let (service, now) = (&self.posting.service, self.stamp.at);
        let at = match row.place(service, self.identity) {
            Ok(at) => at,
            Err(_) if row.claims.len() >= CLAIMS_PER_AVATAR_MAX => {
                return Err(ClaimError::TooMany(CLAIMS_PER_AVATAR_MAX));
            }
            Err(at) => {
                let claim = ClaimEntry {
                    service: service.clone(),
                    created_at_ms: now.0,
                    first_seqno: row.links,
                    ..ClaimEntry::default()
                };
                row.claims.insert(at, claim);
                at
            }
        };
        let links = row.links;
        let claim = row
            .claims
            .get_mut(at)
            .ok_or_else(|| Internal::new("adding a claim", "it is not where it was put"))?;
        if !self.alt_id.is_empty() {
            claim.alt_id.clone_from(&self.alt_id);
        }
        *claim = ClaimEntry {
            identity: self.identity.to_owned(),
            linked_at_ms: now.0,
            seqno: links,
            checked_at_ms: now.0,
            is_invalid: false,
            invalid_reason: String::new(),
            failures: 0,
            due_ms: now.plus(self.recheck_after).0,
            checking_until_ms: 0,
            page_since_ms: 0,
            ..std::mem::take(claim)
        };
        Ok(claim.alt_id.clone())
    }

    /// Removes the claim; answers the account's other name.
    fn revoke(&self, row: &mut AvatarRow) -> Result<String, ClaimError> {
        let place = row.place(&self.posting.service, self.identity);
        let at = place.map_err(|_| ClaimError::NotBound)?;
        Ok(row.claims.remove(at).alt_id)
    }

    /// Appends the link to the avatar's chain.
    async fn append_in(
        &self,
        tx: &mut Tx<'_>,
        alt_id: String,
        after: &AvatarRow,
        before: Option<&AvatarRow>,
    ) -> Result<ChainHead, ClaimError> {
        let posting = self.posting;
        let extra = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let body = ClaimBody {
            service: posting.service.clone(),
            identity: self.identity.to_owned(),
            alt_id,
            location: self.location.clone(),
            uuid: posting.uuid,
            created_at: posting.created_at,
            wallet_signature: extra(&posting.extra.wallet_signature),
            target_signature: extra(&posting.extra.target_signature),
            state: after.state(),
        };
        let statement = match posting.action {
            ClaimAction::Create => Statement::MakeClaim(body),
            ClaimAction::Delete => Statement::RevokeClaim(body),
        };
        let evidence = Evidence::Signed {
            kid: self.kid,
            payload: Bytes::copy_from_slice(self.payload.as_bytes()),
            signature: Bytes::copy_from_slice(&self.signature),
            track: Some(TrackStep {
                dialect: Dialect::ProofService,
                seqno: Seqno::new(after.links).ok_or_else(full)?,
                prev: before.and_then(AvatarRow::prev).map(step),
                hash: step(&self.signature_text),
            }),
        };
        let subject = Subject {
            label: self.label,
            handle: Held::Avatar {
                dnssec: self.dnssec,
            },
        };
        let appended = append_in(tx, subject, statement, evidence, self.stamp).await;
        appended.map_err(|error| match error {
            ChainError::Internal(internal) => ClaimError::Internal(internal),
            ChainError::OutOfSequence { .. } | ChainError::Full => {
                Internal::new("appending a link to an avatar's chain", error).into()
            }
        })
    }

    /// Notes at the claimed avatar who claims to be it, so that both lead to each other.
    async fn tell_in(
        &self,
        tx: &mut Tx<'_>,
        engine: &Engine,
        label: Label,
        avatar: &Avatar,
    ) -> Result<(), ClaimError> {
        let before = tx.get(&AVATARS, &label).await?;
        let mut after = match &before {
            Some(row) => row.clone(),
            None => AvatarRow::of(avatar),
        };
        let own = self.posting.avatar.as_bytes();
        after.aliased_by.retain(|key| key != own);
        if self.posting.action == ClaimAction::Create {
            if after.aliased_by.len() >= ALIASES_MAX {
                return Err(ClaimError::TooMany(ALIASES_MAX));
            }
            after.aliased_by.push(own.to_vec());
        }
        save_in(tx, engine, label, before.as_ref(), after);
        Ok(())
    }
}

/// A link's signature as its successor names it in the track.
fn step(signature: &str) -> Hash {
    Hash(crypto::token::sha256(signature.as_bytes()))
}

fn full() -> Internal {
    Internal::new("appending a link to an avatar's chain", "the chain is full")
}
