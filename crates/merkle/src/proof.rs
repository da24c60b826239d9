//! Inclusion and consistency proofs of the log: RFC 6962 shapes, RFC 9162 verification.
//!
//! Making a proof is split so that the caller can fetch hashes as it likes: a plan names the
//! complete subtrees it needs ([`InclusionPlan::nodes`]), and `finish` joins their hashes.

use alloc::vec::Vec;
use core::fmt;

use crate::range::{cover, fold};
use crate::tile::NodeId;
use crate::{Hash, SIZE_MAX, empty_root, node_hash};

/// Why a proof cannot be made, read or believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// An index or size that no such tree has, or sizes in the wrong order.
    OutOfRange,
    /// Too few or too many hashes.
    WrongLength,
    /// The hashes do not lead to the given root.
    RootMismatch,
    /// A map proof of absence names a leaf that says nothing about the label.
    WrongLeaf,
    /// The bytes are not the one encoding of any proof.
    Malformed,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::OutOfRange => "index or size out of range",
            Self::WrongLength => "wrong number of hashes",
            Self::RootMismatch => "the proof does not lead to the root",
            Self::WrongLeaf => "the leaf does not prove absence of the label",
            Self::Malformed => "malformed proof",
        })
    }
}

impl core::error::Error for ProofError {}

/// What is needed to prove that a leaf stands in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionPlan(Plan);

/// What is needed to prove that one tree is a prefix of another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyPlan(Plan);

impl InclusionPlan {
    /// Plans the proof that leaf `index` (from 0) stands in the tree of `size` leaves.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] unless `index < size <= SIZE_MAX`.
    pub fn new(index: u64, size: u64) -> Result<Self, ProofError> {
        if index >= size || size > SIZE_MAX {
            return Err(ProofError::OutOfRange);
        }
        let mut plan = Plan::default();
        let (mut begin, mut end) = (0, size);
        while end - begin > 1 {
            let split = begin + split_of(end - begin);
            if index < split {
                plan.add_above(split, end);
                end = split;
            } else {
                plan.add_above(begin, split);
                begin = split;
            }
        }
        Ok(Self(plan.lowest_first()))
    }

    /// The complete subtrees whose hashes [`Self::finish`] takes, in its order: below 128.
    pub fn nodes(&self) -> &[NodeId] {
        &self.0.nodes
    }

    /// The audit path, from the leaf's sibling to the root's child: at most 63 hashes.
    ///
    /// # Errors
    /// [`ProofError::WrongLength`] unless there is one hash per node of [`Self::nodes`].
    pub fn finish(&self, hashes: &[Hash]) -> Result<Vec<Hash>, ProofError> {
        self.0.finish(hashes)
    }
}

impl ConsistencyPlan {
    /// Plans the proof that the first `first` of `second` leaves make up the older tree.
    ///
    /// `first` of 0 or equal to `second` needs no node and finishes as the empty proof.
    ///
    /// # Errors
    /// [`ProofError::OutOfRange`] unless `first <= second <= SIZE_MAX`.
    pub fn new(first: u64, second: u64) -> Result<Self, ProofError> {
        if first > second || second > SIZE_MAX {
            return Err(ProofError::OutOfRange);
        }
        let mut plan = Plan::default();
        if first == 0 || first == second {
            return Ok(Self(plan));
        }
        let (mut begin, mut end) = (0, second);
        while first < end {
            let split = begin + split_of(end - begin);
            if first <= split {
                plan.add_above(split, end);
                end = split;
            } else {
                plan.add_above(begin, split);
                begin = split;
            }
        }
        // A subtree that starts at the left edge is the whole older tree, whose root is known.
        if begin > 0 {
            plan.add_above(begin, end);
        }
        Ok(Self(plan.lowest_first()))
    }

    /// The complete subtrees whose hashes [`Self::finish`] takes, in its order: below 192.
    pub fn nodes(&self) -> &[NodeId] {
        &self.0.nodes
    }

    /// The consistency proof in RFC 6962 order: at most 64 hashes.
    ///
    /// # Errors
    /// [`ProofError::WrongLength`] unless there is one hash per node of [`Self::nodes`].
    pub fn finish(&self, hashes: &[Hash]) -> Result<Vec<Hash>, ProofError> {
        self.0.finish(hashes)
    }
}

/// Checks that `leaf` is leaf `index` of the tree of `size` leaves with this root.
///
/// # Errors
/// [`ProofError::OutOfRange`], [`ProofError::WrongLength`] (a path has one exact length for an
/// index and size) or [`ProofError::RootMismatch`].
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    path: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size || size > SIZE_MAX {
        return Err(ProofError::OutOfRange);
    }
    let mut walk = Walk {
        node: index,
        last: size - 1,
    };
    let mut hash = *leaf;
    for sibling in path {
        hash = match walk.step()? {
            Side::Left => node_hash(sibling, &hash),
            Side::Right => node_hash(&hash, sibling),
        };
    }
    walk.end()?;
    same_root(&hash, root)
}

