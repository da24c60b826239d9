//! Solana: the wallet itself signs, nobody is asked.

use async_trait::async_trait;
use crypto::base58;
use crypto::ed25519::VerifyingKey;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};

use crate::ask::{refuse, shown};
use crate::wallet;

/// Checks Solana wallets.
pub struct Solana;

#[async_trait]
impl ClaimChecker for Solana {
    fn service(&self) -> &'static str {
        "solana"
    }

    fn needs(&self) -> Needs {
        wallet::NEEDS
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        address(identity).map(|_| identity.to_owned())
    }

    async fn check(&self, claim: &Claimed<'_>, _world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        wallet::check(claim, verify)
    }

    fn delete_by_wallet(&self, claim: &Claimed<'_>) -> Option<Result<Vec<u8>, Refusal>> {
        let text = wallet::signature(claim)?;
        Some(verify(text, claim))
    }
}

/// The key an address is.
fn address(identity: &str) -> Result<[u8; 32], Refusal> {
    base58::decode(identity).ok_or_else(|| not_an_address(identity))
}

fn not_an_address(identity: &str) -> Refusal {
    let reason = format!("{} is no address of Solana", shown(identity));
    Refusal::new(Failure::Malformed, reason)
}

/// The signature, if the wallet made it over the payload.
fn verify(text: &str, claim: &Claimed<'_>) -> Result<Vec<u8>, Refusal> {
    let key = VerifyingKey::from_bytes(&address(claim.identity)?)
        .map_err(|_| not_an_address(claim.identity))?;
    let Some(signature) = base58::decode::<64>(text) else {
        let reason = "invalid wallet signature: it is no base58 of 64 bytes";
        return refuse(Failure::BadSignature, reason);
    };
    if key
        .verify_strict(claim.payload.as_bytes(), &signature)
        .is_ok()
    {
        Ok(signature.to_vec())
    } else {
        let reason = "invalid wallet signature: it is not this wallet's over the payload";
        refuse(Failure::BadSignature, reason)
    }
}
