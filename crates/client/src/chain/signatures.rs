//! Who signed a link.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::base58;
use crypto::ed25519::VerifyingKey;
use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};

use crate::avatar::{Avatar, signer};
use crate::chain::Finding;
use crate::proofs::{Action, ChainItem};

/// Checks every signature of a link that can be checked offline; the bytes of the one that its
/// successor names.
pub(super) fn check(item: &ChainItem, avatar: &Avatar) -> Result<Vec<u8>, Finding> {
    let signature = STANDARD.decode(&item.signature);
    let signature = signature.map_err(|_| Finding::Signature)?;
    let by_avatar = avatar.signed(&item.signature_payload, &signature);
    let by_wallet = item.action == Action::Delete && is_account_s(item, &signature);
    if !by_avatar && !by_wallet {
        return Err(Finding::Signature);
    }
    if item.action == Action::Create && !account_agrees(item) {
        return Err(Finding::Account);
    }
    Ok(signature)
}

/// Whether the account that is claimed has signed too, where accounts are keys.
fn account_agrees(item: &ChainItem) -> bool {
    let wallet = || item.extra.wallet_signature.as_deref().unwrap_or_default();
    let bytes = match item.platform.as_str() {
        "ethereum" => STANDARD.decode(wallet()).ok(),
        "solana" => base58::decode::<64>(wallet()).map(Vec::from),
        "nextid" => {
            let text = item.extra.target_signature.as_deref().unwrap_or_default();
            let digits = text.strip_prefix("0x").unwrap_or(text);
            HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()
        }
        _ => return true,
    };
    bytes.is_some_and(|bytes| is_account_s(item, &bytes))
}

/// Whether a signature over the payload is the account's, where accounts are keys.
fn is_account_s(item: &ChainItem, signature: &[u8]) -> bool {
    let payload = &item.signature_payload;
    match item.platform.as_str() {
        "ethereum" => signer(payload, signature).is_some_and(|key| {
            let address = format!("0x{}", HEXLOWER.encode(&key.address()));
            address.eq_ignore_ascii_case(&item.identity)
        }),
        "solana" => is_solana(&item.identity, payload, signature).unwrap_or_default(),
        "nextid" => Avatar::parse(&item.identity).is_ok_and(|it| it.signed(payload, signature)),
        _ => false,
    }
}

fn is_solana(address: &str, payload: &str, signature: &[u8]) -> Option<bool> {
    let key = VerifyingKey::from_bytes(&base58::decode::<32>(address)?).ok()?;
    let signature = signature.try_into().ok()?;
    Some(key.verify_strict(payload.as_bytes(), signature).is_ok())
}
