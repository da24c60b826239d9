//! The port's contract, alone and with several processes, under each isolation level.

use std::time::Duration;

use engine::ports::store::{Batch, CommitError, Expect, Freshness, Key, Store};
use store::{Options, conformance};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::rig;

const SERIALIZABLE: &str = "%20-cdefault_transaction_isolation%3Dserializable";
const REPEATABLE: &str = "%20-cdefault_transaction_isolation%3Drepeatable%5C%20read";

const WITHIN: Duration = Duration::from_secs(1);

async fn run(options: &str) {
    conformance::run(async || rig::open(&rig::fresh_url(options).await).await).await;
}

/// Three processes that share a database.
async fn run_taking_turns(options: &str) {
    conformance::run(async || {
        let url = rig::fresh_url(options).await;
        let mut stores = Vec::new();
        for _ in 0..3 {
            let options = Options {
                cache_bytes: 0,
                connections: 6,
                ..Options::default()
            };
            stores.push(store::open(&url, options).await.expect("the store opens"));
        }
        rig::taking_turns(stores)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn read_committed() {
    run("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_read_committed() {
    run_taking_turns("").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_repeatable_read() {
    run_taking_turns(REPEATABLE).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn three_processes_serializable() {
    run_taking_turns(SERIALIZABLE).await;
}

/// Batches of every kind on a few keys, by three processes: each is decided, and none makes the
/// database end one of two that wait for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_never_wait_for_each_other_in_a_ring() {
    let url = rig::fresh_url("").await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    let before = rig::sql(&url, deadlocks).await;
    let mut stores = Vec::new();
    let mut tasks = JoinSet::new();
    for process in 0..3_u64 {
        let store = rig::open(&url).await;
        stores.push(store.clone());
        for task in 0..6 {
            let store = store.clone();
            tasks.spawn(async move {
                let mut random = process << 32 | task << 16 | 1;
                for _ in 0..60 {
                    let batch = any_batch(&*store, &mut random).await;
                    match store.commit(batch).await {
                        Ok(_) | Err(CommitError::Conflict(_)) => {}
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    }
    tasks.join_all().await;
    for store in stores {
        // The database counts what a session did when the session ends.
        store.close().await;
    }
    assert_eq!(rig::sql(&url, deadlocks).await, before, "deadlocks");
}

/// A batch on some of twelve keys in all three tables, each checked or not, and written or not.
async fn any_batch(store: &dyn Store, random: &mut u64) -> Batch {
    let keys: Vec<Key> = (0..12_u8)
        .map(|number| Key::from(vec![0x20 * (number % 4), number]))
        .collect();
    let found = store.get_many(&keys, Freshness::Now).await.expect("a read");
    let mut batch = Batch::default();
    for (key, found) in keys.into_iter().zip(found) {
        // xorshift64
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        if !random.is_multiple_of(3) {
            continue;
        }
        let expect = found.map_or(Expect::Absent, |(version, _)| Expect::Is(version));
        if random.is_multiple_of(2) {
            batch.checks.push((key.clone(), expect));
        }
        match (*random >> 20) % 3 {
            0 => batch.puts.push((key, "1".into())),
            1 => batch.deletes.push(key),
            _ => {}
        }
    }
    batch
}

/// A key that is read all the time stays cached, and yet shows what another process put.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn cached_reads_follow_other_processes() {
    let url = rig::fresh_url("").await;
    let (here, there) = (rig::open(&url).await, rig::open(&url).await);
    let (keys, fresh) = ([Key::from_static(b"1/row")], Freshness::Within(WITHIN));
    here.commit(rig::put("1/row", "0")).await.expect("a commit");
    for number in 1..4 {
        let version = there.commit(rig::put("1/row", &number.to_string())).await;
        let version = version.expect("a commit");
        let put = Instant::now();
        loop {
            let asked = Instant::now();
            let found = here.get_many(&keys, fresh).await.expect("a read");
            if found[0]
                .as_ref()
                .is_some_and(|(found, _)| *found == version)
            {
                break;
            }
            assert!(
                asked.duration_since(put) <= WITHIN,
                "it is too old: {found:?}"
            );
            sleep(Duration::from_millis(5)).await;
        }
    }
    here.close().await;
    there.close().await;
}

/// Without any time to be behind, a read that may be kept shows each batch of another process at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn reads_within_no_time_are_never_behind() {
    let url = rig::fresh_url("").await;
    let (here, there) = (rig::open(&url).await, rig::open(&url).await);
    let keys = [Key::from_static(b"1/row")];
    for number in 0..20 {
        let put = rig::put("1/row", &number.to_string());
        let version = there.commit(put).await.expect("a commit");
        for fresh in [Duration::ZERO, WITHIN].map(Freshness::Within) {
            let found = here.get_many(&keys, fresh).await.expect("a read");
            let found = found[0].as_ref().expect("a row").0;
            assert!(found == version || fresh == Freshness::Within(WITHIN));
        }
    }
    here.close().await;
    there.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rows_survive_the_process() {
    let url = rig::fresh_url("").await;
    conformance::run_durable(async || rig::open(&url).await).await;
}
