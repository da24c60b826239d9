//! What the hardware allows of Merkle trees in memory: a path-compressed prefix tree without VRF,
//! and an RFC 6962 append log. CPU time of one thread.
//!
//! usage: `merklelimit SIZES BATCHES`, each a list of numbers with commas, for example
//! `merklelimit 10000,100000,1000000 1,100,1000,10000`.

use std::hint::black_box;

use sha2::{Digest, Sha256};

type Hash = [u8; 32];

/// CPU time of this thread in seconds.
fn cpu_s() -> f64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the pointer is to a live timespec, which the call fills.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

#[derive(Clone, Copy, Debug)]
enum Function {
    Sha256,
    Blake3,
}

impl Function {
    fn hash(self, bytes: &[u8]) -> Hash {
        match self {
            Self::Sha256 => Sha256::digest(bytes).into(),
            Self::Blake3 => *blake3::hash(bytes).as_bytes(),
        }
    }

    /// A node's hash; BLAKE3 is given one block of 64 bytes, SHA-256 the RFC 6962 prefix as well.
    fn node(self, left: &Hash, right: &Hash) -> Hash {
        let mut bytes = [1u8; 65];
        bytes[1..33].copy_from_slice(left);
        bytes[33..].copy_from_slice(right);
        match self {
            Self::Sha256 => self.hash(&bytes),
            Self::Blake3 => self.hash(&bytes[1..]),
        }
    }
}

enum Node {
    Leaf {
        key: Hash,
        hash: Hash,
    },
    Inner {
        left: u32,
        right: u32,
        bit: u16,
        dirty: bool,
        hash: Hash,
    },
}

/// A prefix tree whose nodes live in one vector.
struct Tree {
    nodes: Vec<Node>,
    root: Option<u32>,
    hashes: u64,
    function: Function,
}

fn bit(key: &Hash, index: u16) -> bool {
    key[usize::from(index >> 3)] >> (7 - (index & 7)) & 1 == 1
}

/// Index of the first bit that differs; 256 if none does.
fn first_difference(a: &Hash, b: &Hash) -> u16 {
    let byte = a.iter().zip(b).position(|(x, y)| x != y);
    byte.map_or(256, |at| {
        (at * 8) as u16 + (a[at] ^ b[at]).leading_zeros() as u16
    })
}

impl Tree {
    fn new(function: Function) -> Self {
        Self {
            nodes: Vec::new(),
            root: None,
            hashes: 0,
            function,
        }
    }

    fn push(&mut self, node: Node) -> u32 {
        self.nodes.push(node);
        self.nodes.len() as u32 - 1
    }

    fn leaf_hash(&mut self, key: &Hash, value: &[u8]) -> Hash {
        self.hashes += 1;
        self.function.hash(&[&[0], &key[..], value].concat())
    }

    /// Any leaf on the way of `key`: it shares the longest prefix with it.
    fn nearest(&self, root: u32, key: &Hash) -> (u32, Hash) {
        let mut at = root;
        loop {
            match &self.nodes[at as usize] {
                Node::Leaf { key, .. } => return (at, *key),
                Node::Inner {
                    left,
                    right,
                    bit: index,
                    ..
                } => {
                    at = if bit(key, *index) { *right } else { *left };
                }
            }
        }
    }

    fn put(&mut self, key: Hash, value: &[u8]) {
        let new_hash = self.leaf_hash(&key, value);
        let Some(root) = self.root else {
            self.root = Some(self.push(Node::Leaf {
                key,
                hash: new_hash,
            }));
            return;
        };
        let (found, other) = self.nearest(root, &key);
        let split = first_difference(&key, &other);
        let (parent, below) = self.mark_dirty(root, &key, split);
        if split == 256 {
            if let Node::Leaf { hash, .. } = &mut self.nodes[found as usize] {
                *hash = new_hash;
            }
            return;
        }
        let leaf = self.push(Node::Leaf {
            key,
            hash: new_hash,
        });
        let (left, right) = if bit(&key, split) {
            (below, leaf)
        } else {
            (leaf, below)
        };
        let inner = self.push(Node::Inner {
            left,
            right,
            bit: split,
            dirty: true,
            hash: [0; 32],
        });
        self.hang(parent, &key, inner);
    }

    /// Marks the inner nodes above the split; returns the last of them and what hangs below it.
    fn mark_dirty(&mut self, root: u32, key: &Hash, split: u16) -> (Option<u32>, u32) {
        let (mut parent, mut at) = (None, root);
        while let Node::Inner {
            left,
            right,
            bit: index,
            dirty,
            ..
        } = &mut self.nodes[at as usize]
        {
            if *index >= split {
                break;
            }
            *dirty = true;
            parent = Some(at);
            at = if bit(key, *index) { *right } else { *left };
        }
        (parent, at)
    }

