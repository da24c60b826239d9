//! What all wallets have in common: they sign themselves, nobody is asked.

use engine::ports::checker::{Claimed, Failure, Found, Needs, Refusal};

use crate::ask::refuse;
use crate::post::{any_location, found};

/// What a claim of a wallet needs.
pub(crate) const NEEDS: Needs = Needs {
    persona: true,
    location: false,
    wallet_delete: true,
};

/// The signature that came with a claim, as it was sent.
pub(crate) fn signature<'c>(claim: &Claimed<'c>) -> Option<&'c str> {
    let text = claim.extra.wallet_signature.as_deref();
    text.filter(|text| !text.is_empty())
}

/// What is found when the wallet has signed: the avatar's own signature, for the engine to verify.
///
/// # Errors
/// What `verify` says of the wallet's signature; `BadSignature` when there is none.
pub(crate) fn check(
    claim: &Claimed<'_>,
    verify: fn(&str, &Claimed<'_>) -> Result<Vec<u8>, Refusal>,
) -> Result<Found, Refusal> {
    let Some(text) = signature(claim) else {
        return refuse(Failure::BadSignature, "wallet_signature not found");
    };
    verify(text, claim)?;
    let signatures = claim.extra.signature.iter().cloned().collect();
    Ok(found(signatures, claim.identity, any_location(claim)))
}
