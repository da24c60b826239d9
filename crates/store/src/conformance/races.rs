//! Many writers at once.

use std::sync::Arc;

use engine::ports::store::{Batch, CommitError, Direction, Expect, Freshness, Key, Store, Version};
use tokio::task::JoinSet;

use super::{Shared, commit, expecting, get, key, put, puts, puts_of, scan};

const RACERS: usize = 64;

pub(super) async fn one_of_many_racers_wins(store: Shared) {
    for round in 0..8 {
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let (store, name) = (Arc::clone(&store), format!("name/{round}"));
            racers.spawn(async move {
                let mut batch = expecting(&name, Expect::Absent, &racer.to_string());
                batch
                    .puts
                    .push((key(&format!("won/{round}/{racer}")), "1".into()));
                (racer, store.commit(batch).await)
            });
        }
        let mut winners = Vec::new();
        while let Some(ended) = racers.join_next().await {
            let (racer, outcome) = ended.expect("racer");
            match outcome {
                Ok(version) => winners.push((racer, version)),
                Err(error) => assert!(matches!(error, CommitError::Conflict(0)), "{error}"),
            }
        }
        let [(winner, version)] = winners.as_slice() else {
            unreachable!("one of {RACERS} racers wins, not {winners:?}")
        };
        let held = get(&*store, &format!("name/{round}")).await;
        assert_eq!(held, Some((*version, winner.to_string().into())));
        let prefix = format!("won/{round}/");
        let end = format!("won/{round}0");
        let traces = scan(&*store, &prefix, Some(&end), Direction::Forward, 100).await;
        assert_eq!(traces.len(), 1, "losers leave no trace");
    }
}

pub(super) async fn counters_lose_no_step(store: Shared) {
    const STEPS: usize = 25;
    put(&*store, "counter", "0").await;
    let mut tasks = JoinSet::new();
    for _ in 0..8 {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            for _ in 0..STEPS {
                increment(&*store).await;
            }
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended.expect("counting task");
    }
    let (_, count) = get(&*store, "counter").await.expect("counter");
    assert_eq!(
        count,
        (8 * STEPS).to_string(),
        "every increment counts once"
    );
}

async fn increment(store: &dyn Store) {
    loop {
        let (version, value) = get(store, "counter").await.expect("counter");
        let count: u64 = std::str::from_utf8(&value)
            .expect("text")
            .parse()
            .expect("number");
        let batch = expecting("counter", Expect::Is(version), &(count + 1).to_string());
        match store.commit(batch).await {
            Ok(_) => return,
            Err(error) => assert!(matches!(error, CommitError::Conflict(0)), "{error}"),
        }
    }
}

/// Two batches of which each puts what the other one expects to be absent: one of them wins. A key
/// that is only checked has no row that could be locked.
pub(super) async fn absent_checks_hold_until_the_commit(store: Shared) {
    for round in 0..60 {
        let names = [format!("1/{round}"), format!("skew/{round}")];
        crossed(&store, &names, [Expect::Absent; 2]).await;
    }
}

/// The same with keys that are there.
pub(super) async fn version_checks_hold_until_the_commit(store: Shared) {
    for round in 0..60 {
        let names = [format!("1/{round}"), format!("skew/{round}")];
        let [one, two] = &names;
        let versions = [put(&*store, one, "0").await, put(&*store, two, "0").await];
        crossed(&store, &names, versions.map(Expect::Is)).await;
    }
}

/// Commits, at the same time, a batch that checks the first key and puts the second, and one that
/// checks the second and puts the first.
async fn crossed(store: &Shared, names: &[String; 2], expected: [Expect; 2]) {
    let [one, two] = names;
    let mut tasks = JoinSet::new();
    let [expect_one, expect_two] = expected;
    for (read, expect, written) in [(one, expect_one, two), (two, expect_two, one)] {
        let mut batch = puts([(written.as_str(), "1")]);
        batch.checks.push((key(read), expect));
        let store = Arc::clone(store);
        tasks.spawn(async move { store.commit(batch).await });
    }
    let outcomes = tasks.join_all().await;
    let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
    assert_eq!(won, 1, "one of two crossed batches wins: {outcomes:?}");
    let lost =
        |outcome: &Result<Version, CommitError>| matches!(outcome, Err(CommitError::Conflict(0)));
    assert!(
        outcomes.iter().any(lost),
        "the other one loses: {outcomes:?}"
    );
}

/// Batches that put or delete the same two keys without looking: what is left is of one of them.
pub(super) async fn batches_without_checks_do_not_mix(store: Shared) {
    for round in 0..40 {
        let keys = [key(&format!("1/{round}")), key(&format!("mix/{round}"))];
        let mut tasks = JoinSet::new();
        for racer in 0..6 {
            let (store, keys) = (Arc::clone(&store), keys.clone());
            tasks.spawn(async move {
                let mut batch = Batch::default();
                if racer % 2 == 0 {
                    batch.deletes.extend(keys);
                } else {
                    batch
                        .puts
                        .extend(keys.map(|key| (key, racer.to_string().into())));
                }
                commit(&*store, batch).await
            });
        }
        tasks.join_all().await;
        let found = store.get_many(&keys, Freshness::Now).await.expect("read");
        let [one, two] = found.as_slice() else {
            unreachable!("one answer per key")
        };
        assert_eq!(one, two, "both keys are as the last batch left them");
    }
}

/// While batches of many rows are committed, a read of one row shows no batch that a later read of all
/// of them does not.
pub(super) async fn reads_never_go_back(store: Shared) {
    const ROWS: usize = 64;
    const BATCHES: u64 = 200;
    let names: Vec<String> = (0..ROWS).map(|row| format!("back/{row}")).collect();
    let batch = |number: u64| {
        let text = number.to_string();
        puts_of(
            names
                .iter()
                .map(|name| (key(name), text.clone().into()))
                .collect(),
        )
    };
    commit(&*store, batch(0)).await;
    let batches: Vec<Batch> = (1..=BATCHES).map(batch).collect();
    let mut writer = JoinSet::new();
    let writing = Arc::clone(&store);
    writer.spawn(async move {
        for batch in batches {
            commit(&*writing, batch).await;
        }
    });
    let keys: Vec<Key> = names.iter().map(|name| key(name)).collect();
    for one in keys.iter().cycle() {
        let ended = writer.try_join_next();
        let [seen] = numbers(&*store, std::slice::from_ref(one)).await[..] else {
            unreachable!("one answer per key")
        };
        let all = numbers(&*store, &keys).await;
        let (least, most) = (all.iter().min(), all.iter().max());
        assert_eq!(least, most, "a read is of one moment");
        assert!(least >= Some(&seen), "{least:?} after {seen}");
        if let Some(ended) = ended {
            return ended.expect("writer");
        }
        tokio::task::yield_now().await;
    }
}

async fn numbers(store: &dyn Store, keys: &[Key]) -> Vec<u64> {
    let found = store.get_many(keys, Freshness::Now).await.expect("read");
    let number = |record: Option<(Version, bytes::Bytes)>| {
        let (_, value) = record.expect("a row");
        let text = std::str::from_utf8(&value).expect("text");
        text.parse().expect("number")
    };
    found.into_iter().map(number).collect()
}
