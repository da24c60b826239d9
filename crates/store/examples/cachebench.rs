//! What the record cache costs: hits, fills, batches and passes, for both lifetimes.
//!
//! `cargo run --release -p store --example cachebench [SECONDS]` prints one line a figure, in
//! nanoseconds per key and thread, at 100,000 records of 300 bytes.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::ports::store::{Key, Version};
use store::cache::{Lifetime, Record, RecordCache};
use store::steady_clock;

const RECORDS: u64 = 100_000;
const CACHE_BYTES: u64 = 256 << 20;
const VALUE_BYTES: usize = 300;
const PIECE: usize = 1_000;
const WITHIN: Duration = Duration::from_secs(3600);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let seconds = std::env::args().nth(1);
    let run = Duration::from_secs(seconds.map_or(Ok(2), |text| text.parse())?);
    let clock = steady_clock();
    time("clock", 1, run, |_| {
        black_box(clock());
    });
    for (name, lifetime) in [
        ("forever", Lifetime::Forever),
        ("shared", Lifetime::Shared(steady_clock())),
    ] {
        bench(name, &RecordCache::new(CACHE_BYTES, lifetime), run);
    }
    Ok(())
}

fn bench(name: &str, cache: &RecordCache, run: Duration) {
    let keys: Vec<Key> = (0..RECORDS).map(key).collect();
    let found: Record = Some((Version(1), Bytes::from(vec![b'v'; VALUE_BYTES])));
    let one = std::slice::from_ref(&found);
    let pick = |number: u64| {
        let at = usize::try_from(number % RECORDS).unwrap_or_default();
        keys.get(at..=at).unwrap_or_default()
    };
    for number in 0..RECORDS {
        cache.fill(cache.moment(), pick(number), one);
    }
    for threads in [1, 2] {
        time(&format!("{name}: hit"), threads, run, |number| {
            let hit = cache.get(pick(number), WITHIN);
            assert!(hit.is_some(), "the record was put in");
        });
    }
    for threads in [1, 2] {
        time(
            &format!("{name}: hit, one of 100"),
            threads,
            run,
            |number| {
                black_box(cache.get(pick(number % 100), WITHIN));
            },
        );
    }
    time(&format!("{name}: fill"), 1, run, |number| {
        cache.fill(cache.moment(), pick(number), one);
    });
    time(&format!("{name}: batch of one key"), 1, run, |number| {
        drop(cache.writing(pick(number)));
    });
    pass(name, cache, &keys, &found);
}

/// All records are answered, then confirmed.
fn pass(name: &str, cache: &RecordCache, keys: &[Key], found: &Record) {
    for key in keys {
        let one = std::slice::from_ref(key);
        cache.fill(cache.moment(), one, std::slice::from_ref(found));
        black_box(cache.get(one, WITHIN));
    }
    let versions = vec![Some(Version(1)); PIECE];
    let (began, mut confirmed) = (now(), 0_usize);
    for due in cache.due(PIECE) {
        confirmed += due.keys().len();
        cache.confirm(due, &versions);
    }
    let took = now().duration_since(began);
    if confirmed > 0 {
        let each = took.as_nanos() / confirmed.max(1) as u128;
        say(&format!("{name}: pass over {confirmed}: {each} ns a key"));
    }
}

/// Calls `work` with scattered numbers on some threads, and prints how long one call took.
fn time(name: &str, threads: u64, run: Duration, work: impl Fn(u64) + Sync) {
    let (stop, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    let began = now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (work, stop, calls) = (&work, &stop, &calls);
            scope.spawn(move || {
                let (mut state, mut count) = (thread + 1, 0);
                while !stop.load(Ordering::Relaxed) {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    work(state);
                    count += 1;
                }
                calls.fetch_add(count, Ordering::Relaxed);
            });
        }
        std::thread::park_timeout(run);
        stop.store(true, Ordering::Relaxed);
    });
    let took = now().duration_since(began).as_nanos() * u128::from(threads);
    let each = took / u128::from(calls.into_inner().max(1));
    say(&format!("{name}, {threads} threads: {each} ns"));
}

fn key(number: u64) -> Key {
    let spread = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Key::from(format!("n/{spread:016x}"))
}

#[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "the figures are the program's output")]
fn say(line: &str) {
    println!("{line}");
}
