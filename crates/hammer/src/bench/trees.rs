//! B6 and B7: log and map in memory, in this process, beside `merklelimit`.

use std::collections::HashMap;
use std::hint::black_box;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use merkle::entry::{EntryKind, LogEntry};
use merkle::map::{MapBatch, MapProof, MapReader, PageId};
use merkle::proof::{InclusionPlan, verify_inclusion};
use merkle::range::CompactRange;
use merkle::tile::{TileId, grow, node_in_tile, tile_of, tiles_to_load};
use merkle::{Hash, leaf_hash};

use super::Bed;
use super::line::{Line, Target};
use crate::clock::thread_cpu;
use crate::stats::{median, percentile};

/// Entries a batch, as a busy sequencer takes them.
const BATCH: u64 = 1000;
/// Batches measured in a round.
const BATCHES: u64 = 20;
const PROOFS: u64 = 2_000;
/// Entries that akd is measured with at most: it takes 4 KB of memory for each.
const AKD_MOST: u64 = 100_000;

/// What the sequencer keeps, with all pages and tiles in memory.
#[derive(Default)]
struct Trees {
    pages: HashMap<PageId, Vec<u8>>,
    map_root: Hash,
    tiles: HashMap<TileId, Vec<u8>>,
    /// The log without its last entry, as the server keeps it in its head.
    before: CompactRange,
    range: CompactRange,
    labels: u64,
}

impl Trees {
    /// One batch of new labels: map, entries, tiles, log root.
    fn append(&mut self, count: u64) -> Result<()> {
        let labels: Vec<Hash> = (self.labels..self.labels + count).map(label).collect();
        self.labels += count;
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
        let mut leaves = Vec::with_capacity(labels.len() + 1);
        for label in labels {
            let entry = LogEntry {
                kind: EntryKind::Link,
                label,
                seqno: batch.current(&label).map_or(0, |leaf| leaf.seqno) + 1,
                commitment: Hash([7; 32]),
                time_ms: self.labels,
            };
            batch.set(&label, entry.seqno, entry.commitment)?;
            leaves.push(leaf_hash(&entry.encode()));
        }
        let change = batch.finish()?;
        self.map_root = change.root;
        self.pages.extend(change.pages);
        leaves.push(leaf_hash(
            &LogEntry::map_head(change.root, self.labels).encode(),
        ));
        let size = self.range.size();
        let edge: Vec<(TileId, Vec<u8>)> = tiles_to_load(size)
            .into_iter()
            .filter_map(|id| Some((id, self.tiles.get(&id)?.clone())))
            .collect();
        self.tiles.extend(grow(size, &edge, &leaves)?);
        for leaf in leaves {
            self.before.clone_from(&self.range);
            self.range.push(leaf);
        }
        black_box(self.range.root());
        Ok(())
    }

