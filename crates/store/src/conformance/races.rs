//! Many writers at once.

use std::sync::Arc;

use engine::ports::store::{CommitError, Direction, Expect, Store};
use tokio::task::JoinSet;

use super::{Shared, expecting, get, key, put, scan};

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
