//! Every checkpoint that was ever seen, over all restarts, and what they must never show.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use merkle::Hash;
use merkle::note::Checkpoint;
use merkle::proof::{ConsistencyPlan, verify_consistency};

use crate::tiles::Tiles;

/// The checkpoints of one log, in the order in which they were seen.
#[derive(Default)]
pub(crate) struct History {
    roots: BTreeMap<u64, Hash>,
    newest: u64,
    /// Sizes up to this one are proven to be prefixes of each other.
    proven: u64,
    faults: Vec<String>,
}

impl History {
    /// Notes a checkpoint whose signature was verified.
    pub(crate) fn note(&mut self, checkpoint: &Checkpoint) {
        let Checkpoint { size, root, .. } = checkpoint;
        match self.roots.insert(*size, *root) {
            Some(before) if before != *root => self
                .faults
                .push(format!("two roots for size {size}: {before} and {root}")),
            Some(_) | None => {}
        }
        if *size < self.newest {
            self.faults.push(format!(
                "size {size} was published after size {}",
                self.newest
            ));
        }
        self.newest = self.newest.max(*size);
    }

    /// Checks, for each pair of neighbours not yet checked, that the smaller log is a prefix of
    /// the larger one. The hashes come from the tiles of the log as it is now.
    pub(crate) async fn prove(&mut self, tiles: &mut Tiles<'_>) -> Result<u64> {
        let known: Vec<(u64, Hash)> = self
            .roots
            .range(self.proven..)
            .map(|(size, root)| (*size, *root))
            .collect();
        let mut pairs = 0;
        for (first, second) in known.iter().zip(known.iter().skip(1)) {
            let plan = ConsistencyPlan::new(first.0, second.0).context("plan a proof")?;
            let hashes = tiles.nodes(plan.nodes()).await?;
            self.check_pair(&plan, &hashes, *first, *second);
            pairs += 1;
        }
        self.proven = self.newest;
        Ok(pairs)
    }

    fn check_pair(
        &mut self,
        plan: &ConsistencyPlan,
        hashes: &[Hash],
        first: (u64, Hash),
        second: (u64, Hash),
    ) {
        let proof = plan.finish(hashes);
        let verified = proof
            .and_then(|proof| verify_consistency(first.0, second.0, &first.1, &second.1, &proof));
        if let Err(error) = verified {
            self.faults.push(format!(
                "the log of {} entries is no prefix of that of {}: {error}",
                first.0, second.0
            ));
        }
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
            history.note(&checkpoint(size, root(size)));
        }
        assert_eq!(history.take_faults(), [""; 0]);
        assert_eq!(history.count(), 3);
    }

    #[test]
    fn a_planted_fork_is_caught() {
        let mut history = History::default();
        history.note(&checkpoint(3, root(3)));
        history.note(&checkpoint(3, root(4)));
        let faults = history.take_faults();
        assert_eq!(faults.len(), 1);
        assert!(faults[0].starts_with("two roots for size 3"));
    }

    #[test]
    fn a_planted_step_back_is_caught() {
        let mut history = History::default();
        history.note(&checkpoint(9, root(9)));
        history.note(&checkpoint(8, root(8)));
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
        let mut history = History::default();
        history.check_pair(&plan, &hashes, (3, root(3)), (4, root(4)));
        assert_eq!(history.take_faults(), [""; 0]);
        let mut other = CompactRange::new();
        [7, 1, 2, 3].into_iter().for_each(|at| other.push(leaf(at)));
        history.check_pair(&plan, &hashes, (3, root(3)), (4, other.root()));
        assert_eq!(history.take_faults().len(), 1);
    }
}
