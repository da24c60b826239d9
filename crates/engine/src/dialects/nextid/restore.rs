//! Which avatar made a signature, told by the signature.

use crypto::secp256k1::{self, Signature, SignatureFault, Unrecoverable};

use super::{PayloadFields, decode_base64, parse_created_at, sign_payload};
use crate::types::{Avatar, ClaimAction, Uuid};

/// A claim whose avatar was forgotten, as its members were written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Restoring<'a> {
    /// What the link does.
    pub action: ClaimAction,
    /// The service; none whose payload names the avatar.
    pub platform: &'a str,
    /// The account, in the form its service's checker gives it.
    pub identity: &'a str,
    /// The link's id.
    pub uuid: &'a str,
    /// Seconds since 1970.
    pub created_at: &'a str,
    /// Signature of the link before, verbatim; empty for the first.
    pub previous: &'a str,
    /// The signature in base64.
    pub signature: &'a str,
}

/// Why no avatar comes of it. The messages are those of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RestoreFault {
    /// A member that is needed is empty.
    #[error("param missing")]
    Missing,
    /// The uuid has none of its forms.
    #[error("UUID parse error: not recognized")]
    Uuid,
    /// The time is no number.
    #[error("created_at parse error: not recognized")]
    CreatedAt,
    /// The signature is not base64.
    #[error("signature parse error: not base64")]
    Signature,
    /// It has not 65 bytes, but so many.
    #[error("signature length error: expect 65, got {0}")]
    SignatureLength(usize),
    /// Its recovery id is none.
    #[error("restoring pubkey from sig: recovery id {0} is not supported")]
    RecoveryId(u8),
    /// The signature of the link before is not base64.
    #[error("previous signature parse error: not base64")]
    Previous,
    /// It has not 65 bytes, but so many.
    #[error("previous signature length error: expect 65, got {0}")]
    PreviousLength(usize),
    /// No key could have made it.
    #[error("restoring pubkey from sig: {0}")]
    Unrecoverable(#[from] Unrecoverable),
}

/// The avatar whose signature over the claim's payload this is. A claim that was not signed so gives an
/// avatar too: one that nobody knows.
///
/// # Errors
/// [`RestoreFault`], the first in the order of its variants.
pub fn restore_avatar(claim: &Restoring<'_>) -> Result<Avatar, RestoreFault> {
    let needed = [
        claim.platform,
        claim.identity,
        claim.uuid,
        claim.created_at,
        claim.signature,
    ];
    if needed.iter().any(|text| text.is_empty()) {
        return Err(RestoreFault::Missing);
    }
    let uuid = Uuid::parse(claim.uuid).ok_or(RestoreFault::Uuid)?;
    let created_at = parse_created_at(claim.created_at).ok_or(RestoreFault::CreatedAt)?;
    let signature = decode_base64(claim.signature).ok_or(RestoreFault::Signature)?;
    let signature = Signature::parse(&signature).map_err(|fault| match fault {
        SignatureFault::Length(length) => RestoreFault::SignatureLength(length),
        SignatureFault::RecoveryId(id) => RestoreFault::RecoveryId(id),
    })?;
    let payload = sign_payload(&PayloadFields {
        action: claim.action,
        created_at,
        identity: claim.identity,
        persona: None,
        platform: claim.platform,
        prev: previous(claim.previous)?,
        uuid,
    });
    let digest = secp256k1::personal_digest(payload.as_bytes());
    Ok(secp256k1::recover(&signature, &digest)?.into())
}

fn previous(text: &str) -> Result<Option<&str>, RestoreFault> {
    if text.is_empty() {
        return Ok(None);
    }
    let bytes = decode_base64(text).ok_or(RestoreFault::Previous)?;
    if bytes.len() != Signature::BYTES {
        return Err(RestoreFault::PreviousLength(bytes.len()));
    }
    Ok(Some(text))
}
