//! What a store holds, by numbers.

use std::sync::Arc;

use engine::ports::store::{Batch, Store};
use engine::statistics::{Statistics, statistics};
use store::memory::MemoryStore;
use testkit::World;

fn rows_of(found: &Statistics, name: &str) -> u64 {
    let table = found.tables.iter().find(|table| table.name == Some(name));
    table.expect("the table is known").rows
}

#[tokio::test]
async fn an_empty_store_has_every_table_and_no_row() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let found = statistics(store, |rows, bytes| assert_eq!((rows, bytes), (0, 0))).await;
    let found = found.unwrap();
    assert!(
        found
            .tables
            .iter()
            .all(|table| table.rows == 0 && table.name.is_some())
    );
    assert!(found.tables.len() > 20);
    assert_eq!(
        (found.log, found.mark, found.leases),
        (None, None, Vec::new())
    );
}

#[tokio::test]
async fn a_directory_is_counted_table_by_table() {
    let world = World::new().await;
    for byte in 1..4 {
        let sealed = world
            .client(byte)
            .push(&format!("name{byte}"), 1, "", world.seconds());
        let pushed = world
            .engine
            .names()
            .push(&World::caller(byte), Some(sealed))
            .await;
        assert_eq!(pushed.unwrap().head.seqno.get(), 1);
        if byte == 2 {
            world.sequence().await;
        }
    }
    let later = Batch {
        puts: vec![(vec![0x7f, 1, 2].into(), vec![0; 10].into())],
        ..Batch::default()
    };
    world.store.commit(later).await.unwrap();

    let mut shown = (0, 0);
    let found = statistics(world.store.clone(), |rows, bytes| shown = (rows, bytes));
    let found = found.await.unwrap();
    assert_eq!((rows_of(&found, "names"), rows_of(&found, "meta")), (3, 1));
    assert_eq!((found.intents, found.jobs, found.jobs_parked), (1, 0, 0));
    let unknown = found.tables.last().unwrap();
    assert_eq!((unknown.tag, unknown.name), (0x7f, None));
    assert_eq!(
        (unknown.rows, unknown.key_bytes, unknown.value_bytes),
        (1, 3, 10)
    );
    let all = found
        .tables
        .iter()
        .map(|table| (table.rows, table.key_bytes + table.value_bytes));
    let all = all.fold((0, 0), |sum, table| (sum.0 + table.0, sum.1 + table.1));
    assert_eq!(all, shown);

    let (log, head) = (found.log.unwrap(), world.engine.log().head());
    assert_eq!(
        (log.size, log.root, log.time),
        (head.size, head.root, head.time)
    );
    assert_eq!(log.origin, "example.test/log");
    assert_eq!(found.leases.len(), 1);
    assert_eq!(
        (found.leases[0].role.as_str(), found.leases[0].is_live),
        ("sequence", true)
    );
    world.clock.advance(std::time::Duration::from_secs(10));
    let found = statistics(world.store.clone(), |_, _| {}).await.unwrap();
    assert!(!found.leases[0].is_live);
}
