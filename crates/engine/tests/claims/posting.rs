//! Make and revoke: what is accepted, what is refused, and that a refusal leaves nothing.

use engine::claims::{ChainLink, ClaimError, Posting, Prepared, SignedOver};
use engine::nextid::encode_signature;
use engine::ports::checker::Failure;
use engine::types::{ClaimAction, Uuid};
use testkit::audit;

use crate::town::{Persona, SECOND, Town, With, caller, posting, query, settings, wallet_name};

/// Everything the store holds of claims, to tell whether something was written.
async fn rows(town: &Town) -> Vec<(Vec<u8>, Vec<u8>)> {
    use engine::ports::store::{Direction, Freshness, Key, KeyRange};
    let range = KeyRange {
        start: Key::new(),
        end: None,
    };
    let rows = town
        .store
        .scan(range, Direction::Forward, 10_000, Freshness::Now);
    let rows = rows.await.unwrap().into_iter();
    let of_claims = rows.filter(|(key, ..)| !matches!(key[0], 0x40..=0x61 | 0x67));
    of_claims
        .map(|(key, _, value)| (key.to_vec(), value.to_vec()))
        .collect()
}

#[tokio::test]
async fn a_posted_claim_is_made_found_and_revoked() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.service("github")
        .with(|state| state.alt_ids.insert("alice".into(), "42".into()));
    let made = town.create(&alice, "github", "Alice").await;
    assert_eq!((made.change_id, made.seqno), (1, 1));
    let claim = town.claim(&alice, "github", "ALICE").await.unwrap();
    assert_eq!(
        (claim.identity.as_str(), claim.alt_id.as_str()),
        ("alice", "42")
    );
    assert!(claim.is_valid && claim.invalid_reason.is_empty());
    assert_eq!(claim.created_at, claim.checked_at);
    assert!(town.claim(&alice, "github", "42").await.is_some());
    assert!(town.claim(&alice, "dns", "alice").await.is_none());
    assert!(
        town.claim(&Persona::new(2), "github", "alice")
            .await
            .is_none()
    );
    let gone = town.delete(&alice, "github", "alice").await.unwrap();
    assert_eq!((gone.change_id, gone.seqno), (2, 2));
    assert_eq!(town.claim(&alice, "github", "alice").await, None);
    let chain = town.engine().claims().chain(&alice.avatar(), 1, 40).await;
    let chain = chain.unwrap();
    assert_eq!((chain.total, chain.next), (2, 0));
    let [first, second] = &chain.links[..] else {
        unreachable!("{chain:?}")
    };
    assert_eq!(
        (first.action, second.action),
        (ClaimAction::Create, ClaimAction::Delete)
    );
    assert_eq!(first.signature, made.signature);
    assert!(
        second
            .payload
            .contains(&format!("\"prev\":\"{}\"", made.signature))
    );
    assert_eq!((first.index, first.change_id), (Some(1), Some(1)));
    assert_eq!(first.alt_id, "42");
    audit(town.engine()).await;
}

#[tokio::test]
async fn the_next_draft_is_over_the_newest_link() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let first = town
        .prepare(&alice, ClaimAction::Create, "dns", "a.example")
        .await;
    assert_eq!(first.prev, None);
    assert_eq!(first.created_at.unsigned_abs(), town.now_seconds());
    let made = town.create(&alice, "dns", "a.example").await;
    let next = town
        .prepare(&alice, ClaimAction::Create, "dns", "b.example")
        .await;
    assert_eq!(next.prev, Some(made.signature));
    assert_ne!(first.uuid, next.uuid);
    let bob = Persona::new(2);
    let other = town
        .prepare(&bob, ClaimAction::Create, "dns", "b.example")
        .await;
    assert_eq!(other.prev, None, "each avatar has a chain of its own");
}

