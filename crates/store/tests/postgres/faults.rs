//! Servers that go, hang, refuse and change: nothing acknowledged is lost, and the store comes back
//! by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use engine::ports::store::{CommitError, Expect, Freshness, Health, Key, Store};
use pgrig::{Postgres, Settings};
use store::Options;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use crate::rig::{put, sql};

const COMMIT_WAIT: Duration = Duration::from_secs(2);
const QUEUE_WAIT: Duration = Duration::from_secs(1);
/// What the machine may take beside our own time-outs.
const MARGIN: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(30);

async fn open(url: &str) -> Arc<dyn Store> {
    let options = Options {
        commit_wait: COMMIT_WAIT,
        queue_wait: QUEUE_WAIT,
        ..Options::default()
    };
    store::open(url, options).await.expect("the store opens")
}

fn start(settings: Settings) -> Postgres {
    block_in_place(|| Postgres::start(settings)).expect("a server")
}

/// The reason of a commit that must not succeed now.
async fn refused(store: &dyn Store, name: &str, within: Duration) -> String {
    let begun = Instant::now();
    let outcome = store.commit(put(name, "1")).await;
    let waited = begun.elapsed();
    assert!(waited < within + MARGIN, "answered after {waited:?}");
    match outcome {
        Err(CommitError::Unavailable(why)) => why,
        other => panic!("{other:?}"),
    }
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    while !done().await {
        assert!(begun.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

async fn until_paused(store: &dyn Store) {
    until("writes are paused", async || {
        matches!(store.health(), Health::WritesPaused(_))
    })
    .await;
}

async fn until_ready(store: &dyn Store) {
    until("the store is ready", async || {
        store.health() == Health::Ready
    })
    .await;
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Writers that keep on, and what was acknowledged to them.
struct Load {
    ended: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<Key>>>,
    /// What the others were told.
    refusals: Arc<Mutex<Vec<String>>>,
    writers: JoinSet<()>,
}

impl Load {
    fn on(store: &Arc<dyn Store>, name: &'static str) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let acknowledged = Arc::<Mutex<Vec<Key>>>::default();
        let refusals = Arc::<Mutex<Vec<String>>>::default();
        let mut writers = JoinSet::new();
        for writer in 0..8 {
            let (store, ended) = (store.clone(), ended.clone());
            let (acknowledged, refusals) = (acknowledged.clone(), refusals.clone());
            writers.spawn(async move {
                for number in 0.. {
                    if ended.load(Ordering::Relaxed) {
                        break;
                    }
                    let mut batch = put(&format!("1/{name}/{writer}/{number}"), "1");
                    let key = batch.puts[0].0.clone();
                    batch.checks.push((key.clone(), Expect::Absent));
                    batch
                        .puts
                        .extend(put(&format!("{name}/{writer}/{number}"), "1").puts);
                    match store.commit(batch).await {
                        Ok(_) => {
                            held(&acknowledged).push(key);
                        }
                        Err(CommitError::Unavailable(why)) => {
                            held(&refusals).push(why);
                            sleep(Duration::from_millis(20)).await;
                        }
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
        Self {
            ended,
            acknowledged,
            refusals,
            writers,
        }
    }

    fn count(&self) -> usize {
        held(&self.acknowledged).len()
    }

    /// Waits until this many more were acknowledged.
    async fn more(&self, count: usize) {
        let before = self.count();
        until("more is acknowledged", async || {
            self.count() >= before + count
        })
        .await;
    }

    /// Ends the writers and looks for all that was acknowledged.
    async fn end(self, store: &dyn Store) {
        self.ended.store(true, Ordering::Relaxed);
        self.writers.join_all().await;
        let keys = held(&self.acknowledged).clone();
        assert!(keys.len() > 100, "the load was one: {}", keys.len());
        let found = store.get_many(&keys, Freshness::Now).await.expect("a read");
        let lost = found.iter().filter(|row| row.is_none()).count();
        assert_eq!(lost, 0, "of {} acknowledged batches", keys.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_goes_and_comes() {
    let mut server = start(Settings::durable());
    let store = open(&server.url()).await;
    let load = Load::on(&store, "gone");
    load.more(200).await;
    block_in_place(|| server.restart()).expect("a restart");
    load.more(200).await;
    block_in_place(|| server.kill()).expect("a kill");
    block_in_place(|| server.run()).expect("a start");
    load.more(200).await;
    until_ready(&*store).await;
    load.end(&*store).await;

    block_in_place(|| server.stop()).expect("a stop");
    let lost = store
        .get_many(&[Key::from_static(b"1")], Freshness::Now)
        .await;
    assert!(lost.is_err(), "nobody answers: {lost:?}");
    let first = refused(&*store, "1/refused", QUEUE_WAIT).await;
    let why = refused(&*store, "1/refused", QUEUE_WAIT).await;
    assert!(why.contains("refused"), "{first}; {why}");
    until_paused(&*store).await;
    block_in_place(|| server.run()).expect("a start");
    until_ready(&*store).await;
    store.commit(put("1/refused", "2")).await.expect("a commit");
    store.close().await;
    let late = store.commit(put("1/late", "1")).await;
    assert!(matches!(late, Err(CommitError::Fatal(_))), "{late:?}");
    let late = store
        .get_many(&[Key::from_static(b"1")], Freshness::Now)
        .await;
    assert!(late.is_err(), "{late:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_hangs() {
    let server = start(Settings::default());
    let store = open(&server.url()).await;
    store.commit(put("1/row", "0")).await.expect("a commit");
    block_in_place(|| server.pause()).expect("a pause");
    let why = refused(&*store, "1/paused", COMMIT_WAIT).await;
    assert!(why.contains("within 2 s"), "{why}");
    until_paused(&*store).await;
    refused(&*store, "1/paused", QUEUE_WAIT).await;
    block_in_place(|| server.resume()).expect("a resume");
    until_ready(&*store).await;
    store.commit(put("1/paused", "2")).await.expect("a commit");

    let (client, connection) = tokio_postgres::connect(&server.url(), NoTls)
        .await
        .expect("connect");
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    client
        .batch_execute("BEGIN; SELECT * FROM kv_rec FOR UPDATE")
        .await
        .expect("a lock");
    let why = refused(&*store, "1/row", COMMIT_WAIT).await;
    assert!(why.contains("locked for too long"), "{why}");
    assert_eq!(store.health(), Health::Ready, "other rows may be written");
    client.batch_execute("ROLLBACK").await.expect("a release");
    store.commit(put("1/row", "2")).await.expect("a commit");

    // What a switch-over in place looks like. Whoever has a connection reads on.
    let rows = [Key::from_static(b"1/row")];
    let found = store.get_many(&rows, Freshness::Now).await;
    assert!(found.is_ok_and(|found| found[0].is_some()), "a row");
    sql(
        &server.url(),
        "ALTER SYSTEM SET default_transaction_read_only = on",
    )
    .await;
    sql(&server.url(), "SELECT pg_reload_conf()").await;
    until("writes are refused", async || {
        store.commit(put("1/only", "1")).await.is_err()
    })
    .await;
    until_paused(&*store).await;
    let found = store.get_many(&rows, Freshness::Now).await;
    assert!(found.is_ok_and(|found| found[0].is_some()), "reads go on");
    let writable = "SET default_transaction_read_only = off; ALTER SYSTEM RESET ALL";
    for statement in writable.split("; ") {
        client.batch_execute(statement).await.expect("a setting");
    }
    client
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("a reload");
    until_ready(&*store).await;
    store.commit(put("1/only", "2")).await.expect("a commit");
    a_full_disk(&client, &*store).await;
    store.close().await;
}

/// Has the database say that its disk is full, on the row `1/full`.
const FULL_DISK: &str = "
    CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'no space' USING ERRCODE = '53100'; END $$;
    CREATE TRIGGER full_disk BEFORE INSERT ON kv_rec FOR EACH ROW
        WHEN (new.k = '1/full') EXECUTE FUNCTION full_disk()";

async fn a_full_disk(client: &tokio_postgres::Client, store: &dyn Store) {
    client.batch_execute(FULL_DISK).await.expect("a trigger");
    let why = refused(store, "1/full", COMMIT_WAIT).await;
    assert!(why.contains("disk is full"), "{why}");
    client
        .batch_execute("DROP TRIGGER full_disk ON kv_rec")
        .await
        .expect("space");
    until_ready(store).await;
    store.commit(put("1/full", "2")).await.expect("a commit");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_connections_left() {
    let server = start(Settings {
        connections: 10,
        ..Settings::default()
    });
    let store = open(&server.url()).await;
    let ours = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'sealbook'";
    until("the workers are connected", async || {
        sql(&server.url(), ours).await.len() == 4
    })
    .await;
    let mut others = Vec::new();
    let mut drivers = JoinSet::new();
    while let Ok((client, connection)) = tokio_postgres::connect(&server.url(), NoTls).await {
        drivers.spawn(connection);
        others.push(client);
    }
    let keys = [Key::from_static(b"1/row")];
    let read = store.get_many(&keys, Freshness::Now).await;
    let why = read.expect_err("no connection is left").to_string();
    assert!(why.contains("no more connections"), "{why}");
    store
        .commit(put("1/row", "1"))
        .await
        .expect("the workers have theirs");
    assert_eq!(store.health(), Health::Ready);

    let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sealbook'";
    others[0]
        .batch_execute("ALTER SYSTEM SET default_transaction_read_only = on")
        .await
        .expect("set");
    others[0]
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("a reload");
    others[0].batch_execute(end).await.expect("an end");
    until_paused_by_reads(&*store, &keys).await;
    others[0]
        .batch_execute("SET default_transaction_read_only = off")
        .await
        .expect("set");
    others[0]
        .batch_execute("ALTER SYSTEM RESET ALL")
        .await
        .expect("reset");
    others[0]
        .batch_execute("SELECT pg_reload_conf()")
        .await
        .expect("a reload");
    drop(others);
    until_ready(&*store).await;
    until("reads find a connection", async || {
        store.get_many(&keys, Freshness::Now).await.is_ok()
    })
    .await;
    store.commit(put("1/row", "2")).await.expect("a commit");
    store.close().await;
}

/// The probe finds no connection, as the workers have the last ones.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_go_on_after_a_pause_without_a_connection_left_for_the_probe() {
    let server = start(Settings {
        connections: 10,
        ..Settings::default()
    });
    let store = open(&server.url()).await;
    let ours = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'sealbook'";
    until("the workers are connected", async || {
        sql(&server.url(), ours).await.len() == 4
    })
    .await;
    sql(&server.url(), FULL_DISK).await;
    let (mut others, mut drivers) = (Vec::new(), JoinSet::new());
    while let Ok((client, connection)) = tokio_postgres::connect(&server.url(), NoTls).await {
        drivers.spawn(connection);
        others.push(client);
    }
    let why = refused(&*store, "1/full", COMMIT_WAIT).await;
    assert!(why.contains("disk is full"), "{why}");
    until_ready(&*store).await;
    store.commit(put("1/row", "1")).await.expect("a commit");
    assert_eq!(
        sql_on(&others[0], ours).await,
        4,
        "no connection was made or lost"
    );
    store.close().await;
}

async fn sql_on(client: &tokio_postgres::Client, query: &str) -> usize {
    client.query(query, &[]).await.expect("a query").len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_takes_every_connection_while_the_server_is_paused() {
    let server = start(Settings {
        connections: 20,
        ..Settings::default()
    });
    let store = open(&server.url()).await;
    store.commit(put("1/row", "0")).await.expect("a commit");
    for with_pause in [true, false] {
        if with_pause {
            block_in_place(|| server.pause()).expect("a pause");
            refused(&*store, "1/row", COMMIT_WAIT).await;
            until_paused(&*store).await;
            block_in_place(|| server.resume()).expect("a resume");
        }
        let crowd = block_in_place(|| server.exhaust()).expect("a crowd");
        // Each worker finds out by a batch, or with the first that is told to all.
        until("the workers have no connection left", async || {
            let outcome = store.commit(put("1/row", "1")).await;
            let told =
                matches!(outcome, Err(CommitError::Unavailable(why)) if why.contains("no more"));
            told && matches!(store.health(), Health::WritesPaused(_))
        })
        .await;
        let why = refused(&*store, "1/row", QUEUE_WAIT).await;
        assert!(why.contains("no more connections"), "{why}");
        if with_pause {
            block_in_place(|| server.pause()).expect("a pause");
            refused(&*store, "1/row", COMMIT_WAIT).await;
            block_in_place(|| server.resume()).expect("a resume");
        }
        drop(crowd);
        until_ready(&*store).await;
        until("a commit", async || {
            store.commit(put("1/row", "2")).await.is_ok()
        })
        .await;
    }
    store.close().await;
}

/// Reads notice too when there is nobody who takes writes.
async fn until_paused_by_reads(store: &dyn Store, keys: &[Key]) {
    until("a read says that nobody is there", async || {
        let read = store.get_many(keys, Freshness::Now).await;
        read.is_err() && matches!(store.health(), Health::WritesPaused(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_that_waits_and_takes_over() {
    let mut primary = start(Settings::durable());
    let standby = block_in_place(|| primary.standby()).expect("a standby");
    let store = open(&Postgres::url_of(&[&primary, &standby])).await;
    let load = Load::on(&store, "kept");
    load.more(200).await;

    block_in_place(|| standby.pause()).expect("a pause");
    // Whoever cancels a wait for the standby makes the database report a commit as done that is on
    // one server only.
    until("a commit waits for the standby", async || {
        let waiting =
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
        !sql(&primary.url(), waiting).await.is_empty()
    })
    .await;
    until_paused(&*store).await;
    until("the warning is told", async || {
        held(&load.refusals)
            .iter()
            .any(|why| why.contains("the database warns"))
    })
    .await;
    let before = load.count();
    refused(&*store, "1/waits", COMMIT_WAIT).await;
    assert_eq!(
        load.count(),
        before,
        "nothing is acknowledged without the standby"
    );
    block_in_place(|| standby.resume()).expect("a resume");
    until_ready(&*store).await;
    load.more(200).await;

    block_in_place(|| primary.kill()).expect("a kill");
    block_in_place(|| standby.promote()).expect("a promotion");
    // The promoted server waits for a standby of its own, if it was told to.
    sql(
        &standby.url(),
        "ALTER SYSTEM SET synchronous_standby_names = ''",
    )
    .await;
    sql(&standby.url(), "SELECT pg_reload_conf()").await;
    until_ready(&*store).await;
    load.more(200).await;
    load.end(&*store).await;
    store.close().await;
}
