//! Subkeys, and avatars told by their signatures.

use engine::claims::{ClaimError, Restoring, SubkeyDraft, SubkeyPosting};
use engine::nextid::{SubkeyAlgorithm, encode_signature};
use engine::types::ClaimAction;

use crate::town::{Persona, Town, caller};

fn draft(by: &Persona, public_key: &str) -> SubkeyDraft {
    SubkeyDraft {
        avatar: by.avatar(),
        algorithm: SubkeyAlgorithm::Secp256k1,
        public_key: public_key.to_owned(),
        rp_id: "mastodon.example".into(),
    }
}

async fn add(town: &Town, by: &Persona, draft: &SubkeyDraft) -> Result<String, ClaimError> {
    let claims = town.engine().claims();
    let payload = claims.prepare_subkey(draft)?;
    let posting = SubkeyPosting {
        draft: draft.clone(),
        name: "phone".into(),
        signature: by.sign(&payload),
    };
    claims.add_subkey(&caller(), &posting).await
}

#[tokio::test]
async fn a_subkey_is_bound_once_and_found_both_ways_in_every_form() {
    let (town, alice, bob) = (Town::new().await, Persona::new(1), Persona::new(2));
    let key = Persona::new(3).avatar().to_string();
    let upper = key[2..].to_uppercase();
    let payload = add(&town, &alice, &draft(&alice, &upper)).await.unwrap();
    assert!(payload.contains(&upper), "as it was sent");
    let again = add(&town, &alice, &draft(&alice, &key)).await;
    assert!(matches!(again, Err(ClaimError::AlreadyBound)));
    add(&town, &bob, &draft(&bob, &key)).await.unwrap();
    let claims = town.engine().claims();
    let of = claims.subkeys_of(&alice.avatar()).await.unwrap();
    assert_eq!((of.len(), of[0].public_key.as_str()), (1, upper.as_str()));
    assert_eq!(
        (of[0].name.as_str(), of[0].rp_id.as_str()),
        ("phone", "mastodon.example")
    );
    for form in [&key, &upper] {
        let with = claims.subkeys_with(SubkeyAlgorithm::Secp256k1, form).await;
        assert_eq!(with.unwrap().len(), 2);
    }
    let other = claims
        .subkeys_with(SubkeyAlgorithm::Es256, &"ab".repeat(64))
        .await;
    assert_eq!(other.unwrap(), []);
    let nonsense = claims
        .subkeys_with(SubkeyAlgorithm::Secp256k1, "0x00")
        .await;
    assert!(matches!(nonsense, Err(ClaimError::Malformed(_))));
}

#[tokio::test]
async fn a_subkey_needs_the_avatars_signature_and_an_rp() {
    let (town, alice, bob) = (Town::new().await, Persona::new(1), Persona::new(2));
    let key = Persona::new(3).avatar().to_string();
    let forged = add(&town, &bob, &draft(&alice, &key)).await;
    assert!(matches!(forged, Err(ClaimError::BadSignature)));
    let mut nowhere = draft(&alice, &key);
    nowhere.rp_id.clear();
    assert!(matches!(
        add(&town, &alice, &nowhere).await,
        Err(ClaimError::Malformed(_))
    ));
    let nonsense = add(&town, &alice, &draft(&alice, "0x12")).await;
    assert!(matches!(nonsense, Err(ClaimError::Malformed(_))));
    assert_eq!(
        town.engine()
            .claims()
            .subkeys_of(&alice.avatar())
            .await
            .unwrap(),
        []
    );
}

#[tokio::test]
async fn subkeys_of_an_avatar_are_bounded_and_leave_its_chain_alone() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "dns", "a.example").await;
    let most = engine::limits::SUBKEYS_PER_AVATAR_MAX;
    let passkey = |number: u32| SubkeyDraft {
        algorithm: SubkeyAlgorithm::Es256,
        ..draft(&alice, &format!("{number:0128x}"))
    };
    for number in 0..most {
        add(&town, &alice, &passkey(number)).await.unwrap();
    }
    let more = add(&town, &alice, &passkey(most)).await;
    assert!(matches!(more, Err(ClaimError::TooMany(_))));
    town.create(&alice, "dns", "b.example").await;
    let found = town
        .engine()
        .claims()
        .subkeys_of(&alice.avatar())
        .await
        .unwrap();
    assert_eq!(found.len(), most as usize);
}

#[tokio::test]
async fn an_avatar_is_told_by_its_signature() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let prepared = town
        .prepare(&alice, ClaimAction::Create, "github", "Alice")
        .await;
    let (uuid, created_at) = (prepared.uuid.to_string(), prepared.created_at.to_string());
    let signature = encode_signature(&alice.sign(&prepared.payload));
    let restoring = Restoring {
        action: ClaimAction::Create,
        platform: "github",
        identity: "Alice",
        uuid: &uuid,
        created_at: &created_at,
        previous: "",
        signature: &signature,
    };
    let claims = town.engine().claims();
    let restored = claims.restore_avatar(&caller(), &restoring).await.unwrap();
    assert_eq!(restored, alice.avatar());
    let missing = Restoring {
        uuid: "",
        ..restoring
    };
    let refused = claims
        .restore_avatar(&caller(), &missing)
        .await
        .unwrap_err();
    assert_eq!(refused.to_string(), "param missing");
    let wallet = Restoring {
        platform: "wallet",
        ..restoring
    };
    let refused = claims.restore_avatar(&caller(), &wallet).await.unwrap_err();
    assert!(matches!(refused, ClaimError::Malformed(_)));
    let nowhere = Restoring {
        platform: "nowhere",
        ..restoring
    };
    let refused = claims
        .restore_avatar(&caller(), &nowhere)
        .await
        .unwrap_err();
    assert!(matches!(refused, ClaimError::UnknownService(_)));
}