#[tokio::test]
async fn a_wallet_signs_its_claim_and_may_revoke_it() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let wallet = Persona::new(9);
    let name = wallet_name(&wallet.avatar());
    let prepared = town
        .prepare(&alice, ClaimAction::Create, "wallet", &name)
        .await;
    assert!(prepared.payload.contains(&alice.avatar().to_string()));
    let base = posting(&alice, ClaimAction::Create, "wallet", &prepared);
    let signed = base.clone().with(|posting| {
        posting.extra.signature = Some(alice.sign(&prepared.payload));
        posting.extra.wallet_signature = Some(wallet.sign_text(&prepared.payload));
    });
    let by_other = signed.clone().with(|posting| {
        posting.extra.wallet_signature = Some(alice.sign_text(&prepared.payload));
    });
    let without_avatar = signed
        .clone()
        .with(|posting| posting.extra.signature = None);
    assert!(matches!(
        town.post(&by_other).await,
        Err(ClaimError::Refused(_))
    ));
    let refused = town.post(&without_avatar).await;
    assert!(
        matches!(refused, Err(ClaimError::BadSignature)),
        "{refused:?}"
    );
    town.post(&signed).await.unwrap();
    let chain = town.engine().claims().chain(&alice.avatar(), 1, 1).await;
    let link = chain.unwrap().links.pop().unwrap();
    assert_eq!(link.wallet_signature, signed.extra.wallet_signature);
    // The wallet takes it back, without the avatar; a wrong wallet decides alone.
    let prepared = town
        .prepare(&alice, ClaimAction::Delete, "wallet", &name)
        .await;
    let base = posting(&alice, ClaimAction::Delete, "wallet", &prepared);
    let wrong = base.clone().with(|posting| {
        posting.extra.signature = Some(alice.sign(&prepared.payload));
        posting.extra.wallet_signature = Some(alice.sign_text(&prepared.payload));
    });
    assert!(matches!(
        town.post(&wrong).await,
        Err(ClaimError::Refused(_))
    ));
    let right = base.with(|posting| {
        posting.extra.wallet_signature = Some(wallet.sign_text(&prepared.payload));
    });
    let gone = town.post(&right).await.unwrap();
    assert_eq!(gone.signature, right.extra.wallet_signature.unwrap());
    // And the chain goes on from the wallet's signature.
    let next = town
        .prepare(&alice, ClaimAction::Create, "dns", "a.example")
        .await;
    assert_eq!(next.prev, Some(gone.signature));
    town.create(&alice, "dns", "a.example").await;
}

#[tokio::test]
async fn what_the_service_does_not_show_is_refused_and_leaves_nothing() {
    let (town, alice, mallory) = (Town::new().await, Persona::new(1), Persona::new(2));
    town.create(&alice, "dns", "a.example").await;
    let before = rows(&town).await;
    // Somebody else's post, no signature in it, another key's signature, no signature at all.
    let mut posting = town.ready(&alice, "github", "alice").await;
    let payload_signed_by_mallory = {
        let prepared = town
            .prepare(&alice, ClaimAction::Create, "github", "alice")
            .await;
        mallory.sign(&prepared.payload)
    };
    let service = town.service("github");
    let at = posting.location.clone();
    let real = service.with(|state| state.posts[&at].1.clone());
    service.post(&at, "bob", &real);
    let refused = town.post(&posting).await.unwrap_err();
    assert!(
        matches!(&refused, ClaimError::Refused(refusal) if refusal.failure == Failure::WrongAuthor)
    );
    service.post(&at, "alice", &[]);
    let refused = town.post(&posting).await.unwrap_err();
    assert!(
        matches!(&refused, ClaimError::Refused(refusal) if refusal.failure == Failure::TextMissing)
    );
    service.post(&at, "alice", &[payload_signed_by_mallory]);
    let refused = town.post(&posting).await.unwrap_err();
    assert!(matches!(refused, ClaimError::BadSignature), "{refused}");
    service.post(&at, "alice", &[vec![1; 64]]);
    let refused = town.post(&posting).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Error: Signature length invalid: 64 instead of 65"
    );
    service.post(&at, "alice", &[[&[1; 64][..], &[5]].concat()]);
    let refused = town.post(&posting).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "Error: Signature Recovery ID not supported: 5"
    );
    posting.service = "nowhere".into();
    let refused = town.post(&posting).await.unwrap_err();
    assert_eq!(refused.to_string(), "platform not supported: nowhere");
    assert_eq!(rows(&town).await, before, "nothing was written");
    // Among others the right one is found.
    posting.service = "github".into();
    service.post(&at, "alice", &[vec![1; 64], real[0].clone()]);
    town.post(&posting).await.unwrap();
}

#[tokio::test]
async fn a_post_that_is_not_there_yet_is_looked_for_again() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let github = town.service("github");
    let moods = |moods: &[Failure]| {
        github.with(|state| {
            state.moods.clear();
            state.moods.extend(moods);
        });
    };
    moods(&[Failure::NotFound; 4]);
    town.create(&alice, "github", "alice").await;
    assert_eq!(github.asked(), 5);
    moods(&[Failure::NotFound; 9]);
    let posting = town.ready(&alice, "github", "bob").await;
    let start = town.clock_now();
    let refused = town.post(&posting).await.unwrap_err();
    assert!(
        matches!(&refused, ClaimError::Refused(refusal) if refusal.failure == Failure::NotFound)
    );
    assert_eq!(github.asked(), 6, "at once, and for five seconds");
    assert!(town.clock_now() - start <= 6 * SECOND);
    // What will not pass is told at once.
    for mood in [Failure::WrongAuthor, Failure::Unreachable, Failure::Limited] {
        moods(&[mood]);
        assert!(town.post(&posting).await.is_err());
        assert_eq!(github.asked(), 1, "{mood:?}");
    }
}

