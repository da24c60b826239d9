use std::sync::atomic::Ordering;

use super::*;
use crate::tables::{GUARDS, GuardRow, JOBS};
use crate::tx::testing::Bench;

const KEY: (u8, [u8; 32]) = (1, [7; 32]);
const OTHER: (u8, [u8; 32]) = (1, [8; 32]);

fn row(attempts: u32) -> GuardRow {
    GuardRow {
        window_started_ms: 5,
        attempts,
    }
}

/// A refusal, which is no failure of our own.
#[derive(Debug)]
enum Outcome {
    Refused,
    Internal(Internal),
}

impl From<Internal> for Outcome {
    fn from(internal: Internal) -> Self {
        Self::Internal(internal)
    }
}

impl From<StoreError> for Outcome {
    fn from(error: StoreError) -> Self {
        Self::Internal(error.into())
    }
}

impl Refusal for Outcome {
    fn internal(&self) -> Option<&Internal> {
        match self {
            Self::Refused => None,
            Self::Internal(internal) => Some(internal),
        }
    }
}

async fn count_up(bench: &Bench) -> Result<u32, Outcome> {
    in_tx!(bench, "count_up", |tx| async {
        let attempts = tx
            .get(&GUARDS, &KEY)
            .await?
            .map_or(1, |row| row.attempts + 1);
        tx.put(&GUARDS, &KEY, &row(attempts));
        tx.effect(Effect::JobQueued);
        Ok::<_, Outcome>(attempts)
    }
    .await)
}

#[tokio::test]
async fn a_unit_sees_its_own_writes_and_a_scan_does_not() {
    let bench = Bench::new();
    assert_eq!(count_up(&bench).await.unwrap(), 1);
    let scanned = in_tx!(bench, "own_writes", |tx| async {
        tx.put(&GUARDS, &KEY, &row(9));
        assert_eq!(tx.get(&GUARDS, &KEY).await?, Some(row(9)));
        tx.put(&GUARDS, &OTHER, &row(3));
        assert_eq!(tx.peek(&GUARDS, &OTHER).await?, Some(row(3)));
        tx.delete(&GUARDS, &KEY);
        assert_eq!(tx.get(&GUARDS, &KEY).await?, None);
        tx.scan(&GUARDS, GUARDS.range(&[]), 9)
            .await
            .map_err(Outcome::from)
    }
    .await)
    .unwrap();
    let values: Vec<_> = scanned
        .into_iter()
        .map(|(key, _, row)| (key, row))
        .collect();
    assert_eq!(values, [(KEY, row(1))]);
    let left = bench.rows.table(GUARDS.tag());
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].0, GUARDS.key(&OTHER));
}

#[tokio::test]
async fn a_get_is_checked_a_peek_is_not_and_absence_counts() {
    let bench = Bench::new();
    in_tx!(bench, "reads", |tx| async {
        tx.prefetch(&[GUARDS.key(&KEY), GUARDS.key(&OTHER)]).await?;
        tx.peek(&GUARDS, &OTHER).await?;
        tx.get(&GUARDS, &KEY).await?;
        tx.put(&GUARDS, &OTHER, &row(1));
        Ok::<_, Outcome>(())
    }
    .await)
    .unwrap();
    let batches = bench.rows.batches.lock().unwrap();
    assert_eq!(batches[0].checks, [(GUARDS.key(&KEY), Expect::Absent)]);
}

#[tokio::test]
async fn a_row_is_created_unread_and_never_over_another() {
    let bench = Bench::new();
    let create = async |attempts| {
        in_tx!(bench, "create", |tx| async {
            tx.create(&GUARDS, &KEY, &row(attempts));
            assert_eq!(tx.get(&GUARDS, &KEY).await?, Some(row(attempts)));
            Ok::<_, Outcome>(())
        }
        .await)
    };
    create(1).await.unwrap();
    let key = GUARDS.key(&KEY);
    let first = bench.rows.batches.lock().unwrap()[0].clone();
    assert_eq!(first.checks, [(key.clone(), Expect::Absent)]);
    let Err(Outcome::Internal(busy)) = create(2).await else {
        unreachable!("the row is there");
    };
    assert!(busy.is_unavailable());
    assert_eq!(bench.rows.table(GUARDS.tag()), [(key, row(1).write())]);
}

#[tokio::test]
async fn a_lost_race_is_run_again_on_what_the_winner_left() {
    let bench = Bench::new();
    let mut runs = 0;
    let last = in_tx!(bench, "race", |tx| async {
        let attempts = tx
            .get(&GUARDS, &KEY)
            .await?
            .map_or(1, |row| row.attempts + 1);
        if runs < 2 {
            bench.rows.write(GUARDS.key(&KEY), row(10 + runs).write());
        }
        runs += 1;
        tx.put(&GUARDS, &KEY, &row(attempts));
        tx.effect(Effect::JobQueued);
        Ok::<_, Outcome>(attempts)
    }
    .await)
    .unwrap();
    assert_eq!((runs, last), (3, 12));
    assert_eq!(
        *bench.effects.lock().unwrap(),
        [Effect::JobQueued],
        "applied once"
    );
}

