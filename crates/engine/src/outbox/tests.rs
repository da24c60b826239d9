use std::time::Duration;

use super::*;
use crate::table::Row;
use crate::tx::in_tx;
use crate::tx::testing::Bench;

fn job() -> Job {
    Job::EraseLinks {
        label: Label(Hash([1; 32])),
        through: Seqno::FIRST,
    }
}

async fn enqueue(bench: &Bench, id: u8, due: u64) {
    in_tx!(bench, "enqueue", |tx| async {
        enqueue_in(tx, JobId([id; 16]), &job(), UnixMillis(due));
        Ok::<_, Internal>(())
    }
    .await)
    .unwrap();
}

async fn take(bench: &Bench, now: u64) -> Vec<Leased> {
    in_tx!(bench, "take", |tx| take_due_in(tx, UnixMillis(now))
        .await
        .map_err(Internal::from))
    .unwrap()
}

async fn settle(bench: &Bench, leased: &Leased, outcome: Outcome, now: u64) {
    in_tx!(bench, "settle", |tx| settle_in(
        tx,
        leased,
        outcome,
        UnixMillis(now)
    )
    .await)
    .unwrap();
}

/// Due times and attempts of the queued jobs.
fn queued(bench: &Bench) -> Vec<(u64, u32)> {
    let rows = bench.rows.table(JOBS.tag());
    rows.iter()
        .map(|(key, value)| {
            let (due, _) = JOBS.read_key(key).unwrap();
            (due.0, JOBS.read(value).unwrap().attempts)
        })
        .collect()
}

#[tokio::test]
async fn a_job_is_taken_when_due_and_once_for_the_length_of_a_lease() {
    let bench = Bench::new();
    enqueue(&bench, 1, 1_000).await;
    assert_eq!(*bench.effects.lock().unwrap(), [Effect::JobQueued]);
    assert!(take(&bench, 999).await.is_empty());
    let taken = take(&bench, 1_000).await;
    assert_eq!((taken.len(), taken[0].attempt), (1, 1));
    assert_eq!(taken[0].job, job());
    assert_eq!(queued(&bench), [(61_000, 1)]);
    assert!(take(&bench, 60_999).await.is_empty());
    settle(&bench, &taken[0], Outcome::Done, 2_000).await;
    assert_eq!(queued(&bench), []);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_settles_nothing() {
    let bench = Bench::new();
    enqueue(&bench, 1, 0).await;
    let slow = take(&bench, 0).await;
    let quick = take(&bench, 60_000).await;
    assert_eq!((quick.len(), quick[0].attempt), (1, 2));
    for outcome in [
        Outcome::Done,
        Outcome::More,
        Outcome::Waiting,
        Outcome::Failed,
    ] {
        settle(&bench, &slow[0], outcome, 61_000).await;
        assert_eq!(queued(&bench), [(120_000, 2)], "{outcome:?}");
    }
    settle(&bench, &quick[0], Outcome::Done, 62_000).await;
    assert_eq!(queued(&bench), []);
}

#[tokio::test]
async fn failures_wait_longer_each_time_and_the_tenth_parks() {
    let bench = Bench::new();
    enqueue(&bench, 1, 0).await;
    let mut now = 0;
    for attempt in 1..=10_u32 {
        let taken = take(&bench, now).await;
        assert_eq!((taken.len(), taken[0].attempt), (1, attempt));
        settle(&bench, &taken[0], Outcome::Failed, now).await;
        if attempt < 10 {
            let pause = 5_000 << (attempt - 1);
            assert_eq!(queued(&bench), [(now + pause, attempt)]);
            now += pause;
        }
    }
    assert_eq!(queued(&bench), []);
    let parked = bench.rows.table(PARKED_JOBS.tag());
    assert_eq!(parked.len(), 1);
    let row = PARKED_JOBS.read(&parked[0].1).unwrap();
    assert_eq!(row.attempts, 10);
    assert_eq!(Job::read(&row.job.unwrap()), Some(job()));
}

#[tokio::test]
async fn progress_forgives_the_failures_before_it() {
    let bench = Bench::new();
    enqueue(&bench, 1, 0).await;
    let taken = take(&bench, 0).await;
    settle(&bench, &taken[0], Outcome::Failed, 0).await;
    let taken = take(&bench, 5_000).await;
    settle(&bench, &taken[0], Outcome::More, 5_001).await;
    assert_eq!(
        queued(&bench),
        [(5_001, 0)],
        "at once, from the first attempt"
    );
}

#[tokio::test]
async fn a_job_whose_workers_die_is_parked_in_the_end() {
    let bench = Bench::new();
    enqueue(&bench, 1, 0).await;
    for attempt in 1..=10 {
        assert_eq!(take(&bench, attempt * 60_000).await.len(), 1);
    }
    assert!(take(&bench, 11 * 60_000).await.is_empty());
    assert_eq!(queued(&bench), []);
    assert_eq!(bench.rows.table(PARKED_JOBS.tag()).len(), 1);
}

#[tokio::test]
async fn unknown_jobs_are_left_alone_and_block_nobody() {
    let bench = Bench::new();
    let unknown = JobRow {
        attempts: 0,
        job: None,
    };
    for id in 100..140 {
        let key = JOBS.key(&(UnixMillis(5), JobId([id; 16])));
        bench.rows.write(key, unknown.write());
    }
    for id in 0..20 {
        enqueue(&bench, id, 10).await;
    }
    assert_eq!(take(&bench, 10).await.len(), 16);
    assert_eq!(take(&bench, 10).await.len(), 4);
    assert_eq!(take(&bench, 10).await.len(), 0);
    let left = queued(&bench).into_iter().filter(|(due, _)| *due == 5);
    assert_eq!(left.count(), 40);
    assert!(bench.rows.table(PARKED_JOBS.tag()).is_empty());
}

#[test]
fn the_pause_has_an_end() {
    assert_eq!(backoff(0), Duration::from_secs(5));
    assert_eq!(backoff(1), Duration::from_secs(5));
    assert_eq!(backoff(3), Duration::from_secs(20));
    assert_eq!(backoff(u32::MAX), Duration::from_secs(5 * 1024));
}

#[tokio::test]
async fn what_waits_for_others_is_never_parked() {
    let bench = Bench::new();
    enqueue(&bench, 1, 0).await;
    let mut now = 0;
    for attempt in 1..=30_u32 {
        let taken = take(&bench, now).await;
        assert_eq!(taken.len(), 1);
        settle(&bench, &taken[0], Outcome::Waiting, now).await;
        let counted = attempt.min(7);
        let pause = 5_000 << (counted - 1);
        assert_eq!(queued(&bench), [(now + pause, counted)]);
        now += pause;
    }
    // Two workers that died on it park it not.
    for _ in 0..2 {
        assert_eq!(take(&bench, now).await.len(), 1);
        now += 60_000;
    }
    let taken = take(&bench, now).await;
    settle(&bench, &taken[0], Outcome::Waiting, now).await;
    assert_eq!(queued(&bench).len(), 1);
}
