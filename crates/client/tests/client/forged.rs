//! Logs of our own making, signed by a key of our own: what a dishonest operator could publish.

use std::collections::BTreeMap;
use std::convert::Infallible;

use client::remembered::ConsistencySource;
use crypto::ed25519::SigningKey;
use crypto::secret::Secret;
use merkle::entry::{EntryKind, LogEntry};
use merkle::map::{MapBatch, PageId};
use merkle::note::{Checkpoint, KeyName, Note, Signature, VerifierKey};
use merkle::proof::ConsistencyPlan;
use merkle::range::CompactRange;
use merkle::tile::{encode_bundle, grow, node_in_tile, tile_of};
use merkle::{Hash, leaf_hash};

use crate::copied::Copied;

pub(crate) const ORIGIN: &str = "forged.test/log";

/// A log in the making.
#[derive(Clone)]
pub(crate) struct Forged {
    seed: u8,
    entries: Vec<LogEntry>,
    map: BTreeMap<Hash, (u32, Hash)>,
    notes: Vec<Vec<u8>>,
    pub(crate) time_ms: u64,
}

impl Forged {
    /// A log with the head of the empty map, signed by the key of a seed.
    pub(crate) fn new(seed: u8) -> Self {
        let mut forged = Self {
            seed,
            entries: Vec::new(),
            map: BTreeMap::new(),
            notes: Vec::new(),
            time_ms: 1_400_000_000_000,
        };
        forged.batch(&[]);
        forged
    }

    pub(crate) fn key(&self) -> VerifierKey {
        let name = KeyName::parse(ORIGIN).unwrap();
        VerifierKey::ed25519(name, self.signing().verifying_key().as_bytes())
    }

    fn signing(&self) -> SigningKey {
        SigningKey::from_seed(&Secret::new([self.seed; 32])).unwrap()
    }

    /// An honest batch: links, map head, checkpoint.
    pub(crate) fn batch(&mut self, links: &[(u8, u32)]) {
        for (label, seqno) in links {
            self.link(*label, *seqno);
        }
        self.head();
        self.sign();
    }

    pub(crate) fn link(&mut self, label: u8, seqno: u32) {
        let label = merkle::entry::public_label(1, &[label]);
        let commitment = leaf_hash(&seqno.to_be_bytes());
        self.map.insert(label, (seqno, commitment));
        self.push(LogEntry {
            kind: EntryKind::Link,
            label,
            seqno,
            commitment,
            time_ms: self.time_ms,
        });
    }

    /// A map head with the right root.
    pub(crate) fn head(&mut self) {
        let mut batch = MapBatch::load(self.map.keys().copied().collect());
        batch.supply(PageId::ROOT, None).unwrap();
        for (label, (seqno, commitment)) in &self.map {
            batch.set(label, *seqno, *commitment).unwrap();
        }
        let root = batch.finish().unwrap().root;
        self.push(LogEntry::map_head(root, self.time_ms));
    }

    pub(crate) fn push(&mut self, entry: LogEntry) {
        self.entries.push(entry);
    }

    /// Signs what there is, and stores the checkpoint.
    pub(crate) fn sign(&mut self) {
        let note = self.note(self.size(), self.root());
        self.notes.push(note);
    }

    /// Stores a checkpoint of something else.
    pub(crate) fn sign_as(&mut self, size: u64, root: Hash) {
        let note = self.note(size, root);
        self.notes.push(note);
    }

    pub(crate) fn newest(&self) -> Vec<u8> {
        self.notes.last().unwrap().clone()
    }

    pub(crate) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    fn root(&self) -> Hash {
        let mut range = CompactRange::new();
        self.leaves().into_iter().for_each(|leaf| range.push(leaf));
        range.root()
    }

    fn note(&self, size: u64, root: Hash) -> Vec<u8> {
        let origin = ORIGIN.into();
        let text = Checkpoint { origin, size, root }.to_string();
        let key = self.key();
        let signature = Signature {
            name: key.name().clone(),
            id: key.id(),
            bytes: self.signing().sign(text.as_bytes()).to_vec(),
        };
        let signatures = vec![signature];
        Note { text, signatures }.format().into_bytes()
    }

    fn leaves(&self) -> Vec<Hash> {
        let entries = self.entries.iter();
        entries.map(|entry| leaf_hash(&entry.encode())).collect()
    }

    /// The log as it would be served.
    pub(crate) fn copy(&self) -> Copied {
        let bundles = self
            .entries
            .chunks(256)
            .map(|entries| encode_bundle(entries.iter().map(LogEntry::encode)).unwrap());
        Copied {
            newest: self.newest(),
            notes: self.notes.clone(),
            tiles: grow(0, &[], &self.leaves()).unwrap().into_iter().collect(),
            bundles: (0..).zip(bundles).collect(),
        }
    }
}

impl ConsistencySource for Forged {
    type Error = Infallible;

    async fn consistency(&self, first: u64, second: u64) -> Result<Vec<Hash>, Infallible> {
        let tiles = self.copy().tiles;
        let plan = ConsistencyPlan::new(first, second).unwrap();
        let nodes = plan.nodes().iter();
        let hashes: Vec<Hash> = nodes
            .map(|node| node_in_tile(&tiles[&tile_of(*node).0], *node).unwrap())
            .collect();
        Ok(plan.finish(&hashes).unwrap())
    }
}
