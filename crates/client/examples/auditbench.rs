//! Measures the audit of a log in memory, on one thread.
//!
//! usage: `auditbench [labels] [links a batch]`, by default `200000 1000`. Each label gets one link.

#![expect(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark has a clock and prints"
)]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::time::Instant;

use client::audit::{CheckpointPage, LogSource, verify_log};
use crypto::ed25519::SigningKey;
use crypto::secret::Secret;
use merkle::entry::{EntryKind, LogEntry};
use merkle::map::{MapBatch, PageId};
use merkle::note::{Checkpoint, KeyName, Note, Signature, VerifierKey};
use merkle::range::CompactRange;
use merkle::tile::{TILE_WIDTH, TileId, encode_bundle, grow};
use merkle::{HASH_LEN, Hash, leaf_hash};

const ORIGIN: &str = "bench.test/log";
const PAGE: usize = 256;

struct Log {
    signing: SigningKey,
    key: VerifierKey,
    pages: BTreeMap<PageId, Vec<u8>>,
    entries: Vec<LogEntry>,
    range: CompactRange,
    leaves: Vec<Hash>,
    notes: Vec<Vec<u8>>,
    tiles: BTreeMap<TileId, Vec<u8>>,
    bundles: Vec<Vec<u8>>,
}

impl Log {
    fn new() -> Result<Self, Box<dyn Error>> {
        let signing = SigningKey::from_seed(&Secret::new([1; 32]))?;
        let public = signing.verifying_key();
        Ok(Self {
            key: VerifierKey::ed25519(KeyName::parse(ORIGIN)?, public.as_bytes()),
            signing,
            pages: BTreeMap::new(),
            entries: Vec::new(),
            range: CompactRange::new(),
            leaves: Vec::new(),
            notes: Vec::new(),
            tiles: BTreeMap::new(),
            bundles: Vec::new(),
        })
    }

    fn batch(&mut self, labels: &[u64]) -> Result<(), Box<dyn Error>> {
        let labels: Vec<Hash> = labels
            .iter()
            .map(|at| leaf_hash(&at.to_be_bytes()))
            .collect();
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
        for label in labels {
            batch.set(&label, 1, label)?;
            self.push(LogEntry {
                kind: EntryKind::Link,
                label,
                seqno: 1,
                commitment: label,
                time_ms: 1,
            });
        }
        let change = batch.finish()?;
        self.pages.extend(change.pages);
        self.push(LogEntry::map_head(change.root, 1));
        self.sign();
        Ok(())
    }

    fn push(&mut self, entry: LogEntry) {
        let leaf = leaf_hash(&entry.encode());
        self.entries.push(entry);
        self.leaves.push(leaf);
        self.range.push(leaf);
    }

    fn sign(&mut self) {
        let checkpoint = Checkpoint {
            origin: ORIGIN.into(),
            size: self.range.size(),
            root: self.range.root(),
        };
        let text = checkpoint.to_string();
        let signature = Signature {
            name: self.key.name().clone(),
            id: self.key.id(),
            bytes: self.signing.sign(text.as_bytes()).to_vec(),
        };
        let signatures = vec![signature];
        let note = Note { text, signatures };
        self.notes.push(note.format().into_bytes());
    }

    fn finish(&mut self) -> Result<(), Box<dyn Error>> {
        self.tiles = grow(0, &[], &self.leaves)?.into_iter().collect();
        for entries in self.entries.chunks(TILE_WIDTH.into()) {
            let bundle = encode_bundle(entries.iter().map(LogEntry::encode))?;
            self.bundles.push(bundle);
        }
        Ok(())
    }
}

impl LogSource for Log {
    type Error = Infallible;

    async fn checkpoints(&self, from: u64) -> Result<CheckpointPage, Infallible> {
        // Pages are numbered by place here: nothing asks what `next` means.
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        let notes: Vec<_> = self.notes.iter().skip(from).take(PAGE).cloned().collect();
        let next = from.saturating_add(notes.len());
        let next = (next < self.notes.len()).then_some(next as u64);
        Ok(CheckpointPage { notes, next })
    }

    async fn tile(&self, id: TileId, width: u16) -> Result<Vec<u8>, Infallible> {
        let tile = self.tiles.get(&id).map(Vec::as_slice).unwrap_or_default();
        let bytes = tile.get(..usize::from(width) * HASH_LEN);
        Ok(bytes.unwrap_or_default().to_vec())
    }

    async fn entries(&self, index: u64, _: u16) -> Result<Vec<u8>, Infallible> {
        let bundle = usize::try_from(index)
            .ok()
            .and_then(|at| self.bundles.get(at));
        Ok(bundle.cloned().unwrap_or_default())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse::<u64>());
    let labels = arguments.next().transpose()?.unwrap_or(200_000);
    let batch = arguments.next().transpose()?.unwrap_or(1000);
    let mut log = Log::new()?;
    log.batch(&[])?;
    let all: Vec<u64> = (0..labels).collect();
    for labels in all.chunks(usize::try_from(batch)?.max(1)) {
        log.batch(labels)?;
    }
    log.finish()?;
    let newest = log.notes.last().cloned().unwrap_or_default();
    let start = Instant::now();
    let report = verify_log(&log, &newest, &log.key, |_| ()).await?;
    let seconds = start.elapsed().as_secs_f64();
    let size = report.newest.size;
    println!(
        "{size} entries, {} checkpoints: {seconds:.2} s",
        report.checkpoints
    );
    println!("{:.0} entries a second", size as f64 / seconds);
    let pages = log.pages.iter();
    let bytes: usize = pages
        .map(|(id, page)| size_of_val(id) + 16 + page.len())
        .sum();
    println!(
        "{:.0} bytes of map pages a label",
        bytes as f64 / labels as f64
    );
    Ok(())
}
