//! What reads see: order, bounds, own writes, one moment.

use std::sync::Arc;

use bytes::Bytes;
use engine::ports::store::{
    Batch, Direction, Expect, Freshness, Health, Key, KeyRange, Row, Store,
};
use tokio::task::JoinSet;

use super::{FRESHNESSES, Shared, WITHIN, all, commit, key, put, puts, puts_of, scan};

pub(super) async fn scans_follow_order_and_bounds(store: &dyn Store) {
    assert_eq!(all(store).await, []);
    let version = commit(
        store,
        puts([("b", "2"), ("a", "1"), ("ba", "3"), ("c", "4")]),
    )
    .await;
    let expected: Vec<Row> = [("a", "1"), ("b", "2"), ("ba", "3"), ("c", "4")]
        .map(|(name, value)| (key(name), version, value.into()))
        .into();
    let reversed: Vec<Row> = expected.iter().rev().cloned().collect();
    let rows = |from: usize, to: usize| expected.get(from..to).expect("rows").to_vec();
    assert_eq!(all(store).await, expected);
    assert_eq!(
        scan(store, "", None, Direction::Backward, 100).await,
        reversed
    );
    assert_eq!(
        scan(store, "b", None, Direction::Forward, 100).await,
        rows(1, 4)
    );
    assert_eq!(
        scan(store, "b", Some("c"), Direction::Forward, 100).await,
        rows(1, 3)
    );
    assert_eq!(
        scan(store, "a0", Some("bz"), Direction::Forward, 1).await,
        rows(1, 2)
    );
    assert_eq!(
        scan(store, "", Some("c"), Direction::Backward, 1).await,
        rows(2, 3)
    );
    assert_eq!(scan(store, "a", Some("c"), Direction::Forward, 0).await, []);
    assert_eq!(scan(store, "b", Some("b"), Direction::Forward, 9).await, []);
    assert_eq!(scan(store, "c", Some("a"), Direction::Forward, 9).await, []);
    assert_eq!(scan(store, "d", None, Direction::Backward, 9).await, []);
}

/// Backends may keep keys apart by their first byte; nobody is to notice.
pub(super) async fn the_first_byte_makes_no_difference(store: &dyn Store) {
    let firsts: [u8; 10] = [0, 0x10, 0x3f, 0x40, 0x50, 0x5f, 0x60, 0x61, 0xfe, 0xff];
    let keys: Vec<Key> = firsts
        .iter()
        .flat_map(|first| [Key::from(vec![*first]), Key::from(vec![*first, 0])])
        .collect();
    let rows = keys.iter().map(|key| (key.clone(), key.clone())).collect();
    let version = commit(store, puts_of(rows)).await;
    let row = |key: &Key| (key.clone(), version, key.clone());
    let everything: Vec<Row> = keys.iter().map(row).collect();
    assert_eq!(all(store).await, everything);
    let read = |range, direction, limit| store.scan(range, direction, limit, Freshness::Now);
    for (from, start) in keys.iter().enumerate() {
        for (to, end) in keys.iter().enumerate() {
            let range = KeyRange {
                start: start.clone(),
                end: Some(end.clone()),
            };
            let expected = everything.get(from..to).unwrap_or_default();
            let found = read(range.clone(), Direction::Forward, u32::MAX).await;
            assert_eq!(found.expect("scan"), expected);
            let found = read(range, Direction::Backward, 3).await.expect("scan");
            let last = expected.iter().rev().take(3).cloned().collect::<Vec<_>>();
            assert_eq!(found, last);
        }
    }
    let backward: Vec<Key> = keys.iter().rev().cloned().collect();
    let found = store.get_many(&backward, Freshness::Now).await;
    let expected: Vec<_> = backward
        .iter()
        .map(|key| Some((version, key.clone())))
        .collect();
    assert_eq!(found.expect("read"), expected);
    let rid = Batch {
        checks: keys
            .iter()
            .map(|key| (key.clone(), Expect::Is(version)))
            .collect(),
        deletes: keys,
        ..Batch::default()
    };
    commit(store, rid).await;
    assert_eq!(all(store).await, []);
}

pub(super) async fn reads_see_own_writes(store: &dyn Store) {
    for round in 0..50 {
        let value = round.to_string();
        let version = put(store, "a", &value).await;
        let expected = Some((version, Bytes::from(value)));
        for fresh in FRESHNESSES {
            let found = store.get_many(&[key("absent"), key("a")], fresh).await;
            assert_eq!(found.expect("read"), [None, expected.clone()]);
            let found = store.get_many(&[key("a")], fresh).await;
            assert_eq!(found.expect("read").first(), Some(&expected));
        }
        assert_eq!(all(store).await.len(), 1);
    }
    commit(
        store,
        Batch {
            deletes: vec![key("a")],
            ..Batch::default()
        },
    )
    .await;
    let found = store.get_many(&[key("a"), key("a")], WITHIN).await;
    assert_eq!(
        found.expect("read"),
        [None, None],
        "a delete is seen by stale reads too"
    );
    assert_eq!(store.get_many(&[], Freshness::Now).await.expect("read"), []);
}

pub(super) async fn reads_are_snapshots(store: Shared) {
    let names = ["s/1", "s/2", "s/3"];
    commit(&*store, puts(names.map(|name| (name, "0")))).await;
    let writer = Arc::clone(&store);
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        for round in 1..300 {
            let value = round.to_string();
            commit(&*writer, puts(names.map(|name| (name, value.as_str())))).await;
        }
    });
    let keys: Vec<Key> = names.map(key).into();
    while tasks.try_join_next().is_none() {
        for fresh in FRESHNESSES {
            let rows = store.get_many(&keys, fresh).await.expect("read");
            let versions: Vec<_> = rows
                .iter()
                .map(|row| row.as_ref().map(|row| row.0))
                .collect();
            assert!(
                versions.windows(2).all(|two| two.first() == two.last()),
                "{versions:?}"
            );
        }
        let rows = scan(&*store, "s/", None, Direction::Backward, 9).await;
        let versions: Vec<_> = rows.iter().map(|row| row.1).collect();
        assert_eq!(versions.len(), names.len());
        assert!(
            versions.windows(2).all(|two| two.first() == two.last()),
            "{versions:?}"
        );
        tokio::task::yield_now().await;
    }
}

/// Readers fill caches all the time; a writer must never read behind its own commit.
pub(super) async fn stale_reads_do_not_outlive_a_commit(store: Shared) {
    put(&*store, "hot", "start").await;
    let mut readers = JoinSet::new();
    for _ in 0..4 {
        let store = Arc::clone(&store);
        readers.spawn(async move {
            loop {
                store.get_many(&[key("hot")], WITHIN).await.expect("read");
                tokio::task::yield_now().await;
            }
        });
    }
    for round in 0..300 {
        let version = put(&*store, "hot", &round.to_string()).await;
        let found = store.get_many(&[key("hot")], WITHIN).await.expect("read");
        assert_eq!(found, [Some((version, Bytes::from(round.to_string())))]);
    }
    readers.shutdown().await;
}

pub(super) async fn time_is_told(store: &dyn Store) {
    let first = store.now().await.expect("clock");
    assert!(
        store.now().await.expect("clock") >= first,
        "the store's clock does not run back"
    );
    assert_eq!(store.health(), Health::Ready);
}
