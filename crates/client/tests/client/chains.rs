//! Chains of avatars, as a directory serves them and as a forger would.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::Request;
use client::avatar::Avatar;
use client::bundle::{AvatarBundle, ChainHead, NewestLink, VerifyError};
use client::chain::{ChainFault, ChainVerifier, Finding, LoggedEntry, VerifiedChain};
use client::proofs::ChainItem;
use engine::types::ClaimAction;
use merkle::Hash;
use merkle::note::VerifierKey;
use merkle::tile::decode_bundle;
use serde_json::{Value, json};
use testkit::{AvatarClient, FakeService, World, default_settings};
use tower::ServiceExt as _;

/// A chain of three links, and its log.
struct Chain {
    world: World,
    head: ChainHead,
    links: Value,
    logged: Vec<LoggedEntry>,
}

impl Chain {
    async fn new() -> Self {
        let service = FakeService::new("twitter");
        let mut settings = default_settings();
        settings.merge_delay = std::time::Duration::ZERO;
        let world = World::checking(std::slice::from_ref(&service), settings).await;
        let key = AvatarClient::new(1);
        for of in [
            (ClaimAction::Create, "alice"),
            (ClaimAction::Create, "bob"),
            (ClaimAction::Delete, "alice"),
        ] {
            world.claim(&key, &service, of).await;
        }
        let avatar = key.avatar().to_string();
        let state = door_proofservice::State {
            engine: world.engine.clone(),
            settings: Arc::default(),
        };
        let path = format!("/v1/proofchain?avatar={avatar}");
        let answer = get(door_proofservice::router(state), &path).await;
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let (log, mut logged) = (world.engine.log(), Vec::new());
        let head = log.head();
        let tile = log
            .entries(0, u16::try_from(head.size).unwrap())
            .await
            .unwrap();
        let entries = decode_bundle(&tile).unwrap();
        for link in answer["proof_chain"].as_array().unwrap() {
            let index = link["log"]["leaf_index"].as_u64().unwrap();
            logged.push(LoggedEntry {
                entry: entries[usize::try_from(index).unwrap()].to_vec(),
                path: log.inclusion(index, head.size).await.unwrap(),
            });
        }
        let proof = bundle(&world, &avatar, "").await;
        let proof = AvatarBundle::parse(&proof).unwrap();
        let avatar = Avatar::parse(&avatar).unwrap();
        Self {
            head: proof.verify(&avatar, &vkey(&world)).unwrap(),
            links: answer["proof_chain"].clone(),
            world,
            logged,
        }
    }

    fn verify(&self, links: &Value) -> Result<VerifiedChain, ChainFault> {
        self.verify_with(links, &self.head)
    }

    fn verify_with(&self, links: &Value, head: &ChainHead) -> Result<VerifiedChain, ChainFault> {
        let links: Vec<ChainItem> = serde_json::from_value(links.clone()).unwrap();
        let mut verifier = ChainVerifier::new(head);
        for (link, logged) in links.iter().zip(&self.logged) {
            verifier.next(link, logged)?;
        }
        verifier.finish()
    }

    /// The first links, as a server shows them that keeps the others back.
    fn first(&self, count: usize) -> Value {
        self.links.as_array().unwrap()[..count].into()
    }
}

async fn get(door: Router, path: &str) -> Vec<u8> {
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = door.oneshot(request).await.unwrap();
    let body = to_bytes(answer.into_body(), 1 << 20).await;
    body.unwrap().to_vec()
}

async fn bundle(world: &World, avatar: &str, query: &str) -> Vec<u8> {
    let engine = world.engine.clone();
    let door = door_tlog::router(door_tlog::State { engine });
    get(door, &format!("/log/avatars/{avatar}{query}")).await
}

fn vkey(world: &World) -> VerifierKey {
    VerifierKey::parse(&world.engine.log().verifier_key()).unwrap()
}

#[tokio::test]
async fn a_chain_that_was_served_holds() {
    let chain = Chain::new().await;
    let verified = chain.verify(&chain.links).unwrap();
    assert_eq!(verified.links, 3);
    let left: Vec<_> = verified.claimed.into_iter().collect();
    assert_eq!(left, [("twitter".to_owned(), "bob".to_owned())]);
}

fn other() -> Avatar {
    Avatar::parse(&AvatarClient::new(2).avatar().to_string()).unwrap()
}

