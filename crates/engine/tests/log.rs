//! The log as an auditor sees it: everything published is checked with `merkle` alone.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use engine::log::LogError;
use engine::merkle::entry::EntryKind;
use engine::merkle::proof::{verify_consistency, verify_inclusion};
use engine::merkle::range::CompactRange;
use engine::merkle::tile::{TileId, decode_bundle};
use engine::merkle::{Hash, leaf_hash};
use engine::names::Pushed;
use engine::reconcile::Reconciler;
use engine::types::link::{Evidence, LinkHash, Statement};
use engine::types::{Handle, Kid, Label, Name, Seqno};
use testkit::{ToxClient, World, audit, check_bundle, default_settings, lagging, shared_memory};

/// The profile number `number`.
fn client(world: &World, number: u32) -> ToxClient {
    let mut secret = [0x5a; 32];
    secret[..4].copy_from_slice(&number.to_be_bytes());
    ToxClient::from_secret(secret, world.engine.names().box_key())
}

/// A world without rate limits.
async fn open_world() -> World {
    let settings = engine::Settings {
        limits_enabled: false,
        ..default_settings()
    };
    World::with(settings).await
}

async fn push(world: &World, client: &ToxClient, name: &str) -> Pushed {
    let sealed = client.push(name, 1, "a bio", world.seconds());
    let caller = World::caller(1);
    let pushed = world.engine.names().push(&caller, Some(sealed)).await;
    pushed.expect("the push is accepted")
}

async fn release(world: &World, client: &ToxClient) {
    let sealed = client.delete(world.seconds());
    let released = world.engine.names().release(Some(sealed)).await;
    released.expect("the release is accepted");
}

fn label(name: &str) -> Label {
    let key = crypto::secret::Secret::new([3; 32]);
    Handle::Name(Name::parse(name).unwrap()).label(&key)
}

#[tokio::test]
async fn a_new_log_has_one_signed_entry_and_proves_absence() {
    let world = open_world().await;
    let audit = audit(&world.engine).await;
    assert_eq!((audit.entries.len(), audit.checkpoints.len()), (1, 1));
    assert_eq!(audit.entries[0].kind, EntryKind::MapHead);
    assert_eq!(audit.entries[0].commitment, Hash::ZERO);
    assert!(check_bundle(&world.engine, "nobody").await.is_none());
}

#[tokio::test]
async fn every_batch_leaves_a_log_that_verifies() {
    let world = open_world().await;
    // Sizes 1 to 40 one by one, then over both tile boundaries below three tiles.
    let batches = (0..20)
        .map(|_| 1)
        .chain([3, 180, 30, 1, 7, 255, 8, 256, 20]);
    let mut number = 0;
    for links in batches {
        for _ in 0..links {
            push(&world, &client(&world, number), &format!("name{number}")).await;
            number += 1;
        }
        let before = world.engine.log().head();
        world.sequence().await;
        let head = world.engine.log().head();
        assert_eq!(head.size, before.size + links + 1);
        let audit = audit(&world.engine).await;
        assert_eq!(audit.links().count(), usize::try_from(number).unwrap());
    }
    assert!(world.engine.log().head().size > 2 * 256);
    for number in (0..number).step_by(37) {
        let (seqno, link) = check_bundle(&world.engine, &format!("name{number}"))
            .await
            .expect("the name is there");
        let link = link.expect("the opening is there");
        assert_eq!((seqno, link.prev), (1, None));
        let tox_id = client(&world, number).tox_id();
        assert!(matches!(link.statement, Statement::SetRecord { tox_id: id, .. } if id == tox_id));
        let kid = Kid::curve25519(&client(&world, number).key());
        assert_eq!(link.evidence, Evidence::Boxed { kid: Some(kid) });
    }
    assert!(check_bundle(&world.engine, "name100000").await.is_none());
}

#[tokio::test]
async fn more_than_a_batch_is_sequenced_in_several() {
    let world = open_world().await;
    let heads: Vec<_> = {
        let mut heads = Vec::new();
        for number in 0..1_150 {
            let client = client(&world, number);
            heads.push((
                format!("name{number}"),
                push(&world, &client, &format!("name{number}")).await.head,
            ));
        }
        heads
    };
    world.sequence().await;
    let audit = audit(&world.engine).await;
    assert_eq!(audit.entries.len(), 1 + 1_150 + 2);
    let sizes: Vec<u64> = audit.checkpoints.iter().map(|c| c.size).collect();
    assert_eq!(sizes, [1, 1_002, 1_153]);
    for (name, head) in heads {
        assert_eq!(audit.count(label(&name), 1, head.hash.0), 1, "{name}");
    }
}

