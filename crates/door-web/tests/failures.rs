//! Our own failures: told as such, and not explained.

use std::sync::Arc;

use testkit::{MemoryStore, World, faulty};

use crate::door::{Door, settings, snapshot};

#[tokio::test]
async fn a_store_that_is_away_is_a_page_with_503() {
    let (store, faults) = faulty(MemoryStore::new());
    let world = World::over(Arc::new(store), testkit::default_settings()).await;
    let door = Door::over(world, settings());
    door.register(1, "alice", 2, "hello").await;
    door.world.sequence().await;
    faults.fail_reads(1);
    snapshot("u__get__unavailable", &door.get("/u/alice").await);
    for path in [
        "/barcode/alice.svg",
        "/search?q=alice",
        "/friends/0",
        "/edit_ui?name=alice",
    ] {
        faults.fail_reads(1);
        assert_eq!(door.get(path).await.status, 503, "{path}");
    }
}

#[tokio::test]
async fn search_waits_for_its_index() {
    let clock = World::start_clock();
    let store = testkit::empty_store(&clock).await;
    let engine = World::open(store.clone(), clock.clone(), testkit::default_settings()).await;
    let world = World {
        engine: engine.unwrap(),
        clock,
        store,
    };
    let door = Door::over(world, settings());
    snapshot("search__get__loading", &door.get("/search?q=alice").await);
    assert_eq!(door.get("/friends/0").await.status, 503);
}