#[tokio::test]
async fn nothing_in_a_chain_can_be_changed() {
    let chain = Chain::new().await;
    let of_other = ChainHead {
        avatar: other(),
        ..chain.head.clone()
    };
    let of_other = chain.verify_with(&chain.links, &of_other).unwrap_err();
    assert_eq!((of_other.seqno, of_other.what), (1, Finding::Signature));
    for (member, value, what) in [
        ("identity", json!("carol"), Finding::Payload),
        ("platform", json!("github"), Finding::Payload),
        ("action", json!("delete"), Finding::Payload),
        ("created_at", json!("1"), Finding::Payload),
        (
            "uuid",
            json!("cd04a475-4498-406d-b5a1-3c5f371f1f05"),
            Finding::Payload,
        ),
        ("alt_id", json!("x"), Finding::Contradiction),
        ("proof_location", json!("2"), Finding::Contradiction),
        (
            "extra",
            json!({"wallet_signature": "x"}),
            Finding::Contradiction,
        ),
        (
            "signature",
            chain.links[0]["signature"].clone(),
            Finding::Signature,
        ),
        ("signature", json!("AAAA"), Finding::Signature),
        ("log", Value::Null, Finding::NotLogged),
        ("log", chain.links[0]["log"].clone(), Finding::Inclusion),
    ] {
        let mut links = chain.links.clone();
        links[1][member] = value;
        let fault = chain.verify(&links).unwrap_err();
        assert_eq!((fault.seqno, fault.what), (2, what), "{member}");
    }
    for (member, value, what) in [
        (
            "salt",
            chain.links[0]["log"]["salt"].clone(),
            Finding::Commitment,
        ),
        (
            "link",
            chain.links[0]["log"]["link"].clone(),
            Finding::Commitment,
        ),
        ("leaf_index", json!(0), Finding::Inclusion),
        ("leaf_index", json!(u64::MAX), Finding::Inclusion),
    ] {
        let mut links = chain.links.clone();
        links[1]["log"][member] = value;
        let fault = chain.verify(&links).unwrap_err();
        assert_eq!((fault.seqno, fault.what), (2, what), "{member}");
    }
}

#[tokio::test]
async fn a_link_left_out_or_moved_is_noticed() {
    let mut chain = Chain::new().await;
    for order in [&[1, 2][..], &[0, 2], &[1, 0, 2], &[0, 0]] {
        let links = order.iter().map(|at| chain.links[*at].clone()).collect();
        let logged = std::mem::take(&mut chain.logged);
        chain.logged = order.iter().map(|at| logged[*at].clone()).collect();
        let fault = chain.verify(&links).unwrap_err();
        assert_eq!(fault.what, Finding::Prev, "{order:?}");
        chain.logged = logged;
    }
}

#[tokio::test]
async fn links_kept_back_at_the_end_are_noticed() {
    let chain = Chain::new().await;
    for count in 0..3 {
        let fault = chain.verify(&chain.first(count)).unwrap_err();
        assert_eq!((fault.seqno, fault.what), (count + 1, Finding::KeptBack));
    }
    let newest = chain.head.newest.unwrap();
    for newest in [
        None,
        Some(NewestLink { seqno: 2, ..newest }),
        Some(NewestLink {
            commitment: Hash([1; 32]),
            ..newest
        }),
    ] {
        let head = ChainHead {
            newest,
            ..chain.head.clone()
        };
        let fault = chain.verify_with(&chain.links, &head).unwrap_err();
        assert_eq!((fault.seqno, fault.what), (3, Finding::NotNewest));
    }
}

#[tokio::test]
async fn where_a_chain_ends_is_proven_in_both_forms() {
    let chain = Chain::new().await;
    let key = vkey(&chain.world);
    for (avatar, links) in [(chain.head.avatar, Some(3)), (other(), None)] {
        for query in ["", "?format=tlog"] {
            let proof = bundle(&chain.world, &avatar.to_string(), query).await;
            let head = AvatarBundle::parse(&proof).unwrap();
            let head = head.verify(&avatar, &key).unwrap();
            assert_eq!(head.newest.map(|newest| newest.seqno), links);
            assert_eq!(head.checkpoint, chain.head.checkpoint);
        }
    }
    let nobody = ChainHead {
        newest: None,
        ..chain.head.clone()
    };
    let nothing = chain.verify_with(&json!([]), &nobody).unwrap();
    assert_eq!(nothing, VerifiedChain::default());
}

#[tokio::test]
async fn no_byte_of_an_avatar_s_bundle_can_change_what_is_proven() {
    let chain = Chain::new().await;
    let (avatar, key) = (chain.head.avatar, vkey(&chain.world));
    for query in ["", "?format=tlog"] {
        let body = bundle(&chain.world, &avatar.to_string(), query).await;
        for at in 0..body.len() {
            let mut changed = body.clone();
            changed[at] ^= 1;
            let read = AvatarBundle::parse(&changed);
            if let Ok(Ok(head)) = read.map(|bundle| bundle.verify(&avatar, &key)) {
                assert_eq!((head, query), (chain.head.clone(), ""), "byte {at}");
            }
        }
    }
}

#[tokio::test]
async fn a_bundle_of_somebody_else_says_nothing_of_an_avatar() {
    let chain = Chain::new().await;
    let (own, key) = (chain.head.avatar.to_string(), vkey(&chain.world));
    let json = bundle(&chain.world, &own, "").await;
    let read = AvatarBundle::parse(&json).unwrap();
    assert_eq!(read.verify(&other(), &key), Err(VerifyError::OtherSubject));
    let file = bundle(&chain.world, &own, "?format=tlog").await;
    let read = AvatarBundle::parse(&file).unwrap().verify(&other(), &key);
    assert!(matches!(read, Err(VerifyError::Map(_))), "{read:?}");
    let of_name = String::from_utf8(json).unwrap();
    let of_name = of_name.replace("\"avatar\"", "\"name\"");
    assert!(AvatarBundle::parse(of_name.as_bytes()).is_err());
}