    fn hang(&mut self, parent: Option<u32>, key: &Hash, inner: u32) {
        let Some(parent) = parent else {
            self.root = Some(inner);
            return;
        };
        if let Node::Inner {
            left,
            right,
            bit: index,
            ..
        } = &mut self.nodes[parent as usize]
        {
            *(if bit(key, *index) { right } else { left }) = inner;
        }
    }

    fn rehash(&mut self, at: u32) -> Hash {
        let (left, right) = match &self.nodes[at as usize] {
            Node::Leaf { hash, .. }
            | Node::Inner {
                dirty: false, hash, ..
            } => return *hash,
            Node::Inner { left, right, .. } => (*left, *right),
        };
        let (left, right) = (self.rehash(left), self.rehash(right));
        let new_hash = self.function.node(&left, &right);
        self.hashes += 1;
        if let Node::Inner { hash, dirty, .. } = &mut self.nodes[at as usize] {
            *hash = new_hash;
            *dirty = false;
        }
        new_hash
    }

    fn rehash_all(&mut self) {
        if let Some(root) = self.root {
            black_box(self.rehash(root));
        }
    }

    /// One byte of position and one hash for every inner node on the way.
    fn prove(&self, key: &Hash, out: &mut Vec<u8>) {
        out.clear();
        let Some(mut at) = self.root else { return };
        while let Node::Inner {
            left,
            right,
            bit: index,
            ..
        } = &self.nodes[at as usize]
        {
            let (near, far) = if bit(key, *index) {
                (right, left)
            } else {
                (left, right)
            };
            let (Node::Leaf { hash, .. } | Node::Inner { hash, .. }) = &self.nodes[*far as usize];
            out.push(*index as u8);
            out.extend_from_slice(hash);
            at = *near;
        }
    }
}

fn key(number: u64) -> Hash {
    Sha256::digest(number.to_le_bytes()).into()
}

fn measure_tree(function: Function, size: u64, batches: &[u64]) {
    let value = [7u8; 64];
    let mut tree = Tree::new(function);
    for number in 0..size {
        tree.put(key(number), &value);
    }
    tree.rehash_all();
    let mut next = size;
    for &batch in batches {
        let count = batch * 5;
        let keys: Vec<Hash> = (next..next + count).map(key).collect();
        next += count;
        tree.hashes = 0;
        let start = cpu_s();
        for chunk in keys.chunks(batch as usize) {
            for key in chunk {
                tree.put(*key, &value);
            }
            tree.rehash_all();
        }
        let spent = cpu_s() - start;
        println!(
            "prefix tree {function:?} n={size} batch={batch}: {:.0}/s  {:.2} us cpu/entry  {:.1} hashes/entry",
            count as f64 / spent,
            spent * 1e6 / count as f64,
            tree.hashes as f64 / count as f64
        );
    }
    measure_proofs(&tree, size, next);
}

fn measure_proofs(tree: &Tree, size: u64, leaves: u64) {
    let count = size.min(20_000);
    let keys: Vec<Hash> = (0..count).map(|number| key(number * 7919 % size)).collect();
    let (mut proof, mut bytes) = (Vec::new(), 0);
    let start = cpu_s();
    for key in &keys {
        tree.prove(key, &mut proof);
        bytes += black_box(&proof).len();
    }
    let spent = cpu_s() - start;
    println!(
        "  proof {:.2} us, {} B on average; {} B of memory per leaf",
        spent * 1e6 / count as f64,
        bytes as u64 / count,
        tree.nodes.len() * size_of::<Node>() / leaves as usize
    );
}

/// Appends a million leaves, keeping the right edge only.
fn measure_log(leaf_bytes: usize) {
    const COUNT: u64 = 1_000_000;
    let function = Function::Sha256;
    let mut edge: Vec<(u32, Hash)> = Vec::new();
    let mut leaf = vec![5u8; leaf_bytes + 1];
    leaf[0] = 0;
    let start = cpu_s();
    for number in 0..COUNT {
        leaf[1..9].copy_from_slice(&number.to_le_bytes());
        let (mut level, mut hash) = (0, function.hash(&leaf));
        while let Some((_, left)) = edge.pop_if(|(other, _)| *other == level) {
            hash = function.node(&left, &hash);
            level += 1;
        }
        edge.push((level, hash));
    }
    let spent = cpu_s() - start;
    black_box(&edge);
    println!(
        "rfc 6962 append leaf={leaf_bytes} B: {:.0}/s  {:.3} us cpu/entry",
        COUNT as f64 / spent,
        spent * 1e6 / COUNT as f64
    );
}

fn numbers(list: Option<String>) -> Vec<u64> {
    let list = list.expect("usage: merklelimit SIZES BATCHES");
    list.split(',')
        .map(|it| it.parse().expect("a list of numbers"))
        .collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (sizes, batches) = (numbers(arguments.next()), numbers(arguments.next()));
    for function in [Function::Sha256, Function::Blake3] {
        for &size in &sizes {
            measure_tree(function, size, &batches);
        }
    }
    for leaf_bytes in [64, 256, 1024] {
        measure_log(leaf_bytes);
    }
}