#[tokio::test]
async fn sixteen_conflicts_are_busy_and_fifteen_are_not() {
    let bench = Bench::new();
    bench.rows.conflicts.store(15, Ordering::SeqCst);
    assert_eq!(count_up(&bench).await.unwrap(), 1);
    bench.rows.conflicts.store(16, Ordering::SeqCst);
    let Outcome::Internal(busy) = count_up(&bench).await.unwrap_err() else {
        unreachable!("nobody refuses here");
    };
    assert!(busy.is_unavailable());
    assert_eq!(bench.rows.batches.lock().unwrap().len(), 32);
    assert_eq!(bench.effects.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refusal_is_checked_without_writes_and_decided_again_when_torn() {
    let bench = Bench::new();
    let mut runs = 0;
    let refused: Result<(), Outcome> = in_tx!(bench, "refuse", |tx| async {
        tx.get(&GUARDS, &KEY).await?;
        if runs == 0 {
            bench.rows.write(GUARDS.key(&KEY), row(1).write());
        }
        runs += 1;
        tx.put(&GUARDS, &OTHER, &row(1));
        tx.effect(Effect::JobQueued);
        Err(Outcome::Refused)
    }
    .await);
    assert!(matches!(refused, Err(Outcome::Refused)));
    assert_eq!(runs, 2);
    let batches = bench.rows.batches.lock().unwrap();
    assert!(
        batches
            .iter()
            .all(|batch| batch.puts.is_empty() && batch.checks.len() == 1)
    );
    assert!(bench.effects.lock().unwrap().is_empty());
}

#[tokio::test]
async fn damage_seen_in_a_torn_view_is_no_damage() {
    let bench = Bench::new();
    let mut runs = 0;
    let outcome = in_tx!(bench, "torn", |tx| async {
        tx.get(&GUARDS, &KEY).await?;
        runs += 1;
        if runs == 1 {
            bench.rows.write(GUARDS.key(&KEY), row(1).write());
            return Err(StoreError::Corrupt("two rows disagree".into()).into());
        }
        Ok::<_, Outcome>(runs)
    }
    .await);
    assert_eq!(outcome.unwrap(), 2);
    let real: Result<(), Outcome> = in_tx!(bench, "damaged", |tx| async {
        tx.get(&GUARDS, &KEY).await?;
        Err(StoreError::Corrupt("two rows disagree".into()).into())
    }
    .await);
    assert!(matches!(real, Err(Outcome::Internal(error)) if !error.is_unavailable()));
}

#[tokio::test]
async fn a_unit_that_only_scans_commits_nothing() {
    let bench = Bench::new();
    let found = in_tx!(bench, "scan", |tx| tx
        .scan(&JOBS, JOBS.range(&[]), 9)
        .await
        .map_err(Internal::from));
    assert!(found.unwrap().is_empty());
    assert!(bench.rows.batches.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_row_as_a_scan_saw_it_can_be_expected() {
    let bench = Bench::new();
    count_up(&bench).await.unwrap();
    let mut runs = 0;
    let removed = in_tx!(bench, "expect", |tx| async {
        let rows = tx.scan(&GUARDS, GUARDS.range(&[]), 9).await?;
        if runs == 0 {
            bench.rows.write(GUARDS.key(&KEY), row(2).write());
        }
        runs += 1;
        for (key, version, _) in &rows {
            tx.expect(&GUARDS, key, *version);
            tx.delete(&GUARDS, key);
        }
        Ok::<_, Outcome>(rows.len())
    }
    .await);
    assert_eq!((removed.unwrap(), runs), (1, 2));
    assert!(bench.rows.table(GUARDS.tag()).is_empty());
}

#[tokio::test]
async fn a_halted_process_writes_nothing_and_still_refuses() {
    let mut bench = Bench::new();
    bench.halted = Some("an old backup".into());
    let Outcome::Internal(error) = count_up(&bench).await.unwrap_err() else {
        unreachable!("nobody refuses here");
    };
    assert!(error.is_unavailable());
    let refused: Result<(), Outcome> = in_tx!(bench, "refuse", |tx| async {
        tx.get(&GUARDS, &KEY).await?;
        Err(Outcome::Refused)
    }
    .await);
    assert!(matches!(refused, Err(Outcome::Refused)));
    assert!(bench.rows.table(GUARDS.tag()).is_empty());
}
