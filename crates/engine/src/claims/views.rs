//! What readers of claims are shown, and what they may ask for.

use crate::log::Opening;
use crate::types::{Avatar, ClaimAction, UnixMillis, Uuid, fold};

use super::NEXTID;

/// What to find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// One service, or all of them. Of `nextid` the avatars themselves are meant: then `identities`
    /// are avatars, and all their claims match.
    pub service: Option<String>,
    /// Accounts, by name or by their other name, in any case; any of them.
    pub identities: Vec<String>,
    /// The whole name, or a part of it.
    pub exact: bool,
    /// Page, from 1; 0 is the first too.
    pub page: u64,
    /// Matches on one page, at least 1, at most [`PAGE_ROWS_MAX`](crate::limits::CLAIMS_PAGE_ROWS_MAX).
    pub per: u32,
    /// By what matches, and the claims of an avatar, are sorted.
    pub sort: Sort,
    /// In which direction.
    pub order: Order,
}

impl Query {
    /// Whether a claim of an avatar that was found is one of those it was found for. Of avatars that were
    /// asked for by their keys all claims are.
    #[must_use]
    pub fn is_met_by(&self, claim: &ClaimView) -> bool {
        let of_service = |service| service == claim.service;
        if self.service.as_deref() == Some(NEXTID) {
            return true;
        }
        let names = [fold(&claim.identity), fold(&claim.alt_id)];
        let mut sought = self.identities.iter().map(|name| fold(name));
        self.service.as_deref().is_none_or(of_service)
            && sought.any(|sought| {
                let is_one = |name: &String| match self.exact {
                    true => *name == sought,
                    false => name.contains(&sought),
                };
                !sought.is_empty() && names.iter().any(is_one)
            })
    }
}

/// What matches are sorted by. Equal ones are sorted by when the claim was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// When the claim was first made.
    #[default]
    Default,
    /// The time in the avatar's newest link. Matches are avatars then, not claims; the claims of each
    /// are sorted by when they were made.
    ActivatedAt,
    /// When the claim was first made.
    CreatedAt,
    /// When it was last checked.
    LastCheckedAt,
    /// When the link that makes it was accepted.
    ProofChainId,
    /// The service.
    Platform,
    /// The account's name, in lower case.
    Identity,
    /// The account's other name, in lower case.
    AltId,
}

/// Which end comes first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// The largest, the newest.
    #[default]
    Desc,
    /// The smallest, the oldest.
    Asc,
}

/// One page of matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Matching claims; matching avatars where they are sorted by [`Sort::ActivatedAt`].
    pub total: u64,
    /// Matches on a full page.
    pub per: u32,
    /// This page, from 1.
    pub current: u64,
    /// The next page; 0 when this is the last one, or there is nothing on it.
    pub next: u64,
    /// The avatars of the page's matches, each once, where its first match is.
    pub avatars: Vec<AvatarView>,
}

/// An avatar and all its claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AvatarView {
    /// The avatar.
    pub avatar: Avatar,
    /// Avatars that it says to be, or that say to be it, and theirs in turn, without itself; in order
    /// of their keys.
    pub aliases: Vec<Avatar>,
    /// Where its newest link is archived; empty while it is not.
    pub last_archive_id: String,
    /// The time in its newest link: UNIX seconds, as the client said; 0 without a link.
    pub activated_at: i64,
    /// All its claims, in the order that was asked for.
    pub claims: Vec<ClaimView>,
}

/// All there is to show of one avatar.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The avatar and its claims, the newest first.
    pub view: AvatarView,
    /// Where the post of each of these claims is, in their order; empty where none is needed, and where
    /// the link was erased.
    pub locations: Vec<String>,
}

/// What a reader is to make of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The last check found it true, not long ago.
    Holds,
    /// The last check found it not to be true, not long ago.
    Contradicted,
    /// It could not be checked lately: what the last check found may not be so any more.
    Unchecked,
}

/// A claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimView {
    /// The service.
    pub service: String,
    /// The account, as its newest link has it.
    pub identity: String,
    /// The account's other name.
    pub alt_id: String,
    /// When it was first made.
    pub created_at: UnixMillis,
    /// When a check last had a definite answer.
    pub checked_at: UnixMillis,
    /// Whether that check held.
    pub is_valid: bool,
    /// Why not; empty when it held.
    pub invalid_reason: String,
}

/// Some links of a chain, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChainPage {
    /// Links of the whole chain.
    pub total: u64,
    /// Links on a full page.
    pub per: u32,
    /// This page, from 1.
    pub current: u64,
    /// The next page; 0 when this is the last one, or there is nothing on it.
    pub next: u64,
    /// The links.
    pub links: Vec<ChainLink>,
}

/// A create or a delete, as it was accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLink {
    /// Make or revoke.
    pub action: ClaimAction,
    /// The service.
    pub service: String,
    /// The account.
    pub identity: String,
    /// The account's other name then.
    pub alt_id: String,
    /// Where the post was.
    pub location: String,
    /// UNIX seconds, as the client said.
    pub created_at: i64,
    /// The signature in base64: what the next link names as its predecessor.
    pub signature: String,
    /// What it is over.
    pub payload: String,
    /// Number of the link.
    pub uuid: Uuid,
    /// Signature of the wallet that is claimed, as it was sent; `None` when there was none.
    pub wallet_signature: Option<String>,
    /// Signature of the avatar that is claimed, as it was sent; `None` when there was none.
    pub target_signature: Option<String>,
    /// Where the link is archived; empty while it is not.
    pub archive_id: String,
    /// Position in the avatar's chain, from 1.
    pub seqno: u32,
    /// Index of its entry in the log; `None` while it waits to be sequenced.
    pub index: Option<u64>,
    /// Number in the feed of changes, from 1; `None` while it waits to be sequenced.
    pub change_id: Option<u64>,
    /// What opens the commitment in its entry.
    pub opening: Opening,
    /// Whether a resolver said, when the link was accepted, that DNSSEC covers the record that shows it;
    /// `None` where that is not known.
    pub dnssec: Option<bool>,
}

/// A link in the feed of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Its number, from 1, without a gap.
    pub id: u64,
    /// Whose link.
    pub avatar: Avatar,
    /// The link.
    pub link: ChainLink,
}