/// Checks that the tree of `first` leaves is a prefix of the tree of `second` leaves.
///
/// Equal sizes take an empty proof and equal roots. A `first` of 0 takes an empty proof, as in the
/// RFC every tree extends the empty one, and its root must be [`empty_root`].
///
/// # Errors
/// [`ProofError::OutOfRange`], [`ProofError::WrongLength`] or [`ProofError::RootMismatch`].
pub fn verify_consistency(
    first: u64,
    second: u64,
    first_root: &Hash,
    second_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if first > second || second > SIZE_MAX {
        return Err(ProofError::OutOfRange);
    }
    if first == 0 || first == second {
        return verify_trivial(first, second, first_root, second_root, proof);
    }
    // A complete older tree is itself the subtree both folds begin with.
    let (start, rest) = if first.is_power_of_two() {
        (first_root, proof)
    } else {
        proof.split_first().ok_or(ProofError::WrongLength)?
    };
    let complete = (first - 1).trailing_ones();
    let mut walk = Walk {
        node: (first - 1) >> complete,
        last: (second - 1) >> complete,
    };
    let (mut old, mut new) = (*start, *start);
    for sibling in rest {
        match walk.step()? {
            Side::Left => {
                old = node_hash(sibling, &old);
                new = node_hash(sibling, &new);
            }
            Side::Right => new = node_hash(&new, sibling),
        }
    }
    walk.end()?;
    same_root(&old, first_root)?;
    same_root(&new, second_root)
}

fn verify_trivial(
    first: u64,
    second: u64,
    first_root: &Hash,
    second_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if !proof.is_empty() {
        return Err(ProofError::WrongLength);
    }
    if first == 0 {
        same_root(first_root, &empty_root())?;
    }
    if first == second {
        same_root(first_root, second_root)
    } else {
        Ok(())
    }
}

fn same_root(computed: &Hash, root: &Hash) -> Result<(), ProofError> {
    if computed == root {
        Ok(())
    } else {
        Err(ProofError::RootMismatch)
    }
}

/// The largest power of two below `len`, for a `len` of at least 2.
fn split_of(len: u64) -> u64 {
    1 << (u64::BITS - 1 - (len - 1).leading_zeros())
}

/// On which side of the running hash the next proof hash stands.
enum Side {
    Left,
    Right,
}

/// The climb from a node to the root (`fn` and `sn` of RFC 9162): `last` is the last node of the
/// level, and a node that is last and even has no sibling, so it climbs without using a hash.
struct Walk {
    node: u64,
    last: u64,
}

impl Walk {
    fn step(&mut self) -> Result<Side, ProofError> {
        if self.last == 0 {
            return Err(ProofError::WrongLength);
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            if self.node & 1 == 0 {
                let lonely = self.node.trailing_zeros().min(u64::BITS - 1);
                self.node >>= lonely;
                self.last >>= lonely;
            }
            Side::Left
        } else {
            Side::Right
        };
        self.node >>= 1;
        self.last >>= 1;
        Ok(side)
    }

    fn end(&self) -> Result<(), ProofError> {
        if self.last == 0 {
            Ok(())
        } else {
            Err(ProofError::WrongLength)
        }
    }
}

/// The nodes to fetch, in groups: the nodes of one group fold into one hash of the proof.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Plan {
    nodes: Vec<NodeId>,
    groups: Vec<usize>,
}

impl Plan {
    /// Adds the subtree over the leaves `begin..end` above all that is added later.
    fn add_above(&mut self, begin: u64, end: u64) {
        let before = self.nodes.len();
        self.nodes.extend(cover(begin, end - begin));
        // Reversed twice in the end: within its group, and with the whole list.
        if let Some(group) = self.nodes.get_mut(before..) {
            group.reverse();
        }
        self.groups.push(self.nodes.len() - before);
    }

    fn lowest_first(mut self) -> Self {
        self.nodes.reverse();
        self.groups.reverse();
        self
    }

    fn finish(&self, hashes: &[Hash]) -> Result<Vec<Hash>, ProofError> {
        if hashes.len() != self.nodes.len() {
            return Err(ProofError::WrongLength);
        }
        let mut rest = hashes;
        let mut proof = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let (here, after) = rest
                .split_at_checked(*group)
                .ok_or(ProofError::WrongLength)?;
            proof.extend(fold(here));
            rest = after;
        }
        Ok(proof)
    }
}
