//! The suite every backend runs: the port's contract as tests.
//!
//! [`run`] takes a function that gives a fresh, empty store at each call; [`run_durable`] one that
//! opens the same store again at each call, after the last one was closed. A broken rule panics
//! with the rule's name, so both are for tests only.

mod batches;
mod races;
mod reads;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use engine::ports::store::{
    Batch, CommitError, Direction, Expect, Freshness, Health, Key, KeyRange, Row, Store, Version,
};

const WITHIN: Freshness = Freshness::Within(Duration::from_secs(60));
const FRESHNESSES: [Freshness; 2] = [Freshness::Now, WITHIN];

type Shared = Arc<dyn Store>;

/// Runs every check, each on a store of its own.
///
/// # Panics
/// When the backend breaks the contract.
pub async fn run(make: impl AsyncFn() -> Shared) {
    batches::checks_decide(&*make().await).await;
    batches::a_failed_check_changes_nothing(&*make().await).await;
    batches::deletes_remove(&*make().await).await;
    batches::versions_never_repeat(&*make().await).await;
    batches::a_batch_has_one_version(&*make().await).await;
    batches::limits_hold(&*make().await).await;
    batches::largest_batches_pass(&*make().await).await;
    batches::empty_batches_only_check(&*make().await).await;
    reads::scans_follow_order_and_bounds(&*make().await).await;
    reads::the_first_byte_makes_no_difference(&*make().await).await;
    reads::reads_see_own_writes(&*make().await).await;
    races::one_of_many_racers_wins(make().await).await;
    races::counters_lose_no_step(make().await).await;
    races::absent_checks_hold_until_the_commit(make().await).await;
    races::version_checks_hold_until_the_commit(make().await).await;
    races::batches_without_checks_do_not_mix(make().await).await;
    races::reads_never_go_back(make().await).await;
    reads::reads_are_snapshots(make().await).await;
    reads::stale_reads_do_not_outlive_a_commit(make().await).await;
    reads::time_is_told(&*make().await).await;
}

/// Runs the checks of a backend that keeps its rows when it is closed and opened again.
///
/// # Panics
/// When the backend breaks the contract.
pub async fn run_durable(open: impl AsyncFn() -> Shared) {
    let store = open().await;
    let first = put(&*store, "kept", "1").await;
    let gone = put(&*store, "gone", "1").await;
    let deleted = commit(
        &*store,
        Batch {
            deletes: vec![key("gone")],
            ..Batch::default()
        },
    )
    .await;
    store.close().await;
    let late = store.commit(puts([("late", "1")])).await;
    assert!(
        matches!(late, Err(CommitError::Fatal(_))),
        "a closed store takes no batch: {late:?}"
    );
    drop(store);

    let store = open().await;
    assert_eq!(
        store.health(),
        Health::Ready,
        "a store closed in order opens ready"
    );
    assert_eq!(
        get(&*store, "kept").await,
        Some((first, "1".into())),
        "rows survive reopening"
    );
    assert_eq!(
        get(&*store, "gone").await,
        None,
        "deletes survive reopening"
    );
    assert_eq!(
        get(&*store, "late").await,
        None,
        "a refused batch stays away"
    );
    let again = put(&*store, "gone", "2").await;
    assert!(
        ![first, gone, deleted].contains(&again),
        "versions do not repeat over a reopening"
    );
    let stale = expecting("kept", Expect::Is(again), "2");
    assert_conflict(store.commit(stale).await, 0);
    commit(&*store, expecting("kept", Expect::Is(first), "2")).await;
    store.close().await;
}

fn key(name: &str) -> Key {
    Key::copy_from_slice(name.as_bytes())
}

fn numbered(number: usize) -> Key {
    Key::from(format!("n/{number:08}"))
}

fn puts<const N: usize>(rows: [(&str, &str); N]) -> Batch {
    puts_of(
        rows.map(|(name, value)| (key(name), Bytes::copy_from_slice(value.as_bytes())))
            .into(),
    )
}

fn puts_of(puts: Vec<(Key, Bytes)>) -> Batch {
    Batch {
        puts,
        ..Batch::default()
    }
}

fn expecting(name: &str, expect: Expect, value: &str) -> Batch {
    Batch {
        checks: vec![(key(name), expect)],
        ..puts([(name, value)])
    }
}

async fn put(store: &dyn Store, name: &str, value: &str) -> Version {
    commit(store, puts([(name, value)])).await
}

async fn commit(store: &dyn Store, batch: Batch) -> Version {
    store
        .commit(batch)
        .await
        .expect("the batch is within the limits and its checks hold")
}

async fn get(store: &dyn Store, name: &str) -> Option<(Version, Bytes)> {
    let mut found = store
        .get_many(&[key(name)], Freshness::Now)
        .await
        .expect("read");
    assert_eq!(found.len(), 1, "one answer per key");
    found.pop().flatten()
}

async fn all(store: &dyn Store) -> Vec<Row> {
    scan(store, "", None, Direction::Forward, u32::MAX).await
}

async fn scan(
    store: &dyn Store,
    start: &str,
    end: Option<&str>,
    direction: Direction,
    limit: u32,
) -> Vec<Row> {
    let range = KeyRange {
        start: key(start),
        end: end.map(key),
    };
    store
        .scan(range, direction, limit, Freshness::Now)
        .await
        .expect("scan")
}

fn assert_conflict(outcome: Result<Version, CommitError>, index: usize) {
    let found = match &outcome {
        Err(CommitError::Conflict(found)) => Some(*found),
        Ok(_) | Err(_) => None,
    };
    assert_eq!(found, Some(index), "check {index} fails, not {outcome:?}");
}
