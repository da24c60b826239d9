//! The map by its definition, recursively, and a store of pages around the crate.

use std::collections::{BTreeMap, HashSet};

use merkle::Hash;
use merkle::map::{MapBatch, MapChange, MapError, MapLeaf, MapProof, MapReader, PageId};
use proptest::prelude::*;
use sha2::{Digest, Sha256};

/// What the map holds.
pub(crate) type Leaves = BTreeMap<Hash, (u32, Hash)>;

/// The hash of the subtree of `leaves` at `depth`, all of which share the first `depth` bits.
pub(crate) fn subtree(leaves: &[(Hash, u32, Hash)], depth: usize) -> Hash {
    match leaves {
        [] => Hash([0; 32]),
        [(label, seqno, commitment)] => sha256(&[
            &[2],
            label.as_bytes(),
            &seqno.to_be_bytes(),
            commitment.as_bytes(),
        ]),
        _ => {
            let (ones, zeros): (Vec<_>, Vec<_>) =
                leaves.iter().copied().partition(|leaf| bit(&leaf.0, depth));
            let (left, right) = (subtree(&zeros, depth + 1), subtree(&ones, depth + 1));
            sha256(&[&[3], left.as_bytes(), right.as_bytes()])
        }
    }
}

pub(crate) fn root(leaves: &Leaves) -> Hash {
    subtree(&flat(leaves), 0)
}

/// The ids of the pages a map of these leaves has: one per nibble prefix of two leaves or more.
pub(crate) fn page_ids(leaves: &Leaves) -> HashSet<PageId> {
    let mut seen: BTreeMap<PageId, usize> = BTreeMap::new();
    for label in leaves.keys() {
        for depth in 0..64 {
            *seen
                .entry(PageId::on_path(label, depth).unwrap())
                .or_default() += 1;
        }
    }
    let exists = |(id, count): &(PageId, usize)| *count >= 2 || *id == PageId::ROOT;
    seen.into_iter().filter(exists).map(|(id, _)| id).collect()
}

fn flat(leaves: &Leaves) -> Vec<(Hash, u32, Hash)> {
    leaves
        .iter()
        .map(|(label, (seqno, commitment))| (*label, *seqno, *commitment))
        .collect()
}

pub(crate) fn bit(label: &Hash, depth: usize) -> bool {
    label.0[depth / 8] & (0x80 >> (depth % 8)) != 0
}

fn sha256(parts: &[&[u8]]) -> Hash {
    Hash(Sha256::digest(parts.concat()).into())
}

/// Pages under their keys, the way a server keeps them, with the root of the last change.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct Pages {
    pub(crate) stored: BTreeMap<Vec<u8>, Vec<u8>>,
    pub(crate) root: Hash,
}

impl Pages {
    pub(crate) fn get(&self, id: PageId) -> Option<&[u8]> {
        self.stored.get(&id.key()).map(Vec::as_slice)
    }

    pub(crate) fn load(&self, mut batch: MapBatch) -> Result<MapBatch, MapError> {
        loop {
            let wanted = batch.wanted();
            if wanted.is_empty() {
                return Ok(batch);
            }
            // Last first: the order within a round must not matter.
            for id in wanted.into_iter().rev() {
                batch.supply(id, self.get(id))?;
            }
        }
    }

    pub(crate) fn store(&mut self, change: MapChange) {
        self.root = change.root;
        self.stored
            .extend(change.pages.into_iter().map(|(id, page)| (id.key(), page)));
    }

    pub(crate) fn put(&mut self, leaves: &[MapLeaf]) {
        let batch = self.load(MapBatch::new(leaves.to_vec()).unwrap()).unwrap();
        self.store(batch.finish().unwrap());
    }

    pub(crate) fn read(&self, label: Hash) -> Result<MapReader, MapError> {
        let mut reader = MapReader::new(label);
        loop {
            let wanted = reader.wanted();
            if wanted.is_empty() {
                return Ok(reader);
            }
            for id in wanted {
                reader.supply(id, self.get(id))?;
            }
        }
    }

    pub(crate) fn prove(&self, label: Hash) -> MapProof {
        self.read(label).unwrap().proof().unwrap()
    }

    pub(crate) fn of(leaves: &Leaves) -> Self {
        let mut pages = Self::default();
        pages.put(&list(leaves));
        pages
    }
}

pub(crate) fn list(leaves: &Leaves) -> Vec<MapLeaf> {
    let leaf = |(label, seqno, commitment)| MapLeaf {
        label,
        seqno,
        commitment,
    };
    flat(leaves).into_iter().map(leaf).collect()
}

/// A base label with its bits from some depth on flipped or replaced: shares long prefixes.
pub(crate) fn near(base: Hash, depth: usize, random: Hash) -> Hash {
    let mut label = base;
    for at in depth..256 {
        let (byte, mask) = (at / 8, 0x80 >> (at % 8));
        let flip = at == depth || bit(&random, at);
        label.0[byte] ^= if flip { mask } else { 0 };
    }
    label
}

pub(crate) fn any_hash() -> impl Strategy<Value = Hash> {
    any::<[u8; 32]>().prop_map(Hash)
}

/// Labels at random, or sharing up to 255 bits with one of a few others.
pub(crate) fn any_label() -> impl Strategy<Value = Hash> {
    let base = prop_oneof![
        Just(Hash([0; 32])),
        Just(Hash([0xff; 32])),
        Just(Hash([0x5a; 32]))
    ];
    let close = (base, 0_usize..256, any_hash());
    prop_oneof![
        any_hash(),
        close.prop_map(|(base, depth, random)| near(base, depth, random)),
        (0_usize..256).prop_map(|depth| near(Hash([0x5a; 32]), depth, Hash([0; 32]))),
    ]
}

pub(crate) fn any_leaves(count: std::ops::Range<usize>) -> impl Strategy<Value = Leaves> {
    let value = (any::<u32>(), any_hash());
    proptest::collection::btree_map(any_label(), value, count)
}
