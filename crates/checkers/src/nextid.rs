//! Other avatars: the other key signs too, nobody is asked.

use async_trait::async_trait;
use crypto::secp256k1::{Signature, personal_digest, recover};
use data_encoding::HEXLOWER_PERMISSIVE;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};
use engine::types::Avatar;

use crate::ask::{refuse, shown};
use crate::post::{any_location, found};

/// Characters of a signature in hexadecimal, with `0x`.
const SIGNATURE_CHARS_MAX: usize = 132;

/// Checks that two avatars are of one person.
pub struct OtherAvatar;

#[async_trait]
impl ClaimChecker for OtherAvatar {
    fn service(&self) -> &'static str {
        "nextid"
    }

    fn needs(&self) -> Needs {
        Needs {
            persona: true,
            ..Needs::default()
        }
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        target(identity).map(|avatar| avatar.to_string())
    }

    async fn check(&self, claim: &Claimed<'_>, _world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        let target = target(claim.identity)?;
        if target == *claim.avatar {
            return refuse(Failure::Malformed, "an avatar cannot be bound to itself");
        }
        let text = claim.extra.target_signature.as_deref().unwrap_or_default();
        if text.is_empty() {
            return refuse(Failure::BadSignature, "target_signature not found");
        }
        verify(text, &target, claim.payload)?;
        let signatures = claim.extra.signature.iter().cloned().collect();
        Ok(found(signatures, "", any_location(claim)))
    }
}

fn target(identity: &str) -> Result<Avatar, Refusal> {
    Avatar::parse(identity).ok_or_else(|| {
        let reason = format!("{} is no public key of an avatar", shown(identity));
        Refusal::new(Failure::Malformed, reason)
    })
}

/// Whether the target made the signature over the payload.
fn verify(text: &str, target: &Avatar, payload: &str) -> Result<(), Refusal> {
    let invalid = || Refusal::new(Failure::BadSignature, "target signature validation failed");
    let digits = text.strip_prefix("0x").unwrap_or(text);
    if text.len() > SIGNATURE_CHARS_MAX {
        return Err(invalid());
    }
    let bytes = HEXLOWER_PERMISSIVE.decode(digits.as_bytes());
    let signature = Signature::parse(&bytes.map_err(|_| invalid())?).map_err(|_| invalid())?;
    let key = recover(&signature, &personal_digest(payload.as_bytes())).map_err(|_| invalid())?;
    if key.address() == target.address() {
        Ok(())
    } else {
        let reason = format!("not signed by the avatar {target}");
        refuse(Failure::BadSignature, reason)
    }
}
