//! Measures the prefix map with all pages in memory, on one thread, in processor time.
//!
//! usage: `mapbench [sizes] [batch sizes] [entries]`, lists with commas; by default
//! `10000,100000,1000000 1,100,1000,10000 5`, the last being batches measured per line. Small
//! batches are repeated up to a tenth of the size. Every line starts from the same map.

#![expect(clippy::print_stdout, reason = "a benchmark prints its results")]

use std::collections::HashMap;
use std::time::Instant;

use merkle::map::{MapBatch, MapError, MapReader, PageId};
use merkle::{Hash, leaf_hash};

const ENTRIES_MAX: u64 = 20_000;
const PROOFS: u64 = 20_000;

#[derive(Clone, Default)]
struct Bench {
    pages: HashMap<PageId, Vec<u8>>,
    root: Hash,
    leaves: u64,
}

impl Bench {
    /// Appends `count` new leaves as one batch, the way a sequencer does.
    fn append(&mut self, count: u64) -> Result<(), MapError> {
        let labels: Vec<Hash> = (self.leaves..self.leaves + count).map(label).collect();
        self.leaves += count;
        let mut batch = MapBatch::load(labels.clone());
        loop {
            let wanted = batch.wanted();
            if wanted.is_empty() {
                break;
            }
            for id in wanted {
                batch.supply(id, self.pages.get(&id).map(Vec::as_slice))?;
            }
        }
        for label in &labels {
            let seqno = batch.current(label).map_or(1, |leaf| leaf.seqno + 1);
            batch.set(label, seqno, Hash([7; 32]))?;
        }
        let change = batch.finish()?;
        self.root = change.root;
        self.pages.extend(change.pages);
        Ok(())
    }

    fn grow_to(&mut self, size: u64) -> Result<(), MapError> {
        while self.leaves < size {
            self.append((size - self.leaves).min(10_000))?;
        }
        Ok(())
    }

    fn measure_batches(&mut self, size: u64, batch: u64, rounds: u64) -> Result<(), MapError> {
        let rounds = rounds.max(ENTRIES_MAX.min(size / 10) / batch);
        let watch = Stopwatch::start();
        for _ in 0..rounds {
            self.append(batch)?;
        }
        let seconds = watch.seconds();
        let entries = (rounds * batch) as f64;
        let (rate, cost) = (entries / seconds, seconds * 1e6 / entries);
        println!("map n={size} batch={batch}: {rate:.0}/s {cost:.2} us cpu/entry");
        Ok(())
    }

    fn measure_proofs(&self, size: u64) -> Result<(), Box<dyn std::error::Error>> {
        let labels: Vec<Hash> = (0..PROOFS).map(|i| label(i * 7919 % self.leaves)).collect();
        let watch = Stopwatch::start();
        let proofs: Vec<Vec<u8>> = labels
            .iter()
            .map(|label| self.prove(*label))
            .collect::<Result<_, _>>()?;
        let made = watch.seconds();
        let watch = Stopwatch::start();
        for (label, bytes) in labels.iter().zip(&proofs) {
            let proof = merkle::map::MapProof::decode(bytes)?;
            assert!(
                proof.verify(label, &self.root)?.is_some(),
                "the label is in the map"
            );
        }
        let verified = watch.seconds();
        let bytes = proofs.iter().map(Vec::len).sum::<usize>() as u64 / PROOFS;
        let longest = proofs.iter().map(Vec::len).max().unwrap_or_default();
        let per_proof = 1e6 / PROOFS as f64;
        println!(
            "map n={size} proof: {bytes} B, at most {longest} B, make {:.2} us, verify {:.2} us",
            made * per_proof,
            verified * per_proof
        );
        let stored: usize = self
            .pages
            .iter()
            .map(|(id, page)| id.key().len() + page.len())
            .sum();
        println!(
            "map n={} pages: {}, {} B stored per leaf",
            self.leaves,
            self.pages.len(),
            stored as u64 / self.leaves
        );
        Ok(())
    }

    fn prove(&self, label: Hash) -> Result<Vec<u8>, MapError> {
        let mut reader = MapReader::new(label);
        loop {
            let wanted = reader.wanted();
            if wanted.is_empty() {
                return Ok(reader.proof()?.encode());
            }
            for id in wanted {
                reader.supply(id, self.pages.get(&id).map(Vec::as_slice))?;
            }
        }
    }
}

/// Time this thread has used: of the processor where the system tells it, else of the clock.
struct Stopwatch {
    began: Instant,
    used_ns: Option<u64>,
}

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures time")]
    fn start() -> Self {
        Self {
            began: Instant::now(),
            used_ns: used_ns(),
        }
    }

    fn seconds(&self) -> f64 {
        match (self.used_ns, used_ns()) {
            (Some(before), Some(after)) => after.saturating_sub(before) as f64 * 1e-9,
            _ => self.began.elapsed().as_secs_f64(),
        }
    }
}

/// The first number of Linux's `schedstat` is the nanoseconds spent on a processor.
fn used_ns() -> Option<u64> {
    // The scheduler accounts at ticks and switches; giving way once brings the number up to date.
    std::thread::yield_now();
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    stat.split_whitespace().next()?.parse().ok()
}

fn label(n: u64) -> Hash {
    leaf_hash(&n.to_le_bytes())
}

fn numbers(text: &str) -> Result<Vec<u64>, std::num::ParseIntError> {
    text.split(',').map(str::parse).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |at: usize, default: &'static str| args.get(at).map_or(default, String::as_str);
    let batches = numbers(arg(1, "1,100,1000,10000"))?;
    let rounds = arg(2, "5").parse()?;
    for size in numbers(arg(0, "10000,100000,1000000"))? {
        let mut bench = Bench::default();
        bench.grow_to(size)?;
        for batch in &batches {
            bench.clone().measure_batches(size, *batch, rounds)?;
        }
        bench.measure_proofs(size)?;
    }
    Ok(())
}
