//! Looks at other services: whether the person an account belongs to has said there which avatar they
//! are.

use std::time::Duration;

use async_trait::async_trait;

use super::dns::TxtResolver;
use super::fetch::WebFetcher;
use crate::types::{Avatar, ClaimAction, Uuid};

/// Verifies claims of one service.
///
/// A checker answers two questions of the remote side, who wrote the post and which signatures are in
/// it. Whether one of these was made by the avatar over the payload is for the engine to say, so a
/// checker cannot let a wrong key pass. What an upstream answers is hostile: every part of it is
/// bounded, and none of it panics. Nothing is stored, nothing is repeated, nothing is remembered
/// between two calls; any number of them may run at once, and one that is dropped is given up.
#[async_trait]
pub trait ClaimChecker: Send + Sync {
    /// Name of the service, lower case: `github`.
    fn service(&self) -> &str;

    /// What the service asks of a claim.
    fn needs(&self) -> Needs;

    /// An identity as it stands in the payload and in the chain. May ask the upstream, where one
    /// account has several names.
    ///
    /// # Errors
    /// `Malformed` for what no account of the service can be called, and whatever asking gives.
    async fn normalise(&self, identity: &str, world: &CheckWorld<'_>) -> Result<String, Refusal>;

    /// Looks at the remote side of a claim whose identity is normalised.
    ///
    /// # Errors
    /// See [`Failure`].
    async fn check(&self, claim: &Claimed<'_>, world: &CheckWorld<'_>) -> Result<Found, Refusal>;

    /// Who is asked about an account, for the budgets of background checks: the service, and where the
    /// account's name says which host is asked, that host too.
    fn upstream(&self, _identity: &str) -> String {
        self.service().to_owned()
    }

    /// Verifies a delete that the account signed instead of the avatar; the bytes of its signature,
    /// as the link keeps them. `None` when the claim has no such signature, or accounts of the
    /// service cannot sign.
    fn delete_by_wallet(&self, _claim: &Claimed<'_>) -> Option<Result<Vec<u8>, Refusal>> {
        None
    }
}

/// What a service asks of a claim.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// The payload names the avatar (`persona`).
    pub persona: bool,
    /// A claim says where its post is.
    pub location: bool,
    /// The account may sign a delete instead of the avatar.
    pub wallet_delete: bool,
}

/// What a checker may use of the world.
#[derive(Clone, Copy)]
pub struct CheckWorld<'w> {
    /// Asks over HTTP.
    pub web: &'w dyn WebFetcher,
    /// Asks for TXT records.
    pub dns: &'w dyn TxtResolver,
    /// The longest time one request may take. The whole of a check is ended by its caller.
    pub deadline: Duration,
    /// Nobody waits for this check: it may be put off where a service has had enough of us.
    pub is_background: bool,
}

/// A claim to be checked.
#[derive(Clone, Copy, Debug)]
pub struct Claimed<'c> {
    /// What the link does.
    pub action: ClaimAction,
    /// Whose chain the link is of.
    pub avatar: &'c Avatar,
    /// The account, normalised.
    pub identity: &'c str,
    /// Where the post is, as given.
    pub location: Option<&'c str>,
    /// The text that is signed.
    pub payload: &'c str,
    /// Number of the link.
    pub uuid: Uuid,
    /// When the link was drafted, in UNIX seconds as the client says.
    pub created_at: i64,
    /// Signature of the link before, as text.
    pub prev: Option<&'c str>,
    /// Signatures that came with the request.
    pub extra: &'c Extra,
}

/// Signatures that come with a request instead of being posted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    /// By the avatar over the payload, decoded.
    pub signature: Option<Vec<u8>>,
    /// By a wallet over the payload, in the wallet's own form.
    pub wallet_signature: Option<String>,
    /// By another avatar over the payload, in hexadecimal.
    pub target_signature: Option<String>,
}

/// What the remote side says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Signatures posted by the account, in order; none is verified yet.
    pub signatures: Vec<Vec<u8>>,
    /// Another name of the account, often one that never changes; empty when it was not learned, so
    /// that one known before stays.
    pub alt_id: String,
    /// Where the post is, as the chain keeps it.
    pub location: String,
    /// Whether a resolver said that DNSSEC covers what was found (its AD bit); `None` where none was
    /// asked, or did not say.
    pub dnssec: Option<bool>,
}

/// A claim is not shown to be true.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// What it means.
    pub failure: Failure,
    /// What people are told: plain text of bounded length without secrets.
    pub reason: String,
}

/// Why a claim is not shown to be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The identity, the location or a signature cannot be read.
    Malformed,
    /// There is no such post, account or record.
    NotFound,
    /// A page for people stands where the post should. Some sites answer so for whatever they do not
    /// have, and so do others, or what stands before them, while they are down.
    PageInstead,
    /// Somebody else wrote the post.
    WrongAuthor,
    /// There is no signature in the post.
    TextMissing,
    /// What stands there as a signature is none, or not the account's.
    BadSignature,
    /// The service did not answer, or not as it is documented to.
    Unreachable,
    /// The service wants to be asked less.
    Limited,
    /// The answer is longer than any post.
    TooLarge,
    /// It is where this server does not go, such as at a host that is none of the public network.
    ForbiddenAddress,
}

impl Failure {
    /// Whether it contradicts the claim by itself. The others say only that it could not be checked;
    /// `PageInstead` contradicts it once it has been the answer for
    /// [`PAGE_DOUBTED`](crate::limits::PAGE_DOUBTED).
    #[must_use]
    pub fn is_definite(self) -> bool {
        match self {
            Self::Malformed
            | Self::NotFound
            | Self::WrongAuthor
            | Self::TextMissing
            | Self::BadSignature => true,
            Self::PageInstead
            | Self::Unreachable
            | Self::Limited
            | Self::TooLarge
            | Self::ForbiddenAddress => false,
        }
    }

    /// Whether it may pass within seconds, because a post takes a while to be seen.
    #[must_use]
    pub fn may_appear(self) -> bool {
        matches!(self, Self::NotFound | Self::PageInstead)
    }
}

impl Refusal {
    /// A refusal with its text for people.
    #[must_use]
    pub fn new(failure: Failure, reason: impl Into<String>) -> Self {
        Self {
            failure,
            reason: reason.into(),
        }
    }
}