#[tokio::test]
async fn the_chain_of_a_name_goes_on_through_updates_release_and_a_new_owner() {
    let settings = engine::Settings {
        release_after: Some(Duration::ZERO),
        ..default_settings()
    };
    let world = World::with(settings).await;
    let (first, second) = (client(&world, 1), client(&world, 2));
    let mut hashes: Vec<LinkHash> = Vec::new();
    hashes.push(push(&world, &first, "alice").await.head.hash);
    hashes.push(push(&world, &first, "alice").await.head.hash);
    // Two links of one label in one batch.
    world.sequence().await;
    let (seqno, link) = check_bundle(&world.engine, "alice").await.unwrap();
    assert_eq!((seqno, link.unwrap().prev), (2, Some(hashes[0])));
    release(&world, &first).await;
    world.sequence().await;
    let (seqno, link) = check_bundle(&world.engine, "alice").await.unwrap();
    let link = link.expect("the release itself is not erased");
    assert_eq!((seqno, link.prev), (3, Some(hashes[1])));
    assert_eq!(link.statement, Statement::ReleaseHandle);
    world.settle(Reconciler::Deliver).await;
    let last = push(&world, &second, "alice").await;
    assert_eq!(last.head.seqno, Seqno::new(4).unwrap());
    world.sequence().await;
    let (seqno, link) = check_bundle(&world.engine, "alice").await.unwrap();
    assert_eq!(seqno, 4);
    assert!(link.unwrap().prev.is_some());
    let audit = audit(&world.engine).await;
    for (seqno, hash) in (1..).zip(&hashes) {
        assert_eq!(audit.count(label("alice"), seqno, hash.0), 1);
    }
    assert_eq!(audit.count(label("alice"), 4, last.head.hash.0), 1);
}

#[tokio::test]
async fn erased_openings_leave_every_proof_standing() {
    let world = open_world().await;
    let (alice, bob) = (client(&world, 1), client(&world, 2));
    let pushed = push(&world, &alice, "alice").await;
    push(&world, &bob, "bob").await;
    world.sequence().await;
    let outcome = world
        .engine
        .chains()
        .erase(label("alice"), pushed.head.seqno)
        .await;
    assert_eq!(outcome.unwrap(), engine::outbox::Outcome::Done);
    let (seqno, link) = check_bundle(&world.engine, "alice").await.unwrap();
    assert_eq!((seqno, link), (1, None), "present, and withheld");
    assert!(
        check_bundle(&world.engine, "bob")
            .await
            .unwrap()
            .1
            .is_some()
    );
    audit(&world.engine).await;
}

#[tokio::test]
async fn erasing_many_links_takes_several_steps_and_stops_at_the_last() {
    let world = open_world().await;
    let alice = client(&world, 1);
    for _ in 0..260 {
        push(&world, &alice, "alice").await;
    }
    push(&world, &client(&world, 2), "bob").await;
    world.sequence().await;
    let through = Seqno::new(258).unwrap();
    let chains = world.engine.chains();
    let erase = || chains.erase(label("alice"), through);
    assert_eq!(erase().await.unwrap(), engine::outbox::Outcome::More);
    assert_eq!(erase().await.unwrap(), engine::outbox::Outcome::Done);
    assert_eq!(erase().await.unwrap(), engine::outbox::Outcome::Done);
    let rows = world
        .store
        .scan(
            engine::ports::store::KeyRange {
                start: vec![0x22].into(),
                end: Some(vec![0x23].into()),
            },
            engine::ports::store::Direction::Forward,
            10,
            engine::ports::store::Freshness::Now,
        )
        .await
        .unwrap();
    assert_eq!(rows.len(), 3, "links 259 and 260, and bob's");
    audit(&world.engine).await;
}

#[tokio::test]
async fn proofs_hold_between_any_two_sizes() {
    let world = open_world().await;
    for number in 0..70 {
        push(&world, &client(&world, number), &format!("name{number}")).await;
    }
    world.sequence().await;
    let audit = audit(&world.engine).await;
    let leaves: Vec<Hash> = audit
        .entries
        .iter()
        .map(|entry| leaf_hash(&entry.encode()))
        .collect();
    let root = |size: usize| {
        let mut range = CompactRange::new();
        leaves[..size].iter().for_each(|leaf| range.push(*leaf));
        range.root()
    };
    let log = world.engine.log();
    for size in 1..=leaves.len() {
        let (new, new_root) = (size as u64, root(size));
        for old in 0..=size {
            let proof = log.consistency(old as u64, new).await.unwrap();
            verify_consistency(old as u64, new, &root(old), &new_root, &proof).unwrap();
        }
        for (index, leaf) in leaves[..size].iter().enumerate() {
            let proof = log.inclusion(index as u64, new).await.unwrap();
            verify_inclusion(index as u64, new, leaf, &proof, &new_root).unwrap();
        }
    }
}