#[tokio::test]
async fn a_service_that_never_answers_ends_the_request_in_time() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let posting = town.ready(&alice, "github", "alice").await;
    town.service("github").with(|state| state.is_away = true);
    town.service("github").asked();
    let (claims, caller) = (town.engine().claims(), caller());
    let start = town.clock_now();
    let post = claims.post(&caller, &posting);
    let refused = town.hanging(post, "github", 15 * SECOND).await.unwrap_err();
    assert!(
        matches!(&refused, ClaimError::Refused(refusal) if refusal.failure == Failure::Unreachable)
    );
    assert!(town.clock_now() - start <= 20 * SECOND);
}

/// Alice with three claims, and a draft to revoke one of them.
struct Signed {
    town: Town,
    alice: Persona,
    mine: Prepared,
    base: Posting,
    links: Vec<ChainLink>,
}

impl Signed {
    async fn new() -> Self {
        let (town, alice) = (Town::new().await, Persona::new(1));
        for identity in ["a", "b", "c"] {
            town.create(&alice, "github", identity).await;
            town.clock.advance(SECOND);
        }
        let mine = town
            .prepare(&alice, ClaimAction::Delete, "github", "a")
            .await;
        let links = town.engine().claims().chain(&alice.avatar(), 1, 40).await;
        Self {
            base: posting(&alice, ClaimAction::Delete, "github", &mine),
            links: links.unwrap().links,
            town,
            alice,
            mine,
        }
    }

    /// What is said of a signature over something else.
    async fn refused(&self, posting: &Posting, payload: &str) -> ClaimError {
        let posting = posting
            .clone()
            .with(|posting| posting.extra.signature = Some(self.alice.sign(payload)));
        self.town.post(&posting).await.unwrap_err()
    }
}

#[tokio::test]
async fn a_signature_over_an_old_link_is_told_which() {
    let signed = Signed::new().await;
    let (mine, links) = (&signed.mine, &signed.links);
    let expected = mine.prev.clone().unwrap();
    for prev in [Some(links[1].signature.clone()), None] {
        let old = prev.as_ref().map(|prev| format!("\"{prev}\""));
        let old = old.unwrap_or_else(|| "null".into());
        let payload = mine.payload.replace(&format!("\"{expected}\""), &old);
        let ClaimError::Stale {
            signed_prev,
            expected: told,
        } = signed.refused(&signed.base, &payload).await
        else {
            unreachable!("it is named")
        };
        assert_eq!((signed_prev, told.as_ref()), (prev, Some(&expected)));
    }
    let said = signed.refused(&signed.base, &links[2].payload).await;
    assert!(matches!(
        said,
        ClaimError::SignedOver(SignedOver::OldLink { uuid, .. }) if uuid == links[2].uuid
    ));
}

#[tokio::test]
async fn a_signature_over_another_draft_is_told_what_differs() {
    let signed = Signed::new().await;
    let (town, mine, base) = (&signed.town, &signed.mine, &signed.base);
    town.clock.advance(SECOND);
    let other = town
        .prepare(&signed.alice, ClaimAction::Delete, "github", "a")
        .await;
    let said = signed.refused(base, &other.payload).await.to_string();
    let (signed_uuid, sent) = (other.uuid, mine.uuid);
    assert_eq!(
        said,
        format!("bad signature: signed over uuid {signed_uuid}, not {sent}")
    );
    let late = base
        .clone()
        .with(|posting| posting.created_at = other.created_at);
    let said = signed.refused(&late, &mine.payload).await.to_string();
    let (signed_at, sent) = (mine.created_at, other.created_at);
    assert_eq!(
        said,
        format!("bad signature: signed over created_at {signed_at}, not {sent}")
    );
}

