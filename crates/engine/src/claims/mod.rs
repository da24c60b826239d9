//! Claims: "this avatar controls that account". Draft them, make and revoke them, find them, and keep
//! them checked.
//!
//! An avatar is a secp256k1 key. Each create or delete is one link of its chain, signed by the key over
//! a payload that names the link before, so that the chain is linear. What a link says is believed
//! when a checker has found the avatar's signature at the service, in a post of the account itself.
//! Whoever reads is told when that was, and it is looked at again from time to time.

mod aliases;
mod apply;
pub(crate) mod archive;
mod chain;
mod check;
mod describe;
pub(crate) mod doubt;
pub(crate) mod drafts;
mod find;
pub(crate) mod follow;
pub(crate) mod index;
mod mismatch;
mod paging;
mod post;
mod prepare;
pub(crate) mod recheck;
mod row;
mod state;
mod subkeys;
pub(crate) mod upstreams;
mod views;

use std::fmt;

use crate::dialects::nextid::RestoreFault;
use crate::engine::Engine;
use crate::error::{Internal, Limited};
use crate::ports::checker::{Extra, Refusal};
use crate::ports::store::StoreError;
use crate::types::{Avatar, ClaimAction, Uuid};

pub use crate::dialects::nextid::Restoring;
pub use crate::types::Caller;
pub use subkeys::{Subkey, SubkeyDraft, SubkeyPosting};
pub use views::{
    AvatarView, ChainLink, ChainPage, Change, ClaimView, Described, Order, Page, Query, Sort,
    Standing,
};

/// The service whose accounts are avatars: a claim of it joins two avatars.
const NEXTID: &str = "nextid";

/// The claims service.
pub struct Claims<'e>(pub(crate) &'e Engine);

/// What somebody is about to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Make or revoke.
    pub action: ClaimAction,
    /// The service.
    pub service: String,
    /// The account, as given.
    pub identity: String,
    /// Whose claim.
    pub avatar: Avatar,
}

/// What to sign, and what to send back with the signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prepared {
    /// The text to sign.
    pub payload: String,
    /// Number of the link, random.
    pub uuid: Uuid,
    /// Now, in UNIX seconds.
    pub created_at: i64,
    /// Signature of the avatar's newest link, as text; `None` when it has none.
    pub prev: Option<String>,
    /// The account as it stands in the payload.
    pub identity: String,
}

/// A signed create or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posting {
    /// Make or revoke.
    pub action: ClaimAction,
    /// The service.
    pub service: String,
    /// The account, as given.
    pub identity: String,
    /// Where the post is; empty where the service needs none.
    pub location: String,
    /// Whose claim.
    pub avatar: Avatar,
    /// Number of the link, as drafted.
    pub uuid: Uuid,
    /// UNIX seconds, as drafted.
    pub created_at: i64,
    /// Signatures that come with the request.
    pub extra: Extra,
}

/// An accepted create or delete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// Number of the link in the feed of changes, from 1.
    pub change_id: u64,
    /// Position of the link in the avatar's chain, from 1.
    pub seqno: u32,
    /// The link's signature, as text: what the next link names as its predecessor.
    pub signature: String,
}

/// Why a request about claims was refused. A variant for each thing a door answers differently.
#[derive(Debug, thiserror::Error)]
pub enum ClaimError {
    /// No checker for this service.
    #[error("platform not supported: {0}")]
    UnknownService(String),
    /// The request cannot be read; what is wrong with it.
    #[error("{0}")]
    Malformed(&'static str),
    /// The signature is the avatar's, over another predecessor: another link came first, or the draft
    /// is an old one.
    #[error(
        "bad signature: signed over prev {}, expected {}",
        shown(signed_prev),
        shown(expected)
    )]
    Stale {
        /// The predecessor that was signed.
        signed_prev: Option<String>,
        /// The avatar's newest link.
        expected: Option<String>,
    },
    /// The signature is the avatar's, over something else than what was sent.
    #[error("bad signature: signed over {0}")]
    SignedOver(SignedOver),
    /// No signature is the avatar's.
    #[error("bad signature")]
    BadSignature,
    /// A link has this number already.
    #[error("uuid {0} is used already")]
    UuidUsed(Uuid),
    /// A delete of what is not bound.
    #[error("not bound")]
    NotBound,
    /// The remote side does not show the claim to be true.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The avatar has as many claims as an avatar may have.
    #[error("too many claims: {0} are the most")]
    TooMany(usize),
    /// The address has no attempt left.
    #[error(transparent)]
    Limited(#[from] Limited),
    /// The index of claims is still loading.
    #[error("search is not ready yet")]
    Loading,
    /// A subkey is bound already.
    #[error("already binded")]
    AlreadyBound,
    /// No avatar comes of a signature.
    #[error(transparent)]
    Unrestored(#[from] RestoreFault),
    /// Our own failure.
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// What a signature is over, where that is not what was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SignedOver {
    /// Another number.
    Uuid {
        /// What was signed.
        signed: Uuid,
        /// What was sent.
        sent: Uuid,
    },
    /// Another time.
    CreatedAt {
        /// What was signed.
        signed: i64,
        /// What was sent.
        sent: i64,
    },
    /// The other action.
    Action {
        /// What was signed.
        signed: ClaimAction,
    },
    /// Another form of the account's name.
    Identity {
        /// What was signed.
        signed: String,
        /// What had to be.
        expected: String,
    },
    /// It is the signature of a link that the chain has already.
    OldLink {
        /// Its number.
        uuid: Uuid,
        /// Its time.
        created_at: i64,
    },
}

impl fmt::Display for SignedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Uuid { signed, sent } => write!(f, "uuid {signed}, not {sent}"),
            Self::CreatedAt { signed, sent } => write!(f, "created_at {signed}, not {sent}"),
            Self::Action { signed } => write!(f, "action {signed}"),
            Self::Identity { signed, expected } => {
                write!(f, "identity {signed}, expected {expected}")
            }
            Self::OldLink { uuid, created_at } => write!(
                f,
                "a link that is there already, uuid {uuid}, created_at {created_at}"
            ),
        }
    }
}

fn shown(prev: &Option<String>) -> &str {
    prev.as_deref().unwrap_or("null")
}

impl crate::tx::Refusal for ClaimError {
    fn internal(&self) -> Option<&Internal> {
        match self {
            Self::Internal(internal) => Some(internal),
            Self::UnknownService(_)
            | Self::Malformed(_)
            | Self::Stale { .. }
            | Self::SignedOver(_)
            | Self::BadSignature
            | Self::UuidUsed(_)
            | Self::NotBound
            | Self::Refused(_)
            | Self::TooMany(_)
            | Self::Limited(_)
            | Self::Loading
            | Self::AlreadyBound
            | Self::Unrestored(_) => None,
        }
    }
}

impl From<StoreError> for ClaimError {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}
