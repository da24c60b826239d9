//! A log read from a store without an engine.

use engine::log::{LogAtRest, LogError};
use merkle::tile::TileId;
use testkit::{World, empty_store};

#[tokio::test]
async fn an_empty_store_holds_no_log() {
    let store = empty_store(&World::start_clock()).await;
    let opened = LogAtRest::open(store).await;
    assert!(opened.unwrap().is_none());
}

#[tokio::test]
async fn reads_what_the_engine_serves() {
    let world = World::new().await;
    for byte in 1..4 {
        let client = world.client(byte);
        let sealed = client.push(&format!("name{byte}"), 1, "", world.seconds());
        let caller = World::caller(byte);
        let pushed = world.engine.names().push(&caller, Some(sealed)).await;
        assert_eq!(pushed.unwrap().head.seqno.get(), 1);
        world.sequence().await;
    }
    let engine_log = world.engine.log();
    let log = LogAtRest::open(world.store.clone()).await.unwrap().unwrap();
    assert_eq!(log.head(), &*engine_log.head());
    assert_eq!(log.verifier_key().to_string(), engine_log.verifier_key());
    assert_eq!(log.verifier_key().name().as_str(), engine_log.origin());

    let page = log.checkpoints(0).await.unwrap();
    assert_eq!(page, engine_log.checkpoints(0).await.unwrap());
    assert_eq!(page.notes.len(), 4);
    let tile = TileId { level: 0, index: 0 };
    let width = u16::try_from(log.head().size).unwrap();
    let hashes = log.tile(tile, width).await.unwrap();
    assert_eq!(hashes, engine_log.tile(tile, width).await.unwrap());
    let entries = log.entries(0, width).await.unwrap();
    assert_eq!(entries, engine_log.entries(0, width).await.unwrap());
    let beyond = log.entries(0, width + 1).await;
    assert!(matches!(beyond, Err(LogError::Absent)));
}