#[tokio::test]
async fn a_signature_over_other_words_is_told_which() {
    let signed = Signed::new().await;
    let (mine, base) = (&signed.mine, &signed.base);
    let payload = mine.payload.replace("delete", "create");
    let said = signed.refused(base, &payload).await;
    assert!(matches!(
        said,
        ClaimError::SignedOver(SignedOver::Action { .. })
    ));
    let typed = base.clone().with(|posting| posting.identity = "A".into());
    let payload = mine
        .payload
        .replace("\"identity\":\"a\"", "\"identity\":\"A\"");
    let said = signed.refused(&typed, &payload).await;
    assert!(matches!(
        said,
        ClaimError::SignedOver(SignedOver::Identity { .. })
    ));
    let said = signed.refused(base, "nonsense").await;
    assert_eq!(said.to_string(), "bad signature");
    let right = base.clone().with(|posting| {
        posting.extra.signature = Some(signed.alice.sign(&mine.payload));
    });
    signed.town.post(&right).await.unwrap();
}

#[tokio::test]
async fn a_number_is_used_once_by_anybody() {
    let (town, alice, bob) = (Town::new().await, Persona::new(1), Persona::new(2));
    let posting = town.ready(&alice, "dns", "a.example").await;
    town.post(&posting).await.unwrap();
    let replayed = town.post(&posting).await.unwrap_err();
    assert!(matches!(replayed, ClaimError::UuidUsed(uuid) if uuid == posting.uuid));
    // Another avatar signs over the same number.
    let prepared = town
        .prepare(&bob, ClaimAction::Create, "dns", "b.example")
        .await;
    let payload = prepared
        .payload
        .replace(&prepared.uuid.to_string(), &posting.uuid.to_string());
    town.service("dns")
        .post("b.example", "b.example", &[bob.sign(&payload)]);
    let other = crate::town::posting(&bob, ClaimAction::Create, "dns", &prepared)
        .with(|other| other.uuid = posting.uuid);
    let refused = town.post(&other).await.unwrap_err();
    assert!(matches!(refused, ClaimError::UuidUsed(_)), "{refused}");
}

#[tokio::test]
async fn what_is_not_bound_cannot_be_revoked() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "dns", "a.example").await;
    let before = rows(&town).await;
    let refused = town.delete(&alice, "dns", "b.example").await.unwrap_err();
    assert!(matches!(refused, ClaimError::NotBound));
    let refused = town.delete(&Persona::new(2), "dns", "a.example").await;
    assert!(matches!(refused, Err(ClaimError::NotBound)));
    assert_eq!(rows(&town).await, before);
    // Without a signature, or with another's, nothing is revoked either.
    let prepared = town
        .prepare(&alice, ClaimAction::Delete, "dns", "a.example")
        .await;
    let base = posting(&alice, ClaimAction::Delete, "dns", &prepared);
    let refused = town.post(&base).await.unwrap_err();
    assert!(
        refused.to_string().starts_with("bad signature"),
        "{refused}"
    );
    let forged = base.with(|posting| {
        posting.extra.signature = Some(Persona::new(2).sign(&prepared.payload));
    });
    let refused = town.post(&forged).await.unwrap_err();
    assert!(matches!(refused, ClaimError::BadSignature));
    assert_eq!(
        town.service("dns").with(|state| state.asked),
        1,
        "no post is looked for"
    );
    assert_eq!(rows(&town).await, before);
    assert!(town.claim(&alice, "dns", "a.example").await.is_some());
}

#[tokio::test]
async fn a_claim_made_again_is_renewed_and_not_doubled() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    town.create(&alice, "dns", "A.example").await;
    let first = town.claim(&alice, "dns", "a.example").await.unwrap();
    town.clock.advance(100 * SECOND);
    town.create(&alice, "dns", "a.EXAMPLE").await;
    let view = town.view_at(0, &alice).await.unwrap();
    let [claim] = &view.claims[..] else {
        unreachable!("{view:?}")
    };
    assert_eq!(claim.identity, "a.EXAMPLE", "as it was signed last");
    assert_eq!(claim.created_at, first.created_at);
    assert!(claim.checked_at > first.checked_at);
    town.delete(&alice, "dns", "a.example").await.unwrap();
    assert_eq!(
        town.view_at(0, &alice).await,
        None,
        "an avatar without claims matches nothing"
    );
}

#[tokio::test]
async fn texts_have_bounds() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let good = town.ready(&alice, "github", "alice").await;
    for (change, what) in [
        ("identity", "identity is empty"),
        ("long identity", "identity is too long"),
        ("location", "proof_location is too long"),
        ("wallet", "a signature is too long"),
    ] {
        let bad = good.clone().with(|posting| match change {
            "identity" => posting.identity.clear(),
            "long identity" => posting.identity = "a".repeat(256),
            "location" => posting.location = "a".repeat(2049),
            _ => posting.extra.wallet_signature = Some("a".repeat(5000)),
        });
        let refused = town.post(&bad).await.unwrap_err();
        assert_eq!(refused.to_string(), what);
    }
    let long = good.with(|posting| posting.uuid = Uuid::from_bytes([9; 16]));
    assert!(
        town.post(&long).await.is_err(),
        "another number was not signed"
    );
}