#[tokio::test]
async fn what_no_checkpoint_covers_is_absent() {
    let world = open_world().await;
    push(&world, &client(&world, 1), "alice").await;
    let log = world.engine.log();
    assert!(
        check_bundle(&world.engine, "alice").await.is_none(),
        "queued, not yet in the map"
    );
    let tile = |level, index| TileId { level, index };
    for (id, width) in [
        (tile(0, 0), 0),
        (tile(0, 0), 2),
        (tile(0, 1), 1),
        (tile(1, 0), 1),
        (tile(63, u64::MAX), 1),
        (tile(255, u64::MAX), 256),
    ] {
        assert!(
            matches!(log.tile(id, width).await, Err(LogError::Absent)),
            "{id:?}"
        );
    }
    for (index, width) in [(0, 0), (0, 2), (1, 1), (u64::MAX, 256)] {
        assert!(matches!(
            log.entries(index, width).await,
            Err(LogError::Absent)
        ));
    }
    for size in [0, 2, u64::MAX] {
        assert!(
            matches!(log.checkpoint(size).await, Err(LogError::Absent)),
            "{size}"
        );
    }
    assert!(matches!(log.inclusion(0, 2).await, Err(LogError::Absent)));
    assert!(matches!(
        log.inclusion(1, 1).await,
        Err(LogError::NoProof(_))
    ));
    assert!(matches!(
        log.inclusion(0, 0).await,
        Err(LogError::NoProof(_))
    ));
    assert!(matches!(
        log.consistency(2, 1).await,
        Err(LogError::NoProof(_))
    ));
    assert!(matches!(
        log.consistency(1, u64::MAX).await,
        Err(LogError::Absent)
    ));
    world.sequence().await;
    assert!(
        matches!(log.checkpoint(2).await, Err(LogError::Absent)),
        "no checkpoint of that size"
    );
    assert_eq!(log.checkpoint(3).await.unwrap(), log.head().note);
    assert_eq!(log.tile(tile(0, 0), 2).await.unwrap().len(), 64);
    let entries = log.entries(0, 2).await.unwrap();
    assert_eq!(decode_bundle(&entries).unwrap().len(), 2);
}

#[tokio::test]
async fn times_never_fall_when_the_clock_does() {
    let world = open_world().await;
    push(&world, &client(&world, 1), "alice").await;
    world.sequence().await;
    let before = world.engine.log().head();
    world.clock.set_back(Duration::from_secs(86_400));
    push(&world, &client(&world, 2), "bob").await;
    world.sequence().await;
    let head = world.engine.log().head();
    assert!(head.size > before.size && head.time == before.time);
    audit(&world.engine).await;
}

#[tokio::test]
async fn waiting_for_a_link_ends_with_its_checkpoint_or_in_time() {
    let world = open_world().await;
    let head = push(&world, &client(&world, 1), "alice").await.head;
    let log = world.engine.log();
    let hour = Duration::from_secs(3600);
    let none = log
        .wait_covered(label("alice"), head.seqno, Duration::ZERO)
        .await;
    assert_eq!(none.unwrap(), None, "no time, no wait");
    let (covered, ()) = tokio::join!(
        log.wait_covered(label("alice"), head.seqno, hour),
        world.sequence()
    );
    assert_eq!(covered.unwrap(), Some(1));
    let (none, ()) = tokio::join!(
        log.wait_covered(label("nobody"), Seqno::FIRST, hour),
        async {
            tokio::task::yield_now().await;
            world.clock.advance(hour);
        }
    );
    assert_eq!(none.unwrap(), None);
}

/// Two processes; the one that serves reads is as far behind as its cache may be.
#[tokio::test]
async fn a_process_with_an_old_cache_serves_what_another_has_sequenced() {
    let clock = World::start_clock();
    let shared = Arc::new(shared_memory(&clock));
    let settings = engine::Settings {
        limits_enabled: false,
        ..default_settings()
    };
    let leader = World::join(shared.clone(), clock.clone(), settings.clone(), 1).await;
    push(&leader, &client(&leader, 1), "alice").await;
    leader.sequence().await;
    let behind = lagging(shared, clock.clone()).await;
    let reader = World::join(behind, clock, settings, 2).await;
    let head = push(&leader, &client(&leader, 2), "bob").await.head;
    push(&leader, &client(&leader, 1), "alice").await;
    leader.sequence().await;

    let log = reader.engine.log();
    let covered = log.wait_covered(label("bob"), head.seqno, Duration::ZERO);
    let index = covered.await.unwrap().expect("it is in the log");
    assert!(index < log.head().size, "a covered index can be proven");
    assert_eq!(check_bundle(&reader.engine, "bob").await.unwrap().0, 1);
    assert_eq!(check_bundle(&reader.engine, "alice").await.unwrap().0, 2);
    reader.settle(Reconciler::Publish).await;
    audit(&reader.engine).await;
}
