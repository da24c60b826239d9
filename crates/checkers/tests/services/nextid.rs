//! Other avatars.

use checkers::OtherAvatar;
use crypto::secp256k1::SigningKey;
use data_encoding::HEXLOWER;
use engine::ports::checker::{ClaimChecker, Failure, Found, Refusal};

use crate::battery::{NO_NAMES, normalised};
use crate::fake::{NOBODY, Web, world};
use crate::vectors::{Claim, vectors};

fn target() -> SigningKey {
    let keys = vectors()["keys"]["secp256k1"].clone();
    SigningKey::from_hex(keys[1]["secret_key"].as_str().unwrap()).unwrap()
}

fn claim() -> Claim {
    let mut claim = Claim::of("nextid");
    claim.extra.signature = Some(claim.signature.clone());
    let signature = target().sign_personal(claim.payload.as_bytes());
    claim.extra.target_signature = Some(HEXLOWER.encode(signature.as_bytes()));
    claim
}

async fn check(claim: &Claim) -> Result<Found, Refusal> {
    let web = Web::default();
    OtherAvatar
        .check(&claim.claimed(), &world(&web, &NOBODY))
        .await
}

#[tokio::test]
async fn the_other_key_signs_too() {
    let mut claim = claim();
    let found = check(&claim).await.unwrap();
    assert_eq!(found.signatures, std::slice::from_ref(&claim.signature));
    let text = claim.extra.target_signature.clone().unwrap();
    claim.extra.target_signature = Some(format!("0x{}", text.to_uppercase()));
    assert!(check(&claim).await.is_ok());
}

#[tokio::test]
async fn other_signatures_show_nothing() {
    let good = claim();
    let other = HEXLOWER.encode(&good.signature);
    let long = "0".repeat(133);
    for text in [
        None,
        Some(""),
        Some("0x"),
        Some("zz"),
        Some("00"),
        Some(long.as_str()),
        Some(other.as_str()),
    ] {
        let mut claim = good.clone();
        claim.extra.target_signature = text.map(str::to_owned);
        assert_eq!(
            check(&claim).await.unwrap_err().failure,
            Failure::BadSignature,
            "{text:?}"
        );
    }
    let mut another_payload = good.clone();
    another_payload.payload.push(' ');
    assert_eq!(
        check(&another_payload).await.unwrap_err().failure,
        Failure::BadSignature
    );
    let itself = good.clone().by(&good.avatar.to_string());
    assert_eq!(
        check(&itself).await.unwrap_err().failure,
        Failure::Malformed
    );
}

#[tokio::test]
async fn a_key_has_one_form() {
    let claim = claim();
    assert_eq!(
        normalised(&OtherAvatar, &claim.given).await.unwrap(),
        claim.identity
    );
    for name in NO_NAMES {
        assert_eq!(normalised(&OtherAvatar, name).await, None, "{name:?}");
    }
}
