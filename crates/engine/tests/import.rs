//! Records of another server: what becomes of each, and their old passwords.

#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use bytes::Bytes;
use crypto::secret::Secret;
use engine::Settings;
use engine::names::{Fate, Imported, LegacyPassword, NameError};
use engine::ports::store::{Direction, Freshness, KeyRange, Row};
use engine::reconcile::Reconciler;
use engine::types::link::Evidence;
use engine::types::{Bio, Name, ToxId, UnixMillis, Visibility};
use testkit::{ToxClient, World, audit, check_bundle, default_settings, tox_id};

/// `hashlib.sha512(b"\x07" * 16 + b"bab-cec-dif-fog")`, as the original server keeps it.
const DIGEST: &str = "eff483e384e89d00c6afb6da9fbff0d3d778059a8232a8ea0d31e936c5a00433\
    7d9bf87864f662340182f0758a52df490041165d5cd97e457c4abf8b68819bec";
const PASSWORD: &str = "bab-cec-dif-fog";

async fn open_world() -> World {
    World::with(Settings {
        limits_enabled: false,
        ..default_settings()
    })
    .await
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn digest() -> [u8; 64] {
    let pairs: Vec<u8> = (0..64)
        .map(|at| u8::from_str_radix(&DIGEST[at * 2..at * 2 + 2], 16).unwrap())
        .collect();
    pairs.try_into().unwrap()
}

fn imported(text: &str, tox_id: ToxId) -> Imported {
    Imported {
        name: name(text),
        tox_id,
        bio: Bio::parse("hi").unwrap(),
        visibility: Visibility::Searchable,
        changed_at: Some(UnixMillis(1_300_000_000_000)),
        password: Some(LegacyPassword {
            salt: [7; 16],
            digest: Secret::new(digest()),
        }),
    }
}

async fn import(world: &World, records: &[Imported]) -> Vec<Fate> {
    world.engine.names().import(records).await.unwrap()
}

async fn password(world: &World, guess: &str) -> Result<(), NameError> {
    let names = world.engine.names();
    names
        .check_password(&World::caller(1), &name("alice"), guess)
        .await
}

/// The rows of Tox records, each with its version.
async fn records(world: &World) -> Vec<Row> {
    let range = KeyRange {
        start: Bytes::from_static(&[0x13]),
        end: Some(Bytes::from_static(&[0x14])),
    };
    let rows = world
        .store
        .scan(range, Direction::Forward, 10, Freshness::Now);
    rows.await.unwrap()
}

fn is_new(fate: &Fate) -> bool {
    matches!(fate, Fate::New(_, head) if head.seqno.get() == 1)
}

async fn push(world: &World, client: &ToxClient, text: &str) {
    let sealed = client.push(text, 1, "hi", world.seconds());
    let names = world.engine.names();
    names.push(&World::caller(1), Some(sealed)).await.unwrap();
}

#[tokio::test]
async fn imported_records_are_names_like_any_and_come_but_once() {
    let world = open_world().await;
    let (alice, bob) = (world.client(1), world.client(2));
    let records = [
        imported("alice", alice.tox_id()),
        Imported {
            visibility: Visibility::Private,
            changed_at: Some(UnixMillis(u64::MAX)),
            password: None,
            ..imported("bob", bob.tox_id())
        },
    ];
    let foreseen = world.engine.names().foresee(&records).await.unwrap();
    assert!(foreseen.iter().all(is_new), "{foreseen:?}");
    let names = world.engine.names();
    assert!(
        names.lookup("alice", None).await.is_err(),
        "it was not done"
    );

    let fates = import(&world, &records).await;
    assert!(fates.iter().all(is_new), "{fates:?}");
    let record = names.lookup("alice", None).await.unwrap();
    assert_eq!((record.tox_id, record.bio.as_str()), (alice.tox_id(), "hi"));
    assert_eq!(record.changed_at, UnixMillis(1_300_000_000_000));
    let record = names.lookup("bob", None).await.unwrap();
    assert_eq!(record.visibility, Visibility::Private);
    assert_eq!(record.changed_at.seconds(), world.seconds());
    let found = names.search(Some("b"), Some(0)).await.unwrap();
    assert!(found.is_empty(), "private names are not found");
    assert_eq!(names.search(Some("a"), Some(0)).await.unwrap().len(), 1);

    assert_eq!(import(&world, &records).await, [Fate::Same, Fate::Same]);
    world.sequence().await;
    assert_eq!(audit(&world.engine).await.links().count(), 2);
    for name in ["alice", "bob"] {
        let (seqno, link) = check_bundle(&world.engine, name).await.unwrap();
        let link = link.unwrap();
        assert_eq!((seqno, &link.evidence), (1, &Evidence::Operator));
        assert!(link.created_at.seconds() < world.seconds());
        assert!(link.created_at.seconds() >= 1_400_000_000);
    }
}

#[tokio::test]
async fn a_name_or_a_key_that_is_here_stays_as_it_is() {
    let world = open_world().await;
    let (alice, bob, eve) = (world.client(1), world.client(2), world.client(5));
    push(&world, &alice, "alice").await;
    push(&world, &bob, "bob").await;
    let sealed = bob.delete(world.seconds());
    world.engine.names().release(Some(sealed)).await.unwrap();
    world.settle(Reconciler::Deliver).await;
    let other_nospam = tox_id(&alice.key(), [9; 4]);
    let other_bio = Imported {
        bio: Bio::parse("other").unwrap(),
        ..imported("alice", alice.tox_id())
    };
    let records = [
        imported("alice", alice.tox_id()),
        imported("ALICE", eve.tox_id()),
        imported("alice", other_nospam),
        other_bio,
        imported("alice2", other_nospam),
        imported("bob", bob.tox_id()),
        imported("postmaster", eve.tox_id()),
        imported("eve", eve.tox_id()),
        imported("eve2", eve.tox_id()),
    ];
    let foreseen = world.engine.names().foresee(&records).await.unwrap();
    let fates = import(&world, &records).await;
    for fates in [&foreseen, &fates] {
        assert_eq!(
            fates[..7],
            [
                Fate::Same,
                Fate::Taken,
                Fate::Changed,
                Fate::Changed,
                Fate::KeyBoundElsewhere,
                Fate::Released,
                Fate::Reserved,
            ]
        );
        assert!(is_new(&fates[7]));
        assert_eq!(fates[8], Fate::KeyBoundElsewhere, "within one call too");
    }
    // However long ago a name was given up.
    world.clock.advance(Duration::from_secs(400 * 24 * 3600));
    assert_eq!(import(&world, &records[5..6]).await, [Fate::Released]);
}

#[tokio::test]
async fn an_old_password_is_hashed_anew_by_its_first_use() {
    let world = open_world().await;
    let alice = world.client(1);
    import(&world, &[imported("alice", alice.tox_id())]).await;
    let wrong = password(&world, "bab-cec-dif-foh").await;
    assert!(matches!(wrong, Err(NameError::WrongPassword)));
    // An update by the key keeps it.
    push(&world, &alice, "alice").await;
    let before = records(&world).await;
    password(&world, PASSWORD).await.unwrap();
    let after = records(&world).await;
    assert_ne!(before, after, "the hash was replaced");
    password(&world, &PASSWORD.to_uppercase()).await.unwrap();
    assert_eq!(records(&world).await, after, "once");
    let wrong = password(&world, "bab-cec-dif-foh").await;
    assert!(matches!(wrong, Err(NameError::WrongPassword)));
    push(&world, &alice, "alice").await;
    password(&world, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn guesses_of_an_old_password_are_counted() {
    let world = World::new().await;
    import(&world, &[imported("alice", world.client(1).tox_id())]).await;
    for _ in 0..10 {
        let wrong = password(&world, "wrong").await;
        assert!(matches!(wrong, Err(NameError::WrongPassword)));
    }
    let limited = password(&world, PASSWORD).await;
    assert!(matches!(limited, Err(NameError::Limited(_))));
    world.clock.advance(Duration::from_secs(3601));
    password(&world, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn a_record_without_a_password_has_none() {
    let world = open_world().await;
    let record = Imported {
        password: None,
        ..imported("alice", world.client(1).tox_id())
    };
    import(&world, &[record]).await;
    for guess in ["", "wrong"] {
        let wrong = password(&world, guess).await;
        assert!(matches!(wrong, Err(NameError::WrongPassword)));
    }
}

#[tokio::test]
async fn an_imported_record_is_unproven_but_vouched_for_until_its_key_confirms_it() {
    let world = open_world().await;
    let alice = world.client(1);
    import(&world, &[imported("alice", alice.tox_id())]).await;
    let names = world.engine.names();
    let key: String = alice.key().iter().map(|b| format!("{b:02x}")).collect();
    let is_proven = || async { names.lookup("alice", None).await.unwrap().is_proven };
    assert!(!is_proven().await);
    assert_eq!(names.reverse(&key).await.unwrap(), name("alice"));
    // A push for another name does not take the key away from this one.
    let elsewhere = alice.push("alice2", 1, "hi", world.seconds());
    let refused = names.push(&World::caller(1), Some(elsewhere)).await;
    assert!(matches!(refused, Err(NameError::KeyBoundElsewhere)));
    // Nor does an edit by password change any of this, as long as the key stays.
    let edit = |tox_id| engine::names::Edit {
        tox_id,
        bio: Some("edited"),
        visibility: Visibility::Listed,
    };
    let caller = World::caller(1);
    names
        .edit(&caller, "alice", PASSWORD, edit(None))
        .await
        .unwrap();
    assert_eq!(names.reverse(&key).await.unwrap(), name("alice"));
    let sealed = alice.push("alice", 1, "hi", world.seconds());
    let pushed = names.push(&caller, Some(sealed)).await.unwrap();
    assert!(pushed.password.is_none(), "it keeps the one it came with");
    assert!(is_proven().await);
    assert_eq!(names.reverse(&key).await.unwrap(), name("alice"));
    // Pointed to another key by its password, nobody vouches for it any more.
    let other = world.client(2);
    let other_id = other.tox_id().to_string();
    names
        .edit(&caller, "alice", PASSWORD, edit(Some(&other_id)))
        .await
        .unwrap();
    assert!(!is_proven().await);
    let other_key: String = other.key().iter().map(|b| format!("{b:02x}")).collect();
    assert!(matches!(
        names.reverse(&other_key).await,
        Err(NameError::UnknownKey)
    ));
}

#[tokio::test]
async fn a_reset_replaces_an_old_password() {
    let world = open_world().await;
    let alice = world.client(1);
    import(&world, &[imported("alice", alice.tox_id())]).await;
    let sealed = alice.delete(world.seconds());
    let names = world.engine.names();
    let new = names
        .reset_password(&World::caller(1), Some(sealed))
        .await
        .unwrap();
    password(&world, new.expose()).await.unwrap();
    let wrong = password(&world, PASSWORD).await;
    assert!(matches!(wrong, Err(NameError::WrongPassword)));
}
