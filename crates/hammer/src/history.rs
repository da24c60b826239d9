//! Every checkpoint that was ever seen, over all restarts, and what they must never show.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use merkle::Hash;
use merkle::note::Checkpoint;
use merkle::proof::{ConsistencyPlan, verify_consistency};

use crate::tiles::Tiles;

/// The checkpoints of one log, as one or more processes have shown them.
#[derive(Default)]
pub(crate) struct History {
    roots: BTreeMap<u64, Hash>,
    /// The largest size each process has shown.
    newest: BTreeMap<usize, u64>,
    /// Neighbours of which the first is proven to be a prefix of the second.
    proven: BTreeSet<(u64, u64)>,
    faults: Vec<String>,
}

impl History {
    /// Notes a checkpoint of one process, whose signature was verified.
    pub(crate) fn note(&mut self, process: usize, checkpoint: &Checkpoint) {
        let Checkpoint { size, root, .. } = checkpoint;
        self.root(*size, *root);
        let newest = self.newest.entry(process).or_default();
        if *size < *newest {
            let what = format!("size {size} was published after size {newest}");
            self.faults.push(what);
        }
        *newest = (*newest).max(*size);
    }

    fn root(&mut self, size: u64, root: Hash) {
        let before = self.roots.insert(size, root);
        if let Some(before) = before.filter(|before| *before != root) {
            let what = format!("two roots for size {size}: {before} and {root}");
            self.faults.push(what);
        }
    }

    /// Checks each pair of neighbours not yet checked. The hashes come from the tiles of the log as
    /// it is now.
    pub(crate) async fn prove(&mut self, tiles: &mut Tiles<'_>) -> Result<u64> {
        let mut proven = 0;
        for pair in self.unproven() {
            let fault = pair.prove(tiles).await?;
            self.settle(&pair, fault);
            proven += 1;
        }
        Ok(proven)
    }

    /// The pairs of neighbours not yet checked.
    pub(crate) fn unproven(&self) -> Vec<Pair> {
        let known = self.roots.iter().map(|(size, root)| (*size, *root));
        let pairs = known.clone().zip(known.skip(1));
        let pairs = pairs.map(|(first, second)| Pair { first, second });
        pairs
            .filter(|pair| !self.proven.contains(&pair.sizes()))
            .collect()
    }

    /// Notes what came of checking a pair.
    pub(crate) fn settle(&mut self, pair: &Pair, fault: Option<String>) {
        self.proven.insert(pair.sizes());
        self.faults.extend(fault);
    }

    /// How many different sizes were seen.
    pub(crate) fn count(&self) -> usize {
        self.roots.len()
    }

    /// What was wrong since the last time this was asked.
    pub(crate) fn take_faults(&mut self) -> Vec<String> {
        std::mem::take(&mut self.faults)
    }
}

/// Two roots: the smaller log must be a prefix of the larger one.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    first: (u64, Hash),
    second: (u64, Hash),
}

impl Pair {
    fn sizes(&self) -> (u64, u64) {
        (self.first.0, self.second.0)
    }

    /// Checks the pair; answers what is wrong with it.
    ///
    /// # Errors
    /// When the tiles cannot be had.
    pub(crate) async fn prove(&self, tiles: &mut Tiles<'_>) -> Result<Option<String>> {
        let plan = ConsistencyPlan::new(self.first.0, self.second.0).context("plan a proof")?;
        let hashes = tiles.nodes(plan.nodes()).await?;
        Ok(self.fault(&plan, &hashes))
    }

    fn fault(&self, plan: &ConsistencyPlan, hashes: &[Hash]) -> Option<String> {
        let ((first, first_root), (second, second_root)) = (self.first, self.second);
        let proof = plan.finish(hashes);
        let verified = proof
            .and_then(|proof| verify_consistency(first, second, &first_root, &second_root, &proof));
        let error = verified.err()?;
        let what = "is no prefix of that of";
        Some(format!(
            "the log of {first} entries {what} {second}: {error}"
        ))
    }
}

#[cfg(test)]
mod tests {
    use merkle::leaf_hash;
    use merkle::range::CompactRange;

    use super::*;

    fn checkpoint(size: u64, root: Hash) -> Checkpoint {
        Checkpoint {
            origin: "test".to_owned(),
            size,
            root,
        }
    }

    fn leaf(at: u64) -> Hash {
        leaf_hash(&at.to_be_bytes())
    }

    fn root(size: u64) -> Hash {
        let mut range = CompactRange::new();
        (0..size).for_each(|at| range.push(leaf(at)));
        range.root()
    }

    #[test]
    fn a_growing_log_has_no_faults() {
        let mut history = History::default();
        for size in [1, 3, 3, 9] {
            history.note(0, &checkpoint(size, root(size)));
            // Another process may be behind.
            history.note(1, &checkpoint(1, root(1)));
        }
        assert_eq!(history.take_faults(), [""; 0]);
        assert_eq!(history.count(), 3);
    }

    #[test]
    fn a_planted_fork_is_caught() {
        let mut history = History::default();
        history.note(0, &checkpoint(3, root(3)));
        history.note(1, &checkpoint(3, root(4)));
        let faults = history.take_faults();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("two roots for size 3"));
    }

    #[test]
    fn a_planted_step_back_is_caught() {
        let mut history = History::default();
        history.note(1, &checkpoint(9, root(9)));
        history.note(1, &checkpoint(8, root(8)));
        assert_eq!(history.take_faults(), ["size 8 was published after size 9"]);
    }

    #[test]
    fn a_planted_rewrite_is_caught() {
        let plan = ConsistencyPlan::new(3, 4).unwrap();
        let hash = |level: u8, index: u64| match level {
            0 => leaf(index),
            _ => merkle::node_hash(&leaf(2 * index), &leaf(2 * index + 1)),
        };
        let hashes: Vec<Hash> = plan
            .nodes()
            .iter()
            .map(|node| hash(node.level, node.index))
            .collect();
        let pair = |second| Pair {
            first: (3, root(3)),
            second: (4, second),
        };
        assert_eq!(pair(root(4)).fault(&plan, &hashes), None);
        let mut other = CompactRange::new();
        [7, 1, 2, 3].into_iter().for_each(|at| other.push(leaf(at)));
        assert!(pair(other.root()).fault(&plan, &hashes).is_some());
    }

    #[test]
    fn a_root_that_is_seen_late_is_proven_too() {
        let mut history = History::default();
        let sizes = |history: &History| -> Vec<(u64, u64)> {
            history.unproven().iter().map(Pair::sizes).collect()
        };
        history.note(0, &checkpoint(3, root(3)));
        history.note(0, &checkpoint(9, root(9)));
        assert_eq!(sizes(&history), [(3, 9)]);
        for pair in history.unproven() {
            history.settle(&pair, None);
        }
        assert_eq!(sizes(&history), []);
        history.note(1, &checkpoint(5, root(5)));
        assert_eq!(sizes(&history), [(3, 5), (5, 9)]);
    }
}
