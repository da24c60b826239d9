//! The key directory of the crate akd, in memory: how many new entries it publishes a CPU second.
//!
//! usage: `akdbench ENTRIES BATCH`. Publishes ENTRIES, then 5 batches that are measured, and prints
//! `publish: N/s`, by CPU time of the process.

use akd::append_only_zks::AzksParallelismConfig;
use akd::directory::Directory;
use akd::ecvrf::HardCodedAkdVRF;
use akd::storage::StorageManager;
use akd::storage::memory::AsyncInMemoryDatabase;
use akd::{AkdLabel, AkdValue, ExampleLabel, ExperimentalConfiguration};

type Config = ExperimentalConfiguration<ExampleLabel>;

const BATCHES: u64 = 5;

/// User and system time of this process, in seconds; ticks are 10 ms.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
}

fn entry(number: u64) -> (AkdLabel, AkdValue) {
    let mut value = vec![0; 32];
    value[..8].copy_from_slice(&number.to_le_bytes());
    (AkdLabel::from(&format!("user{number:010}")), AkdValue(value))
}

async fn run(entries: u64, batch: u64) {
    let storage = StorageManager::new_no_cache(AsyncInMemoryDatabase::new());
    let vrf = HardCodedAkdVRF {};
    let one = AzksParallelismConfig::disabled();
    let directory = Directory::<Config, _, _>::new(storage, vrf, one).await.unwrap();
    let mut next = 0;
    let mut began = cpu();
    while next < entries + BATCHES * batch {
        if next == entries {
            began = cpu();
        }
        let end = if next < entries { (next + batch).min(entries) } else { next + batch };
        directory.publish((next..end).map(entry).collect()).await.unwrap();
        next = end;
    }
    println!("publish: {:.0}/s", (BATCHES * batch) as f64 / (cpu() - began));
}

fn main() {
    let mut arguments = std::env::args().skip(1).map(|it| it.parse().ok());
    let mut number = || arguments.next().flatten().expect("usage: akdbench ENTRIES BATCH");
    let (entries, batch) = (number(), number());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(entries, batch));
}
