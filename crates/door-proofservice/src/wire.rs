//! Answers, with the names and types that clients rely on (ProofService specification, sections 1
//! and 2): numbers of seconds are texts, arrays are never null, and no success has a `message`,
//! which clients take for an error.

use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderValue};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::claims::{AvatarView, ChainLink, ChainPage, Change, ClaimView, Page};
use engine::types::{ClaimAction, UnixMillis};
use serde::Serialize;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Any answer but a redirect.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Response {
    let body =
        serde_json::to_vec(body).expect("an answer's type serialises: its maps have text keys");
    (status, [(CONTENT_TYPE, JSON)], body).into_response()
}

/// A refusal.
#[derive(Serialize)]
pub(crate) struct Refused<'r> {
    pub(crate) message: &'r str,
}

/// An answer without members.
#[derive(Serialize)]
pub(crate) struct Empty {}

/// Where a page stands among others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Pagination {
    total: u64,
    per: u32,
    current: u64,
    /// 0 on the last page.
    next: u64,
}

impl From<&Page> for Pagination {
    fn from(page: &Page) -> Self {
        Self {
            total: page.total,
            per: page.per,
            current: page.current,
            next: page.next,
        }
    }
}

impl From<&ChainPage> for Pagination {
    fn from(page: &ChainPage) -> Self {
        Self {
            total: page.total,
            per: page.per,
            current: page.current,
            next: page.next,
        }
    }
}

/// An avatar and what it claims.
#[derive(Serialize)]
pub(crate) struct Id<'v> {
    persona: String,
    avatar: String,
    alias: Vec<String>,
    last_arweave_id: &'v str,
    activated_at: String,
    proofs: Vec<Proof<'v>>,
}

impl<'v> From<&'v AvatarView> for Id<'v> {
    fn from(view: &'v AvatarView) -> Self {
        let avatar = view.avatar.to_string();
        Self {
            persona: avatar.clone(),
            avatar,
            alias: view.aliases.iter().map(ToString::to_string).collect(),
            last_arweave_id: &view.last_archive_id,
            activated_at: view.activated_at.to_string(),
            proofs: view.claims.iter().map(Proof::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct Proof<'v> {
    platform: &'v str,
    identity: &'v str,
    alt_id: &'v str,
    #[serde(flatten)]
    standing: Standing<'v>,
}

impl<'v> From<&'v ClaimView> for Proof<'v> {
    fn from(view: &'v ClaimView) -> Self {
        Self {
            platform: &view.service,
            identity: &view.identity,
            alt_id: &view.alt_id,
            standing: Standing::from(view),
        }
    }
}

/// Whether a claim holds.
#[derive(Serialize)]
pub(crate) struct Standing<'v> {
    created_at: String,
    last_checked_at: String,
    is_valid: bool,
    invalid_reason: &'v str,
}

impl<'v> From<&'v ClaimView> for Standing<'v> {
    fn from(view: &'v ClaimView) -> Self {
        Self {
            created_at: seconds(view.created_at),
            last_checked_at: seconds(view.checked_at),
            is_valid: view.is_valid,
            invalid_reason: &view.invalid_reason,
        }
    }
}

/// One link of a chain.
#[derive(Serialize)]
pub(crate) struct ChainItem {
    action: &'static str,
    platform: String,
    identity: String,
    alt_id: String,
    proof_location: String,
    created_at: String,
    signature: String,
    signature_payload: String,
    uuid: String,
    extra: Extra,
    arweave_id: String,
    log: InLog,
}

#[derive(Serialize)]
struct Extra {
    #[serde(skip_serializing_if = "Option::is_none")]
    wallet_signature: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_signature: Option<String>,
}

/// Ours: where the link stands in this server's log, and what shows that it does.
#[derive(Serialize)]
struct InLog {
    /// Place in the avatar's chain, from 1.
    seqno: u32,
    /// Index of its entry, once it is sequenced.
    #[serde(skip_serializing_if = "Option::is_none")]
    leaf_index: Option<u64>,
    /// Where the proof is to be had that the log has that entry: a path of this server.
    #[serde(skip_serializing_if = "Option::is_none")]
    inclusion: Option<String>,
    /// With `link` it opens the commitment in the entry; base64.
    salt: String,
    /// The link as the log committed to it; base64.
    link: String,
    /// Whether a resolver said that DNSSEC covered the record, when the link was accepted. Not known of
    /// other platforms than `dns`, nor where the resolver did not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    dnssec: Option<bool>,
}

impl From<&ChainLink> for InLog {
    fn from(link: &ChainLink) -> Self {
        let inclusion = |index| format!("/log/inclusion?leaf={index}");
        Self {
            seqno: link.seqno,
            leaf_index: link.index,
            inclusion: link.index.map(inclusion),
            salt: STANDARD.encode(&link.opening.salt),
            link: STANDARD.encode(&link.opening.link),
            dnssec: link.dnssec,
        }
    }
}

impl From<&ChainLink> for ChainItem {
    fn from(link: &ChainLink) -> Self {
        Self {
            action: match link.action {
                ClaimAction::Create => "create",
                ClaimAction::Delete => "delete",
            },
            platform: link.service.clone(),
            identity: link.identity.clone(),
            alt_id: link.alt_id.clone(),
            proof_location: link.location.clone(),
            created_at: link.created_at.to_string(),
            signature: link.signature.clone(),
            signature_payload: link.payload.clone(),
            uuid: link.uuid.to_string(),
            extra: Extra {
                wallet_signature: link.wallet_signature.clone(),
                target_signature: link.target_signature.clone(),
            },
            arweave_id: link.archive_id.clone(),
            log: InLog::from(link),
        }
    }
}

/// One link of the server's changes.
#[derive(Serialize)]
pub(crate) struct ChangeItem {
    #[serde(flatten)]
    item: ChainItem,
    avatar: String,
    id: u64,
}

impl From<&Change> for ChangeItem {
    fn from(change: &Change) -> Self {
        Self {
            item: ChainItem::from(&change.link),
            avatar: change.avatar.to_string(),
            id: change.id,
        }
    }
}

/// Whole seconds since 1970, as text.
fn seconds(time: UnixMillis) -> String {
    time.seconds().to_string()
}
