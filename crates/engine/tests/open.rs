//! Opening a directory: the right keys, the right origin, the right store.

use std::sync::Arc;

use crypto::secret::Secret;
use engine::ports::Ports;
use engine::ports::store::{Batch, Health, Store};
use engine::{Engine, OpenError, Settings};
use testkit::{FixedBoxKey, FixedSigner, World, audit, default_settings, memory};

async fn reopen(world: &World, change: impl FnOnce(&mut Ports)) -> Result<Engine, OpenError> {
    let mut ports = World::ports(world.store.clone(), world.clock.clone());
    change(&mut ports);
    Engine::open(ports, default_settings()).await
}

fn with_origin(origin: Option<&str>, host: Option<&str>) -> Settings {
    Settings {
        origin: origin.map(Into::into),
        public_host: host.map(Into::into),
        ..default_settings()
    }
}

#[tokio::test]
async fn each_key_must_be_the_one_the_log_was_created_with() {
    let world = World::new().await;
    assert!(reopen(&world, |_| {}).await.is_ok());
    let outcomes = [
        reopen(&world, |p| {
            p.log_signer = Arc::new(FixedSigner::new([9; 32]))
        })
        .await,
        reopen(&world, |p| {
            p.record_signer = Arc::new(FixedSigner::new([9; 32]))
        })
        .await,
        reopen(&world, |p| p.box_key = Arc::new(FixedBoxKey::new([9; 32]))).await,
        reopen(&world, |p| p.label_key = Secret::new([9; 32])).await,
        reopen(&world, |p| p.pepper = Secret::new([9; 32])).await,
    ];
    let keys = [
        "log key",
        "record key",
        "toxme key",
        "commitment key",
        "pepper key",
    ];
    for (outcome, key) in outcomes.into_iter().zip(keys) {
        let Err(OpenError::WrongKey(what)) = outcome else {
            unreachable!("the {key} is another one");
        };
        assert_eq!(what, key);
    }
    assert_eq!(
        audit(&world.engine).await.entries.len(),
        1,
        "nothing was written"
    );
}

#[tokio::test]
async fn the_origin_is_fixed_when_the_log_is_created() {
    for (settings, expect) in [
        (
            with_origin(Some("example.org/one"), Some("host.test")),
            "example.org/one",
        ),
        (with_origin(None, Some("host.test")), "host.test/log"),
        (with_origin(None, None), "sealbook.local/8a88e3dd7409f195"),
    ] {
        let world = World::with(settings).await;
        assert_eq!(world.engine.log().origin(), expect);
        audit(&world.engine).await;
        let open =
            async |settings| World::open(world.store.clone(), world.clock.clone(), settings).await;
        // No wish is no change, whatever the host is called now.
        let again = open(with_origin(None, Some("moved.test"))).await.unwrap();
        assert_eq!(again.log().origin(), expect);
        let outcome = open(with_origin(Some("moved.test/log"), None)).await;
        let Err(OpenError::WrongOrigin {
            configured,
            created,
        }) = outcome
        else {
            unreachable!("the origin is another one");
        };
        assert_eq!((&configured[..], &created[..]), ("moved.test/log", expect));
    }
}

#[tokio::test]
async fn an_origin_that_no_note_can_hold_is_refused_before_anything_is_written() {
    for bad in ["", "two words", "a+b", "line\nbreak"] {
        let clock = World::start_clock();
        let store = Arc::new(memory(&clock));
        let outcome = World::open(store.clone(), clock, with_origin(Some(bad), None)).await;
        assert!(matches!(outcome, Err(OpenError::BadOrigin(_))), "{bad:?}");
        assert!(store.rows().is_empty());
    }
}

#[tokio::test]
async fn a_store_that_holds_something_else_is_left_alone() {
    for key in [&b"\x01"[..], b"\x40", b"\xff\xff"] {
        let clock = World::start_clock();
        let store = Arc::new(memory(&clock));
        let row = (key.to_vec().into(), vec![1].into());
        let batch = Batch {
            puts: vec![row],
            ..Batch::default()
        };
        store.commit(batch).await.unwrap();
        let outcome = World::open(store.clone(), clock, default_settings()).await;
        assert!(matches!(outcome, Err(OpenError::NotADirectory)), "{key:?}");
        assert_eq!(store.rows().len(), 1);
    }
}

#[tokio::test]
async fn an_opened_directory_is_healthy_and_counts_its_time() {
    let world = World::new().await;
    assert_eq!(world.engine.health(), Health::Ready);
    world.clock.advance(std::time::Duration::from_secs(7));
    assert_eq!(world.engine.uptime().as_secs(), 7);
}
