//! Ethereum: the wallet itself signs, nobody is asked.

use async_trait::async_trait;
use crypto::secp256k1::{Signature, personal_digest, recover};
use data_encoding::HEXLOWER;
use engine::nextid;
use engine::ports::checker::{CheckWorld, ClaimChecker, Claimed, Failure, Found, Needs, Refusal};

use crate::ask::{refuse, shown};
use crate::wallet;

/// Hexadecimal digits of an address.
const ADDRESS_DIGITS: usize = 40;
/// What is told of a signature that no key can have made.
const INVALID: &str = "ETH wallet signature validation failed";

/// Checks Ethereum wallets.
pub struct Ethereum;

#[async_trait]
impl ClaimChecker for Ethereum {
    fn service(&self) -> &'static str {
        "ethereum"
    }

    fn needs(&self) -> Needs {
        wallet::NEEDS
    }

    async fn normalise(&self, identity: &str, _world: &CheckWorld<'_>) -> Result<String, Refusal> {
        let lower = identity.to_ascii_lowercase();
        let digits = lower.strip_prefix("0x").unwrap_or_default();
        if digits.len() == ADDRESS_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(lower)
        } else {
            let reason = format!("{} is no address of Ethereum", shown(identity));
            refuse(Failure::Malformed, reason)
        }
    }

    async fn check(&self, claim: &Claimed<'_>, _world: &CheckWorld<'_>) -> Result<Found, Refusal> {
        wallet::check(claim, verify)
    }

    fn delete_by_wallet(&self, claim: &Claimed<'_>) -> Option<Result<Vec<u8>, Refusal>> {
        let text = wallet::signature(claim)?;
        Some(verify(text, claim))
    }
}

/// The signature, if the wallet made it over the payload.
fn verify(text: &str, claim: &Claimed<'_>) -> Result<Vec<u8>, Refusal> {
    let invalid = || Refusal::new(Failure::BadSignature, INVALID);
    let bytes = nextid::decode_base64(text).ok_or_else(invalid)?;
    let signature = Signature::parse(&bytes).map_err(|_| invalid())?;
    let digest = personal_digest(claim.payload.as_bytes());
    let key = recover(&signature, &digest).map_err(|_| invalid())?;
    let signer = format!("0x{}", HEXLOWER.encode(&key.address()));
    if signer == claim.identity {
        Ok(signature.as_bytes().to_vec())
    } else {
        let reason = format!(
            "not signed by this wallet: found {signer} instead of {}",
            shown(claim.identity)
        );
        refuse(Failure::BadSignature, reason)
    }
}