#[tokio::test]
async fn an_avatar_has_only_so_many_claims_and_an_address_only_so_many_posts() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    for number in 0..engine::limits::CLAIMS_PER_AVATAR_MAX {
        town.create(&alice, "dns", &format!("{number}.example"))
            .await;
    }
    let posting = town.ready(&alice, "dns", "more.example").await;
    let refused = town.post(&posting).await.unwrap_err();
    assert!(matches!(refused, ClaimError::TooMany(_)));
    town.create(&alice, "dns", "7.example").await;
    town.delete(&alice, "dns", "8.example").await.unwrap();
    town.create(&alice, "dns", "more.example").await;
    let limited = Town::with(engine::Settings {
        limits_enabled: true,
        ..settings()
    })
    .await;
    let mut posts = 0;
    let posting = posting.with(|posting| posting.service = "nowhere".into());
    let claims = limited.engine().claims();
    while !matches!(
        claims.post(&caller(), &posting).await,
        Err(ClaimError::Limited(_))
    ) {
        posts += 1;
    }
    assert_eq!(posts, engine::limits::CLAIM_POSTS_PER_HOUR);
}

#[tokio::test]
async fn avatars_that_claim_each_other_are_aliases_of_each_other() {
    let town = Town::new().await;
    let all: Vec<Persona> = (1..6).map(Persona::new).collect();
    let [a, b, c, d, e] = &all[..] else {
        unreachable!("five")
    };
    for one in &all {
        town.create(one, "dns", "a.example").await;
    }
    let join = async |from: &Persona, to: &Persona, target: &Persona| {
        let name = to.avatar().to_string().to_uppercase().replace("0X", "0x");
        let prepared = town
            .prepare(from, ClaimAction::Create, "nextid", &name)
            .await;
        let posting = posting(from, ClaimAction::Create, "nextid", &prepared).with(|posting| {
            posting.extra.signature = Some(from.sign(&prepared.payload));
            posting.extra.target_signature = Some(target.sign_text(&prepared.payload));
        });
        town.post(&posting).await
    };
    assert!(join(a, b, a).await.is_err(), "the other one has to sign");
    // a - b - c in both directions, d - e.
    join(a, b, b).await.unwrap();
    join(c, b, b).await.unwrap();
    join(d, e, e).await.unwrap();
    let aliases = async |of: &Persona| town.view_at(0, of).await.unwrap().aliases;
    let sorted = |mut avatars: Vec<_>| {
        avatars.sort();
        avatars
    };
    assert_eq!(aliases(a).await, sorted(vec![b.avatar(), c.avatar()]));
    assert_eq!(aliases(b).await, sorted(vec![a.avatar(), c.avatar()]));
    assert_eq!(aliases(e).await, [d.avatar()]);
    join(e, a, a).await.unwrap();
    assert_eq!(aliases(c).await.len(), 4);
    assert!(!aliases(c).await.contains(&c.avatar()));
    let name = b.avatar().to_string();
    town.delete(a, "nextid", &name).await.unwrap();
    assert_eq!(aliases(b).await, [c.avatar()]);
    assert_eq!(aliases(a).await, sorted(vec![d.avatar(), e.avatar()]));
    // An avatar that was only named has no claims, and is no match.
    join(a, &Persona::new(77), &Persona::new(77)).await.unwrap();
    assert_eq!(town.view_at(0, &Persona::new(77)).await, None);
    assert_eq!(aliases(a).await.len(), 3);
}

#[tokio::test]
async fn a_wallets_high_s_signature_is_taken_as_it_is_but_v_is_normal() {
    let (town, alice) = (Town::new().await, Persona::new(1));
    let prepared = town
        .prepare(&alice, ClaimAction::Create, "github", "alice")
        .await;
    let mut signature = alice.sign(&prepared.payload);
    let normal = signature.clone();
    signature[64] += 27;
    town.service("github").post("x", "alice", &[signature]);
    let posting = posting(&alice, ClaimAction::Create, "github", &prepared)
        .with(|posting| posting.location = "x".into());
    let posted = town.post(&posting).await.unwrap();
    assert_eq!(posted.signature, encode_signature(&normal));
    let found = town.engine().claims().find(&query("alice")).await.unwrap();
    assert_eq!(found.total, 1);
}
