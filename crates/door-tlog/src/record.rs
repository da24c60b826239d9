//! A link for people to read. Nothing verifies this form: a verifier reads the link's bytes.

use data_encoding::HEXLOWER;
use engine::types::link::{Evidence, Link, Statement};
use engine::types::{ClaimBody, Visibility};
use serde::Serialize;

/// What a subject's newest link says.
#[derive(Serialize)]
pub(crate) struct Record {
    #[serde(flatten)]
    statement: Said,
    evidence: &'static str,
    created_at_ms: u64,
}

#[derive(Serialize)]
#[serde(tag = "statement", rename_all = "snake_case")]
enum Said {
    SetRecord {
        tox_id: String,
        bio_hash: String,
        visibility: &'static str,
        is_proven: bool,
    },
    ReleaseHandle,
    AddKey {
        key: String,
    },
    MakeClaim(Claim),
    RevokeClaim(Claim),
}

/// What a link says of a claim.
#[derive(Serialize)]
struct Claim {
    service: String,
    identity: String,
    alt_id: String,
    location: String,
    uuid: String,
    created_at: i64,
    state: String,
}

impl From<&ClaimBody> for Claim {
    fn from(body: &ClaimBody) -> Self {
        Self {
            service: body.service.clone(),
            identity: body.identity.clone(),
            alt_id: body.alt_id.clone(),
            location: body.location.clone(),
            uuid: body.uuid.to_string(),
            created_at: body.created_at,
            state: body.state.to_hex(),
        }
    }
}

impl Record {
    /// `None` when this version cannot read the link.
    pub(crate) fn of(link: &[u8]) -> Option<Self> {
        let link = Link::decode(link).ok()?;
        Some(Self {
            statement: said(&link.statement),
            evidence: believed(&link.evidence),
            created_at_ms: link.created_at.0,
        })
    }
}

fn said(statement: &Statement) -> Said {
    match statement {
        Statement::SetRecord {
            tox_id,
            bio_hash,
            visibility,
            is_proven,
        } => Said::SetRecord {
            tox_id: tox_id.to_string(),
            bio_hash: bio_hash.to_hex(),
            visibility: match visibility {
                Visibility::Private => "private",
                Visibility::Searchable => "searchable",
                Visibility::Listed => "listed",
            },
            is_proven: *is_proven,
        },
        Statement::ReleaseHandle => Said::ReleaseHandle,
        Statement::AddKey(key) => Said::AddKey {
            key: HEXLOWER.encode(&key.0),
        },
        Statement::MakeClaim(body) => Said::MakeClaim(body.into()),
        Statement::RevokeClaim(body) => Said::RevokeClaim(body.into()),
    }
}

fn believed(evidence: &Evidence) -> &'static str {
    match evidence {
        Evidence::Signed { .. } => "signed",
        Evidence::Boxed { .. } => "boxed",
        Evidence::Password => "password",
        Evidence::Unproven => "unproven",
        Evidence::Operator => "operator",
    }
}
