//! The log as RFC 6962 section 2.1 defines it, by plain recursion: what the crate is held against.

use std::cell::RefCell;
use std::collections::HashMap;

use merkle::range::CompactRange;
use merkle::tile::NodeId;
use merkle::{Hash, empty_root, leaf_hash, node_hash};

/// A log of leaf hashes with every subtree hash remembered.
pub(crate) struct Model {
    pub(crate) leaves: Vec<Hash>,
    known: RefCell<HashMap<(usize, usize), Hash>>,
}

impl Model {
    pub(crate) fn of(count: usize) -> Self {
        let leaves = (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        Self {
            leaves,
            known: RefCell::default(),
        }
    }

    pub(crate) fn root(&self, size: usize) -> Hash {
        self.mth(0, size)
    }

    /// MTH(D[begin:end]).
    pub(crate) fn mth(&self, begin: usize, end: usize) -> Hash {
        if let Some(hash) = self.known.borrow().get(&(begin, end)) {
            return *hash;
        }
        let hash = match end - begin {
            0 => empty_root(),
            1 => self.leaves[begin],
            count => {
                let split = begin + split(count);
                node_hash(&self.mth(begin, split), &self.mth(split, end))
            }
        };
        self.known.borrow_mut().insert((begin, end), hash);
        hash
    }

    pub(crate) fn node(&self, node: NodeId) -> Hash {
        let begin = usize::try_from(node.index << node.level).unwrap();
        self.mth(begin, begin + (1 << node.level))
    }

    pub(crate) fn nodes(&self, nodes: &[NodeId]) -> Vec<Hash> {
        nodes.iter().map(|node| self.node(*node)).collect()
    }

    /// PATH(m, D[begin:end]).
    pub(crate) fn path(&self, m: usize, begin: usize, end: usize) -> Vec<Hash> {
        if end - begin <= 1 {
            return vec![];
        }
        let k = split(end - begin);
        let (mut path, sibling) = if m < k {
            (self.path(m, begin, begin + k), self.mth(begin + k, end))
        } else {
            (self.path(m - k, begin + k, end), self.mth(begin, begin + k))
        };
        path.push(sibling);
        path
    }

    /// PROOF(m, D[0:n]).
    pub(crate) fn consistency(&self, m: usize, n: usize) -> Vec<Hash> {
        if m == 0 {
            vec![]
        } else {
            self.subproof(m, 0, n, true)
        }
    }

    fn subproof(&self, m: usize, begin: usize, end: usize, known: bool) -> Vec<Hash> {
        if m == end - begin {
            return if known {
                vec![]
            } else {
                vec![self.mth(begin, end)]
            };
        }
        let k = split(end - begin);
        let (mut proof, sibling) = if m <= k {
            (
                self.subproof(m, begin, begin + k, known),
                self.mth(begin + k, end),
            )
        } else {
            (
                self.subproof(m - k, begin + k, end, false),
                self.mth(begin, begin + k),
            )
        };
        proof.push(sibling);
        proof
    }

    pub(crate) fn range(&self, size: usize) -> CompactRange {
        let mut range = CompactRange::new();
        self.leaves[..size]
            .iter()
            .for_each(|leaf| range.push(*leaf));
        range
    }
}

/// The largest power of two smaller than `count`.
fn split(count: usize) -> usize {
    let mut k = 1;
    while 2 * k < count {
        k *= 2;
    }
    k
}
