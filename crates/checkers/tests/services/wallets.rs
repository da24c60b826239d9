//! Ethereum and Solana: the wallets of the vectors.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use checkers::{Ethereum, Solana};
use crypto::secp256k1::{Signature, personal_digest, recover};
use engine::ports::checker::{ClaimChecker, Extra, Failure, Needs};
use engine::types::{Avatar, ClaimAction, Uuid};
use serde_json::Value;

use crate::battery::{NO_NAMES, normalised};
use crate::fake::{NOBODY, Web, world};
use crate::vectors::{Claim, vectors};

/// The claim of a request body.
fn claim(vector: &Value) -> Claim {
    let body = &vector["body"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let signed: Value = serde_json::from_str(&text(&vector["sign_payload"])).unwrap();
    let signature = body["extra"]["signature"].as_str();
    let signature = signature.map(|text| BASE64_STANDARD.decode(text).unwrap());
    Claim {
        action: ClaimAction::parse(&text(&body["action"])).unwrap(),
        avatar: Avatar::parse(&text(&body["public_key"])).unwrap(),
        given: text(&body["identity"]),
        identity: text(&signed["identity"]),
        location: None,
        payload: text(&vector["sign_payload"]),
        uuid: Uuid::parse(&text(&body["uuid"])).unwrap(),
        created_at: text(&body["created_at"]).parse().unwrap(),
        extra: Extra {
            signature: signature.clone(),
            wallet_signature: body["extra"]["wallet_signature"]
                .as_str()
                .map(str::to_owned),
            target_signature: None,
        },
        signature: signature.unwrap_or_default(),
    }
}

/// Whether the avatar made one of these over the payload, as the engine looks at it.
fn is_avatars(claim: &Claim, signatures: &[Vec<u8>]) -> bool {
    let digest = personal_digest(claim.payload.as_bytes());
    signatures.iter().any(|bytes| {
        let key = Signature::parse(bytes)
            .ok()
            .and_then(|it| recover(&it, &digest).ok());
        key.is_some_and(|key| key.address() == claim.avatar.address())
    })
}

/// What the engine would make of a vector with this checker; the bytes stored if it is taken.
async fn taken(checker: &dyn ClaimChecker, vector: &Value) -> Option<Vec<u8>> {
    let claim = claim(vector);
    assert_eq!(
        normalised(checker, &claim.given).await.unwrap(),
        claim.identity
    );
    let web = Web::default();
    let world = world(&web, &NOBODY);
    let signatures = match claim.action {
        ClaimAction::Create => {
            checker
                .check(&claim.claimed(), &world)
                .await
                .ok()?
                .signatures
        }
        ClaimAction::Delete => match checker.delete_by_wallet(&claim.claimed()) {
            Some(by_wallet) => return by_wallet.ok(),
            None => claim.extra.signature.iter().cloned().collect(),
        },
    };
    is_avatars(&claim, &signatures).then(|| signatures[0].clone())
}

async fn every_vector(checker: &dyn ClaimChecker, section: &str) {
    let all = vectors();
    let all = all[section].as_array().unwrap();
    assert!(all.len() >= 6);
    for vector in all {
        let name = vector["name"].as_str().unwrap();
        let taken = taken(checker, vector).await;
        assert_eq!(taken.is_some(), vector["expect"] == 201, "{name}");
        if let Some(stored) = vector["stored"]["signature"].as_str() {
            let taken = taken.unwrap();
            // The engine stores v as 0 or 1.
            let bytes = Signature::parse(&taken).map_or(taken.clone(), |it| it.as_bytes().to_vec());
            assert_eq!(BASE64_STANDARD.encode(bytes), stored, "{name}");
        }
    }
}

#[tokio::test]
async fn every_vector_of_ethereum() {
    every_vector(&Ethereum, "ethereum").await;
}

#[tokio::test]
async fn every_vector_of_solana() {
    every_vector(&Solana, "solana").await;
}

#[tokio::test]
async fn what_is_wrong_is_told() {
    let all = vectors();
    let web = Web::default();
    let world = world(&web, &NOBODY);
    let good = claim(&all["ethereum"][0]);
    let refusal = async |text: &str| {
        let mut claim = good.clone();
        claim.extra.wallet_signature = Some(text.to_owned());
        let refusal = Ethereum.check(&claim.claimed(), &world).await.unwrap_err();
        assert_eq!(refusal.failure, Failure::BadSignature);
        refusal.reason
    };
    assert_eq!(refusal("").await, "wallet_signature not found");
    assert_eq!(
        refusal("***").await,
        "ETH wallet signature validation failed"
    );
    assert_eq!(
        refusal("AAAA").await,
        "ETH wallet signature validation failed"
    );
    let zeros = BASE64_STANDARD.encode([0; 65]);
    assert_eq!(
        refusal(&zeros).await,
        "ETH wallet signature validation failed"
    );
    let by_avatar = BASE64_STANDARD.encode(&good.signature);
    assert_eq!(
        refusal(&by_avatar).await,
        "not signed by this wallet: found 0xab83419d3be56a3473dbfab8ca1bbada6ba7a616 instead of \
         0xcbce6348ee23d6b10f85ba3794e497e69551598d"
    );
    let mut claim = claim(&all["solana"][0]);
    claim.extra.wallet_signature = Some("1".repeat(1_000_000));
    let refusal = Solana.check(&claim.claimed(), &world).await.unwrap_err();
    assert!(refusal.reason.starts_with("invalid wallet signature"));
}

#[tokio::test]
async fn addresses_are_checked() {
    for name in NO_NAMES {
        assert_eq!(normalised(&Ethereum, name).await, None, "{name:?}");
        assert_eq!(normalised(&Solana, name).await, None, "{name:?}");
    }
    let address = "0xCBCE6348ee23d6b10f85ba3794e497e69551598d";
    assert_eq!(
        normalised(&Ethereum, address).await.unwrap(),
        address.to_lowercase()
    );
    for bad in [
        &address[2..],
        &address[..41],
        &format!("{address}0"),
        "0xzz",
    ] {
        assert_eq!(normalised(&Ethereum, bad).await, None, "{bad}");
    }
    let address = "3MhxiG8RuvEXWt5wymNwxVDykMAtaFCcqZBSPX2hTtsC";
    assert_eq!(normalised(&Solana, address).await.unwrap(), address);
    let swapped = address.replace('3', "0");
    for bad in [&address[..40], &format!("{address}1"), swapped.as_str()] {
        assert_eq!(normalised(&Solana, bad).await, None, "{bad}");
    }
}

#[test]
fn wallets_may_sign_a_delete() {
    let needs = Needs {
        persona: true,
        location: false,
        wallet_delete: true,
    };
    assert_eq!(Ethereum.needs(), needs);
    assert_eq!(Solana.needs(), needs);
}
