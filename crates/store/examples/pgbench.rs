//! What commits cost on PostgreSQL: batches a second, and CPU time of the database for each.
//!
//! ```text
//! cargo run --profile ci -p store --example pgbench -- [TASKS] [SECONDS] [STANDBY]
//! ```
//!
//! Starts a server that syncs. Each batch is like a registration: five checks of absent keys, one
//! of which is not put, seven puts, over records and rows that come and go. Every hundredth second
//! another task deletes the latter a thousand at a time, as the sequencer does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use bytes::Bytes;
use engine::ports::store::{Batch, Direction, Expect, Freshness, Key, KeyRange, Store};
use pgrig::{Postgres, Settings};
use store::Options;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// First bytes of the keys of a registration that are checked and put.
const CHECKED: [u8; 4] = [0x64, 0x11, 0x14, 0x20];
/// First bytes of those that are put without a check.
const UNCHECKED: [u8; 3] = [0x13, 0x22, 0x60];
/// First byte of the one that is only checked.
const LOOKED_AT: u8 = 0x12;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: u64| -> Result<u64> {
        arguments
            .next()
            .map_or(Ok(default), |text| text.parse().context("a number"))
    };
    let (tasks, seconds, with_standby) = (number(64)?, number(5)?, number(0)? > 0);
    let server = Postgres::start(Settings::durable())?;
    let standby = with_standby.then(|| server.standby()).transpose()?;
    let store = store::open(&server.url(), Options::default()).await?;
    for round in 1..=3_u64 {
        let before = server.cpu_time()?;
        let own_before = own_cpu()?;
        let (commits, mut waits) = run(&store, tasks, seconds, round).await;
        let spent = server.cpu_time()?.saturating_sub(before);
        let own = own_cpu()?.saturating_sub(own_before);
        waits.sort_unstable();
        let at = |share: usize| {
            waits
                .get(waits.len() * share / 100)
                .copied()
                .unwrap_or_default()
        };
        let (middle, late) = (at(50), at(99));
        let of_each = |cpu: Duration| cpu.as_micros() / u128::from(commits.max(1));
        eprintln!(
            "{tasks} tasks: {}/s, database {} us and client {} us of CPU a batch, p50 {middle:?}, p99 {late:?}",
            commits / seconds,
            of_each(spent),
            of_each(own),
        );
    }
    store.close().await;
    drop(standby);
    Ok(())
}

async fn run(store: &Arc<dyn Store>, tasks: u64, seconds: u64, round: u64) -> (u64, Vec<Duration>) {
    let (ended, counted) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicU64::new(0)),
    );
    let mut running = JoinSet::new();
    for task in 0..tasks {
        let (store, ended, counted) = (store.clone(), ended.clone(), counted.clone());
        running.spawn(async move {
            let mut waits = Vec::new();
            for number in 0.. {
                if ended.load(Ordering::Relaxed) {
                    break;
                }
                let begun = Instant::now();
                let done = store
                    .commit(registration(round << 48 | task << 32 | number))
                    .await;
                done.expect("a registration of its own");
                waits.push(begun.elapsed());
                counted.fetch_add(1, Ordering::Relaxed);
            }
            waits
        });
    }
    let mut clearing = JoinSet::new();
    let clearer = store.clone();
    clearing.spawn(async move {
        loop {
            clear(&*clearer).await;
            sleep(Duration::from_millis(50)).await;
        }
    });
    sleep(Duration::from_secs(seconds)).await;
    ended.store(true, Ordering::Relaxed);
    let waits = running.join_all().await.concat();
    clearing.shutdown().await;
    (counted.load(Ordering::Relaxed), waits)
}

/// Deletes what waits, as the sequencer does.
async fn clear(store: &dyn Store) {
    let range = KeyRange {
        start: Key::from_static(&[0x60]),
        end: Some(Key::from_static(&[0x61])),
    };
    let rows = store
        .scan(range, Direction::Forward, 4096, Freshness::Now)
        .await;
    let deletes: Vec<Key> = rows.expect("a scan").into_iter().map(|row| row.0).collect();
    if deletes.is_empty() {
        return;
    }
    let batch = Batch {
        deletes,
        ..Batch::default()
    };
    store.commit(batch).await.expect("no check");
}

fn registration(number: u64) -> Batch {
    let key = |first: u8| {
        // Spread over the index, as hashes and names are.
        let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut key = vec![first];
        key.extend(spread.to_be_bytes());
        key.extend([7; 24]);
        Key::from(key)
    };
    let checked = CHECKED.into_iter().chain([LOOKED_AT]);
    let put = CHECKED.into_iter().chain(UNCHECKED);
    Batch {
        checks: checked.map(|first| (key(first), Expect::Absent)).collect(),
        puts: put
            .map(|first| (key(first), Bytes::from(vec![first; 120])))
            .collect(),
        deletes: Vec::new(),
    }
}

/// CPU time of this process.
fn own_cpu() -> Result<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, rest) = text.rsplit_once(')').context("a process's state")?;
    let ticks: Vec<u64> = rest
        .split_whitespace()
        .skip(11)
        .take(2)
        .flat_map(str::parse)
        .collect();
    Ok(Duration::from_millis(ticks.iter().sum::<u64>() * 10))
}
