//! What one batch does, and what it may hold.

use bytes::Bytes;
use engine::ports::store::{
    BATCH_BYTES_MAX, BATCH_OPERATIONS_MAX, Batch, CommitError, Direction, Expect, Freshness,
    KEY_BYTES_MAX, Key, Store, VALUE_BYTES_MAX, Version,
};

use super::{
    all, assert_conflict, commit, expecting, get, key, numbered, put, puts, puts_of, scan,
};

pub(super) async fn checks_decide(store: &dyn Store) {
    assert_conflict(
        store
            .commit(expecting("a", Expect::Is(Version(1)), "x"))
            .await,
        0,
    );
    let first = commit(store, expecting("a", Expect::Absent, "1")).await;
    assert_conflict(store.commit(expecting("a", Expect::Absent, "2")).await, 0);
    let second = commit(store, expecting("a", Expect::Is(first), "2")).await;
    assert_conflict(
        store.commit(expecting("a", Expect::Is(first), "3")).await,
        0,
    );
    assert_eq!(get(store, "a").await, Some((second, "2".into())));
    let mut two = expecting("a", Expect::Is(second), "3");
    two.checks.push((key("b"), Expect::Is(second)));
    two.checks.push((key("a"), Expect::Absent));
    assert_conflict(store.commit(two).await, 1);
}

pub(super) async fn a_failed_check_changes_nothing(store: &dyn Store) {
    let kept = put(store, "kept", "1").await;
    let batch = Batch {
        checks: vec![(key("new"), Expect::Absent), (key("kept"), Expect::Absent)],
        puts: vec![(key("new"), "1".into())],
        deletes: vec![key("kept")],
    };
    assert_conflict(store.commit(batch).await, 1);
    assert_eq!(get(store, "new").await, None, "a failed batch puts nothing");
    assert_eq!(
        get(store, "kept").await,
        Some((kept, "1".into())),
        "a failed batch deletes nothing"
    );
}

pub(super) async fn deletes_remove(store: &dyn Store) {
    let version = put(store, "a", "1").await;
    let delete = Batch {
        checks: vec![(key("a"), Expect::Is(version))],
        deletes: vec![key("a"), key("never there")],
        ..Batch::default()
    };
    commit(store, delete).await;
    assert_eq!(get(store, "a").await, None);
    assert_eq!(all(store).await, []);
    commit(store, expecting("a", Expect::Absent, "2")).await;
}

pub(super) async fn versions_never_repeat(store: &dyn Store) {
    let mut seen = Vec::new();
    for _ in 0..5 {
        seen.push(put(store, "a", "same").await);
        commit(
            store,
            Batch {
                deletes: vec![key("a")],
                ..Batch::default()
            },
        )
        .await;
        seen.push(put(store, "a", "same").await);
    }
    let mut unique = seen.clone();
    unique.sort_unstable();
    unique.dedup();
    assert_eq!(
        unique.len(),
        seen.len(),
        "a version of a key never repeats: {seen:?}"
    );
}

pub(super) async fn a_batch_has_one_version(store: &dyn Store) {
    let version = commit(store, puts([("a", "1"), ("b", "2")])).await;
    assert_eq!(get(store, "a").await, Some((version, "1".into())));
    assert_eq!(get(store, "b").await, Some((version, "2".into())));
}

pub(super) async fn limits_hold(store: &dyn Store) {
    let too_many = (0..=BATCH_OPERATIONS_MAX)
        .map(|n| (numbered(n), Expect::Absent))
        .collect();
    let value = Bytes::from(vec![1; VALUE_BYTES_MAX]);
    let heavy = (0..=BATCH_BYTES_MAX / VALUE_BYTES_MAX).map(|n| (numbered(n), value.clone()));
    let long_key = Key::from(vec![1; KEY_BYTES_MAX + 1]);
    let long_value = Bytes::from(vec![1; VALUE_BYTES_MAX + 1]);
    let mut twice = puts([("a", "1")]);
    twice.deletes.push(key("a"));
    let refused = [
        (
            "operations",
            Batch {
                checks: too_many,
                ..Batch::default()
            },
        ),
        (
            "bytes",
            Batch {
                puts: heavy.collect(),
                ..Batch::default()
            },
        ),
        (
            "key",
            Batch {
                checks: vec![(long_key.clone(), Expect::Absent)],
                ..Batch::default()
            },
        ),
        (
            "key put",
            Batch {
                puts: vec![(long_key, "1".into())],
                ..Batch::default()
            },
        ),
        (
            "empty key",
            Batch {
                deletes: vec![Key::new()],
                ..Batch::default()
            },
        ),
        (
            "value",
            Batch {
                puts: vec![(key("a"), long_value)],
                ..Batch::default()
            },
        ),
        ("key twice", twice),
        ("put twice", puts([("a", "1"), ("a", "2")])),
    ];
    for (limit, batch) in refused {
        let outcome = store.commit(batch).await;
        assert!(
            matches!(outcome, Err(CommitError::TooLarge(_))),
            "{limit}: {outcome:?}"
        );
    }
    assert_eq!(all(store).await, [], "a refused batch changes nothing");
}

pub(super) async fn largest_batches_pass(store: &dyn Store) {
    let longest = Key::from(vec![0xff; KEY_BYTES_MAX]);
    let value = Bytes::from(vec![7; VALUE_BYTES_MAX]);
    let version = commit(store, puts_of(vec![(longest.clone(), value.clone())])).await;
    let found = store
        .get_many(std::slice::from_ref(&longest), Freshness::Now)
        .await;
    assert_eq!(found.expect("read"), [Some((version, value))]);
    commit(
        store,
        Batch {
            deletes: vec![longest],
            ..Batch::default()
        },
    )
    .await;

    let rows = (0..BATCH_OPERATIONS_MAX)
        .map(|n| (numbered(n), Bytes::from_static(b"v")))
        .collect();
    let version = commit(store, puts_of(rows)).await;
    let keys: Vec<Key> = (0..BATCH_OPERATIONS_MAX).map(numbered).collect();
    let found = store.get_many(&keys, Freshness::Now).await.expect("read");
    assert!(
        found
            .iter()
            .all(|row| *row == Some((version, Bytes::from_static(b"v"))))
    );
    let scanned = scan(store, "", None, Direction::Backward, u32::MAX).await;
    assert_eq!(scanned.len(), BATCH_OPERATIONS_MAX);
    commit(
        store,
        Batch {
            deletes: keys,
            ..Batch::default()
        },
    )
    .await;
    assert_eq!(all(store).await, []);
}

pub(super) async fn empty_batches_only_check(store: &dyn Store) {
    commit(store, Batch::default()).await;
    let version = put(store, "a", "1").await;
    let check = |key: Key, expect| Batch {
        checks: vec![(key, expect)],
        ..Batch::default()
    };
    commit(store, check(key("a"), Expect::Is(version))).await;
    commit(store, check(key("b"), Expect::Absent)).await;
    assert_conflict(store.commit(check(key("a"), Expect::Absent)).await, 0);
    assert_conflict(store.commit(check(key("b"), Expect::Is(version))).await, 0);
    assert_eq!(get(store, "a").await, Some((version, "1".into())));
}
