//! Data as Arweave cuts it: into chunks, each with a path to the root of a tree over all.
//!
//! ```text
//! leaf    H(H(H(chunk)) ‖ H(end))
//! branch  H(H(left) ‖ H(right) ‖ H(end of left))
//! path    for each branch from the root: left ‖ right ‖ end of left; then H(chunk) ‖ end
//! ```
//!
//! H is SHA-256. An end is the number of bytes before the end of a chunk, 32 bytes big-endian.

use std::ops::Range;

use crypto::token::sha256;

/// Most bytes of a chunk.
pub(super) const CHUNK_BYTES_MAX: usize = 256 << 10;
/// Fewest, unless it is alone: a shorter rest shares with the chunk before it.
const CHUNK_BYTES_MIN: usize = 32 << 10;

/// A tree over some data.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunks {
    /// What a transaction names.
    pub(super) root: [u8; 32],
    /// In order; none is empty.
    pub(super) chunks: Vec<Chunk>,
}

/// A chunk.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Chunk {
    pub(super) range: Range<usize>,
    /// From the root to it.
    pub(super) path: Vec<u8>,
}

/// A node, and which leaves are below it.
struct Node {
    id: [u8; 32],
    end: usize,
    leaves: Range<usize>,
}

impl Chunks {
    /// Cuts data that is not empty.
    pub(super) fn of(data: &[u8]) -> Self {
        let ranges = ranges(data.len());
        let hashes = ranges.iter().map(|range| {
            let chunk = data.get(range.clone()).unwrap_or_default();
            sha256(chunk)
        });
        let hashes: Vec<_> = hashes.collect();
        let leaf = |(index, (range, hash)): (usize, (&Range<usize>, &[u8; 32]))| Node {
            id: digest(&[hash, &number(range.end)]),
            end: range.end,
            leaves: index..index.saturating_add(1),
        };
        let mut layer: Vec<Node> = ranges.iter().zip(&hashes).enumerate().map(leaf).collect();
        // For each leaf its branches, from the lowest.
        let mut branches = vec![Vec::new(); layer.len()];
        while layer.len() > 1 {
            layer = above(layer, &mut branches);
        }
        let root = layer.first().map(|node| node.id).unwrap_or_default();
        let parts = ranges.into_iter().zip(hashes).zip(branches);
        let chunks = parts.map(|((range, hash), branches)| {
            let leaf = [hash, number(range.end)].concat();
            let path = branches.iter().rev().chain([&leaf]);
            let path = path.flatten().copied().collect();
            Chunk { range, path }
        });
        Self {
            root,
            // The one behind data that fills its chunks is in the tree, and is not sent.
            chunks: chunks.filter(|chunk| !chunk.range.is_empty()).collect(),
        }
    }
}

/// Pairs the nodes of a layer; one without a neighbour goes up as it is.
fn above(layer: Vec<Node>, branches: &mut [Vec<Vec<u8>>]) -> Vec<Node> {
    let mut up = Vec::with_capacity(layer.len().div_ceil(2));
    let mut nodes = layer.into_iter();
    while let Some(left) = nodes.next() {
        let Some(right) = nodes.next() else {
            up.push(left);
            break;
        };
        let step = [left.id, right.id, number(left.end)].concat();
        let leaves = left.leaves.start..right.leaves.end;
        for path in branches.get_mut(leaves.clone()).unwrap_or_default() {
            path.push(step.clone());
        }
        up.push(Node {
            id: digest(&[&left.id, &right.id, &number(left.end)]),
            end: right.end,
            leaves,
        });
    }
    up
}

/// Where data of a length is cut. The last range is shorter than a chunk, and may be empty.
fn ranges(length: usize) -> Vec<Range<usize>> {
    let mut ranges = Vec::new();
    let mut start = 0_usize;
    loop {
        let left = length.saturating_sub(start);
        if left < CHUNK_BYTES_MAX {
            ranges.push(start..length);
            return ranges;
        }
        let rest = left.saturating_sub(CHUNK_BYTES_MAX);
        let is_short = (1..CHUNK_BYTES_MIN).contains(&rest);
        let bytes = if is_short {
            left.div_ceil(2)
        } else {
            CHUNK_BYTES_MAX
        };
        let end = start.saturating_add(bytes);
        ranges.push(start..end);
        start = end;
    }
}

fn digest(parts: &[&[u8; 32]]) -> [u8; 32] {
    let hashes: Vec<u8> = parts.iter().flat_map(|part| sha256(*part)).collect();
    sha256(&hashes)
}

fn number(number: usize) -> [u8; 32] {
    let mut bytes = [0; 32];
    for (to, from) in bytes.iter_mut().rev().zip((number as u64).to_le_bytes()) {
        *to = from;
    }
    bytes
}