    fn map_proof(&self, label: Hash) -> Result<Vec<u8>> {
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

    /// The audit path of the last entry, the map head, which is the one a bundle needs.
    fn map_entry_path(&self) -> Vec<Hash> {
        self.before.hashes().iter().rev().copied().collect()
    }

    /// The audit path of any entry, from the tiles.
    fn inclusion(&self, index: u64) -> Result<Vec<Hash>> {
        let plan = InclusionPlan::new(index, self.range.size())?;
        let hashes: Option<Vec<Hash>> = plan
            .nodes()
            .iter()
            .map(|node| node_in_tile(self.tiles.get(&tile_of(*node).0)?, *node))
            .collect();
        Ok(plan.finish(&hashes.context("a tile is missing")?)?)
    }
}

/// Rounds of ours and of `merklelimit` in turn, then the proofs.
pub(super) fn measure(bed: &Bed) -> Result<Vec<Line>> {
    let names = bed.population.names;
    let mut trees = Trees::default();
    while trees.labels < names {
        trees.append(BATCH.min(names - trees.labels))?;
    }
    let mut ours = Vec::new();
    let mut limits = Vec::new();
    for round in 0..bed.rounds {
        bed.output.progress(&format!("B6, round {}", round + 1));
        limits.push(limit(bed, names)?);
        let began = thread_cpu();
        for _ in 0..BATCHES {
            trees.append(BATCH)?;
        }
        ours.push(per_second(
            BATCH * BATCHES,
            thread_cpu().saturating_sub(began),
        ));
    }
    let akd = akd(bed, names.min(AKD_MOST))?;
    let mut lines = vec![
        Line {
            id: "B6",
            what: format!(
                "log and map in memory at {names}, batches of {BATCH}, entries a CPU second"
            ),
            ours: median(&ours),
            unit: "/s",
            yardstick: Some(("merklelimit".to_owned(), median(&limits))),
            target: Some(Target::AtLeast(0.25)),
            note: "the yardstick has no log, no pages and no entries to encode".to_owned(),
        },
        Line {
            id: "B6",
            what: "the same".to_owned(),
            ours: median(&ours),
            unit: "/s",
            yardstick: Some((format!("akd at {}", names.min(AKD_MOST)), akd)),
            target: Some(Target::AtLeast(5.0)),
            note: "akd hides its labels by a VRF, which is most of its time".to_owned(),
        },
    ];
    lines.extend(proofs(&trees)?);
    Ok(lines)
}

fn proofs(trees: &Trees) -> Result<Vec<Line>> {
    let asked: Vec<u64> = (0..PROOFS).map(|i| i * 7919 % trees.labels).collect();
    let began = thread_cpu();
    let maps: Vec<Vec<u8>> = asked
        .iter()
        .map(|number| trees.map_proof(label(*number)))
        .collect::<Result<_>>()?;
    let map_us = us_each(thread_cpu().saturating_sub(began));
    let began = thread_cpu();
    let paths: Vec<Vec<Hash>> = asked.iter().map(|_| trees.map_entry_path()).collect();
    let path_us = us_each(thread_cpu().saturating_sub(began));
    let began = thread_cpu();
    for number in &asked {
        black_box(trees.inclusion(*number)?);
    }
    let tiles_us = us_each(thread_cpu().saturating_sub(began));
    let size = trees.range.size();
    let root = trees.range.root();
    let leaf = leaf_of_last(trees)?;
    let last = trees.map_entry_path();
    ensure!(last == trees.inclusion(size - 1)?, "two paths of one entry");
    let began = thread_cpu();
    for (number, map) in asked.iter().zip(&maps) {
        let proven = MapProof::decode(map)?.verify(&label(*number), &trees.map_root)?;
        ensure!(proven.is_some(), "a label is not in the map");
        verify_inclusion(size - 1, size, &leaf, &last, &root)?;
    }
    let verify = us_each(thread_cpu().saturating_sub(began));
    let sizes: Vec<f64> = maps.iter().zip(&paths).map(proof_bytes).collect();
    let line = |what: &str, ours, unit, most, note: &str| Line {
        id: "B7",
        what: format!("map and inclusion proof at {}, {what}", trees.labels),
        ours,
        unit,
        yardstick: None,
        target: Some(Target::AtMost(most)),
        note: note.to_owned(),
    };
    Ok(vec![
        line(
            "CPU to make",
            map_us + path_us,
            "us",
            50.0,
            &format!(
                "map path {map_us:.1} us, the map head's audit path {path_us:.2} us; that of any \
                 other entry, from tiles, {tiles_us:.1} us"
            ),
        ),
        line(
            "size",
            median(&sizes),
            "B",
            1200.0,
            &format!(
                "binary, median; at most {:.0} B",
                percentile(&sizes, 1.0).unwrap_or(0.0)
            ),
        ),
        line(
            "CPU to verify",
            verify,
            "us",
            100.0,
            "without the checkpoint's signature",
        ),
    ])
}

fn proof_bytes((map, path): (&Vec<u8>, &Vec<Hash>)) -> f64 {
    let bytes = map.len() + path.len() * merkle::HASH_LEN;
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// The leaf hash of the last entry, a map head.
fn leaf_of_last(trees: &Trees) -> Result<Hash> {
    let last = trees.range.size() - 1;
    let node = merkle::tile::NodeId {
        level: 0,
        index: last,
    };
    let tile = trees.tiles.get(&tile_of(node).0).context("the last tile")?;
    node_in_tile(tile, node).context("the last leaf")
}

/// Entries per CPU second of the yardstick, on this programme's core.
fn limit(bed: &Bed, size: u64) -> Result<f64> {
    let output = Command::new(bed.yardstick("merklelimit")?)
        .args([size.to_string(), BATCH.to_string()])
        .output()
        .context("run merklelimit")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    limit_in(&text).with_context(|| format!("merklelimit printed {text:?}"))
}

/// The rate in its first line about SHA-256.
fn limit_in(text: &str) -> Option<f64> {
    let line = text
        .lines()
        .find(|line| line.to_ascii_lowercase().contains("sha256") && line.contains("batch="))?;
    let (_, after) = line.split_once(": ")?;
    after.split_once("/s")?.0.trim().parse().ok()
}

/// Entries per CPU second of the crate akd, in memory, on this programme's core.
fn akd(bed: &Bed, names: u64) -> Result<f64> {
    bed.output.progress("B6, akd");
    let output = Command::new(bed.yardstick("akdbench")?)
        .args([names.to_string(), BATCH.to_string()])
        .output()
        .context("run akdbench")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rate = text.lines().find_map(|line| line.strip_prefix("publish: "));
    let rate = rate.and_then(|rest| rest.split_once("/s")?.0.trim().parse().ok());
    rate.with_context(|| format!("akdbench printed {text:?}"))
}

fn label(number: u64) -> Hash {
    leaf_hash(&number.to_le_bytes())
}

fn per_second(count: u64, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX)) / time.as_secs_f64()
}

fn us_each(time: Duration) -> f64 {
    1e6 / per_second(PROOFS, time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trees_grow_and_prove() {
        let mut trees = Trees::default();
        for _ in 0..4 {
            trees.append(300).unwrap();
        }
        let lines = proofs(&trees).unwrap();
        assert_eq!(lines.len(), 3);
        assert!(lines.iter().all(|line| line.ours > 0.0), "{lines:?}");
    }

    #[test]
    fn the_yardsticks_line_is_found() {
        let text = "prefix tree Sha256 n=9 batch=1: 374123/s  2.67 us cpu/entry\nother";
        assert_eq!(limit_in(text), Some(374_123.0));
        assert_eq!(limit_in("nothing"), None);
    }
}
