//! What the embedded store does on this machine: durable conditional inserts, point reads, memory.
//!
//! `cargo run --release -p store --example storebench [DIRECTORY] [SECONDS]` prints one line a
//! figure: operations per second, their 50th and 99th percentile, and processor time per operation.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::ports::store::{Batch, Expect, Freshness, Key, Store};
use rustix::time::{ClockId, clock_gettime};
use store::Options;
use tokio::task::JoinSet;

const VALUE_BYTES: usize = 300;
const ROWS_READ: u64 = 1_000_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let dir = args
        .next()
        .map_or_else(|| std::env::temp_dir().join("storebench"), PathBuf::from);
    let run = Duration::from_secs(args.next().map_or(Ok(5), |text| text.parse())?);
    if dir.exists() {
        return Err(format!("{} exists: name an absent directory", dir.display()).into());
    }
    let url = format!("file:{}", dir.display());
    let store = store::open(&url, Options::default()).await?;
    for writers in [1, 64, 256] {
        inserts(&store, writers, run).await?;
    }
    fill(&store).await?;
    gets(&store, "engine", Freshness::Now, run).await?;
    gets(
        &store,
        "cache",
        Freshness::Within(Duration::from_secs(1)),
        run,
    )
    .await?;
    store.close().await;
    drop(store);
    let began = now();
    let store = store::open(&url, Options::default()).await?;
    say(&format!("open: {:?}", now().duration_since(began)));
    store.close().await;
    std::fs::remove_dir_all(&dir)?;
    Ok(())
}

/// Name and key absent, then both put: what a registration asks of the store.
async fn inserts(
    store: &Arc<dyn Store>,
    writers: u64,
    run: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let next = Arc::new(AtomicU64::new(writers << 40));
    let meter = Meter::start();
    let mut tasks = JoinSet::new();
    for _ in 0..writers {
        let (store, stop, next) = (Arc::clone(store), Arc::clone(&stop), Arc::clone(&next));
        tasks.spawn(async move {
            let mut waits = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                let began = now();
                store
                    .commit(registration(next.fetch_add(1, Ordering::Relaxed)))
                    .await?;
                waits.push(now().duration_since(began));
            }
            Ok::<_, engine::ports::store::CommitError>(waits)
        });
    }
    tokio::time::sleep(run).await;
    stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        waits.extend(ended??);
    }
    meter.report(&format!("inserts, {writers} writers"), waits);
    Ok(())
}

fn registration(number: u64) -> Batch {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let name = Key::from(format!("n/{spread:016x}"));
    let key = Key::from(format!("k/{spread:016x}"));
    Batch {
        checks: vec![
            (name.clone(), Expect::Absent),
            (key.clone(), Expect::Absent),
        ],
        puts: vec![
            (name.clone(), Bytes::from(vec![b'v'; VALUE_BYTES])),
            (key, name),
        ],
        deletes: Vec::new(),
    }
}

fn read_key(number: u64) -> Key {
    Key::from(format!(
        "r/{:016x}",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15)
    ))
}

async fn fill(store: &Arc<dyn Store>) -> Result<(), Box<dyn std::error::Error>> {
    for start in (0..ROWS_READ).step_by(10_000) {
        let row = |number| (read_key(number), Bytes::from(vec![b'v'; VALUE_BYTES]));
        let puts = (start..start + 10_000).map(row).collect();
        store
            .commit(Batch {
                puts,
                ..Batch::default()
            })
            .await?;
    }
    Ok(())
}

async fn gets(
    store: &Arc<dyn Store>,
    name: &str,
    fresh: Freshness,
    run: Duration,
) -> Result<(), Box<dyn std::error::Error>> {
    let stop = Arc::new(AtomicBool::new(false));
    let meter = Meter::start();
    let mut tasks = JoinSet::new();
    for task in 0..2_u64 {
        let (store, stop) = (Arc::clone(store), Arc::clone(&stop));
        tasks.spawn(async move {
            let (mut waits, mut state) = (Vec::new(), task + 1);
            while !stop.load(Ordering::Relaxed) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                let began = now();
                let found = store
                    .get_many(&[read_key(state % ROWS_READ)], fresh)
                    .await?;
                waits.push(now().duration_since(began));
                assert!(
                    found.iter().all(Option::is_some),
                    "a row that was put is there"
                );
            }
            Ok::<_, engine::ports::store::StoreError>(waits)
        });
    }
    let timer = std::thread::spawn(move || {
        std::thread::park_timeout(run);
        stop.store(true, Ordering::Relaxed);
    });
    let mut waits = Vec::new();
    while let Some(ended) = tasks.join_next().await {
        waits.extend(ended??);
    }
    timer.join().map_err(|_| "the timer failed")?;
    meter.report(&format!("gets from the {name}, 2 tasks"), waits);
    Ok(())
}

struct Meter {
    began: Instant,
    cpu: Duration,
}

impl Meter {
    fn start() -> Self {
        Self {
            began: now(),
            cpu: cpu(),
        }
    }

    fn report(self, name: &str, mut waits: Vec<Duration>) {
        let (wall, cpu) = (
            now().duration_since(self.began),
            cpu().saturating_sub(self.cpu),
        );
        waits.sort_unstable();
        let count = waits.len().max(1);
        let rate = u128::from(count as u64) * 1_000_000 / wall.as_micros().max(1);
        let at = |part: usize| {
            waits
                .get(waits.len() * part / 100)
                .copied()
                .unwrap_or_default()
        };
        let each = cpu.as_nanos() / u128::from(count as u64);
        let (half, most) = (at(50), at(99));
        let worst = waits.last().copied().unwrap_or_default();
        say(&format!(
            "{name}: {rate}/s, p50 {half:?}, p99 {most:?}, max {worst:?}, cpu {each} ns each"
        ));
    }
}

fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the figures are the program's output")]
fn say(line: &str) {
    println!("{line}");
}
