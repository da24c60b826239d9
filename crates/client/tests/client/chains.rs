//! Chains of avatars, as a directory serves them and as a forger would.

use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use client::avatar::Avatar;
use client::chain::{ChainFault, ChainVerifier, Finding, LoggedEntry, VerifiedChain};
use client::checkpoint;
use client::proofs::ChainItem;
use engine::claims::{Caller, Draft, Posting};
use engine::nextid::decode_base64;
use engine::ports::checker::Extra;
use engine::reconcile::Reconciler;
use engine::types::ClaimAction;
use merkle::note::{Checkpoint, VerifierKey};
use merkle::tile::decode_bundle;
use serde_json::{Value, json};
use testkit::{AvatarClient, FakeService, World, default_settings};
use tower::ServiceExt as _;

/// A chain of three links, its log, and the avatar.
struct Chain {
    avatar: Avatar,
    links: Value,
    logged: Vec<LoggedEntry>,
    checkpoint: Checkpoint,
}

async fn step(
    world: &World,
    service: &FakeService,
    key: &AvatarClient,
    (action, identity): (ClaimAction, &str),
) {
    let caller: Caller = World::caller(1);
    let claims = world.engine.claims();
    let draft = Draft {
        action,
        service: "twitter".into(),
        identity: identity.into(),
        avatar: key.avatar(),
    };
    let prepared = claims.prepare(&caller, &draft).await.unwrap();
    let signature = key.sign(&prepared.payload);
    service.post("1", identity, &signature);
    let posting = Posting {
        action,
        service: draft.service,
        identity: draft.identity,
        location: "1".into(),
        avatar: draft.avatar,
        uuid: prepared.uuid,
        created_at: prepared.created_at,
        extra: Extra {
            signature: decode_base64(&signature),
            ..Extra::default()
        },
    };
    let posted = claims.post(&caller, &posting);
    tokio::pin!(posted);
    loop {
        tokio::select! {
            biased;
            done = &mut posted => { done.unwrap(); return },
            ticked = Reconciler::Sequence.tick(&world.engine) => { ticked.unwrap(); }
        }
        tokio::task::yield_now().await;
    }
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
            step(&world, &service, &key, of).await;
        }
        let avatar = key.avatar().to_string();
        let state = door_proofservice::State {
            engine: world.engine.clone(),
            settings: Arc::default(),
        };
        let request = Request::get(format!("/v1/proofchain?avatar={avatar}"));
        let answer = door_proofservice::router(state).oneshot(request.body(Body::empty()).unwrap());
        let body = to_bytes(answer.await.unwrap().into_body(), 1 << 20)
            .await
            .unwrap();
        let answer: Value = serde_json::from_slice(&body).unwrap();
        let (log, mut logged) = (world.engine.log(), Vec::new());
        let head = log.head();
        let bundle = log
            .entries(0, u16::try_from(head.size).unwrap())
            .await
            .unwrap();
        let entries = decode_bundle(&bundle).unwrap();
        for link in answer["proof_chain"].as_array().unwrap() {
            let index = link["log"]["leaf_index"].as_u64().unwrap();
            logged.push(LoggedEntry {
                entry: entries[usize::try_from(index).unwrap()].to_vec(),
                path: log.inclusion(index, head.size).await.unwrap(),
            });
        }
        let vkey = VerifierKey::parse(&log.verifier_key()).unwrap();
        Self {
            avatar: Avatar::parse(&avatar).unwrap(),
            links: answer["proof_chain"].clone(),
            logged,
            checkpoint: checkpoint::verify(&head.note, &vkey).unwrap(),
        }
    }

    fn verify(&self, links: &Value, of: &Avatar) -> Result<VerifiedChain, ChainFault> {
        let links: Vec<ChainItem> = serde_json::from_value(links.clone()).unwrap();
        let mut verifier = ChainVerifier::new(of, &self.checkpoint);
        for (link, logged) in links.iter().zip(&self.logged) {
            verifier.next(link, logged)?;
        }
        Ok(verifier.finish())
    }
}

#[tokio::test]
async fn a_chain_that_was_served_holds() {
    let chain = Chain::new().await;
    let verified = chain.verify(&chain.links, &chain.avatar).unwrap();
    assert_eq!(verified.links, 3);
    let left: Vec<_> = verified.claimed.into_iter().collect();
    assert_eq!(left, [("twitter".to_owned(), "bob".to_owned())]);
}

#[tokio::test]
async fn nothing_in_a_chain_can_be_changed() {
    let chain = Chain::new().await;
    let other = Avatar::parse(&AvatarClient::new(2).avatar().to_string()).unwrap();
    let of_other = chain.verify(&chain.links, &other).unwrap_err();
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
        let fault = chain.verify(&links, &chain.avatar).unwrap_err();
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
        let fault = chain.verify(&links, &chain.avatar).unwrap_err();
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
        let fault = chain.verify(&links, &chain.avatar).unwrap_err();
        assert_eq!(fault.what, Finding::Prev, "{order:?}");
        chain.logged = logged;
    }
}
