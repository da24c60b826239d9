//! Why a signature does not fit: what it is over instead, as far as that can be found out.
//!
//! A client that signs over an old link, or mixes two drafts up, would else be told nothing but "bad
//! signature". The signature is tried with texts that differ from the expected one in one thing the
//! chain knows other values of.

use crypto::secp256k1::{Signature, personal_digest};

use crate::dialects::nextid::{PayloadFields, encode_signature, sign_payload};
use crate::limits::{LINKS_TRIED, SIGNATURES_TRIED};
use crate::types::{Avatar, ClaimAction, Label};

use super::drafts::Drafted;
use super::{ChainLink, ClaimError, Claims, SignedOver};

/// What should have been signed, and by whom.
pub(super) struct Signing<'s> {
    pub(super) avatar: &'s Avatar,
    pub(super) label: Label,
    pub(super) fields: &'s PayloadFields<'s>,
    /// The identity before it was normalised.
    pub(super) given: &'s str,
}

impl Claims<'_> {
    /// The refusal of signatures that the avatar has not made over the payload. Reads the newest
    /// links, at most five, in two round trips.
    ///
    /// # Errors
    /// Our own failures only.
    pub(super) async fn mismatch(
        &self,
        signing: &Signing<'_>,
        candidates: &[Vec<u8>],
    ) -> Result<ClaimError, ClaimError> {
        let links = self.newest_links(signing.label, LINKS_TRIED).await?;
        let mut others = self.0.drafts().of(signing.label);
        let of_links = links.iter().rev().map(|link| (link.uuid, link.created_at));
        others.extend(of_links);
        let parsed = candidates.iter().flat_map(|bytes| Signature::parse(bytes));
        let told = parsed
            .take(SIGNATURES_TRIED)
            .find_map(|signature| signing.explain(&signature, &links, &others));
        Ok(told.unwrap_or(ClaimError::BadSignature))
    }
}

impl Signing<'_> {
    fn is_over(&self, signature: &Signature, fields: &PayloadFields<'_>) -> bool {
        let digest = personal_digest(sign_payload(fields).as_bytes());
        self.avatar.key().verify(&digest, signature).is_ok()
    }

    /// `links` are the newest of the chain, oldest first.
    fn explain(
        &self,
        signature: &Signature,
        links: &[ChainLink],
        others: &[Drafted],
    ) -> Option<ClaimError> {
        let text = encode_signature(signature.as_bytes());
        if let Some(link) = links.iter().find(|link| link.signature == text) {
            return Some(ClaimError::SignedOver(SignedOver::OldLink {
                uuid: link.uuid,
                created_at: link.created_at,
            }));
        }
        self.stale(signature, links)
            .or_else(|| self.other_draft(signature, others))
            .or_else(|| self.other_words(signature))
    }

    /// Whether it is over a link that was the newest one before.
    pub(super) fn stale(&self, signature: &Signature, links: &[ChainLink]) -> Option<ClaimError> {
        let prevs = links.iter().rev().map(|link| Some(link.signature.as_str()));
        let mut prevs = prevs.chain([None]).filter(|prev| *prev != self.fields.prev);
        let signed = prevs.find(|prev| {
            let prev = *prev;
            self.is_over(
                signature,
                &PayloadFields {
                    prev,
                    ..*self.fields
                },
            )
        })?;
        Some(ClaimError::Stale {
            signed_prev: signed.map(str::to_owned),
            expected: self.fields.prev.map(str::to_owned),
        })
    }

    /// Whether it has the number or the time of another draft, or of a link.
    fn other_draft(&self, signature: &Signature, others: &[Drafted]) -> Option<ClaimError> {
        let sent = (self.fields.uuid, self.fields.created_at);
        let mixed = |other: &Drafted| [(other.0, sent.1), (sent.0, other.1), *other];
        let mut tried = others.iter().flat_map(mixed).filter(|other| *other != sent);
        let signed = tried.find(|(uuid, created_at)| {
            let fields = PayloadFields {
                uuid: *uuid,
                created_at: *created_at,
                ..*self.fields
            };
            self.is_over(signature, &fields)
        })?;
        Some(ClaimError::SignedOver(if signed.0 == sent.0 {
            SignedOver::CreatedAt {
                signed: signed.1,
                sent: sent.1,
            }
        } else {
            SignedOver::Uuid {
                signed: signed.0,
                sent: sent.0,
            }
        }))
    }

    /// Whether it is over the other action, or over the account's name as it was sent.
    fn other_words(&self, signature: &Signature) -> Option<ClaimError> {
        let fields = self.fields;
        let action = match fields.action {
            ClaimAction::Create => ClaimAction::Delete,
            ClaimAction::Delete => ClaimAction::Create,
        };
        if self.is_over(signature, &PayloadFields { action, ..*fields }) {
            return Some(ClaimError::SignedOver(SignedOver::Action {
                signed: action,
            }));
        }
        let identity = self.given;
        self.is_over(
            signature,
            &PayloadFields {
                identity,
                ..*fields
            },
        )
        .then(|| {
            ClaimError::SignedOver(SignedOver::Identity {
                signed: identity.to_owned(),
                expected: fields.identity.to_owned(),
            })
        })
    }
}
