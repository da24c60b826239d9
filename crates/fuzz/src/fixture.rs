//! A small log with a map, whole and signed: what mutants are made of.

use std::sync::OnceLock;

use client::bundle::{NameBundle, Verified};
use crypto::ed25519::SigningKey;
use crypto::secret::Secret;
use data_encoding::BASE64;
use engine::types::link::{Evidence, Link, Statement};
use engine::types::{Label, Seqno, ToxId, UnixMillis, Visibility};
use merkle::entry::{EntryKind, LogEntry, commit};
use merkle::map::{MapBatch, MapLeaf, MapProof, MapReader};
use merkle::note::{Checkpoint, KeyName, Note, Signature, VerifierKey};
use merkle::proof_file::ProofFile;
use merkle::{Hash, leaf_hash, node_hash};
use serde_json::json;

/// The valid examples, and what they prove.
pub(crate) struct Fixture {
    /// The log's key.
    pub(crate) key: VerifierKey,
    /// The signed checkpoint.
    pub(crate) note: String,
    /// What the note says.
    pub(crate) checkpoint: Checkpoint,
    /// The bundle of alice, as JSON and as a proof file.
    pub(crate) bundles: [Vec<u8>; 2],
    /// What both prove.
    pub(crate) verified: Verified,
    /// The map's root, and alice's proof in it.
    pub(crate) map_root: Hash,
    /// As bytes.
    pub(crate) map_proof: Vec<u8>,
    /// Newest sequence number and commitment of alice.
    pub(crate) leaf: (u32, Hash),
}

/// The fixture, made once.
pub(crate) fn fixture() -> &'static Fixture {
    static MADE: OnceLock<Fixture> = OnceLock::new();
    MADE.get_or_init(make)
}

const NAME: &str = "alice";
const SALT: [u8; 32] = [9; 32];
const HEAD_MS: u64 = 1_400_000_000_500;

fn make() -> Fixture {
    let link = link();
    let label = client::name::label(NAME);
    let leaf = (1, commit(&SALT, &link));
    let (map_root, map_proof) = map(&label, leaf);
    let mut entries: Vec<LogEntry> = (0..4).map(|at| entry(Hash([at; 32]), leaf.1)).collect();
    entries.push(entry(label, leaf.1));
    entries.push(LogEntry::map_head(map_root, HEAD_MS));
    let leaves: Vec<Hash> = entries
        .iter()
        .map(|entry| leaf_hash(&entry.encode()))
        .collect();
    let signer = SigningKey::from_seed(&Secret::new([3; 32])).expect("any seed is a key");
    let name = KeyName::parse("names.example/log").expect("a key's name");
    let key = VerifierKey::ed25519(name, signer.verifying_key().as_bytes());
    let checkpoint = Checkpoint {
        origin: key.name().as_str().to_owned(),
        size: leaves.len() as u64,
        root: root(&leaves),
    };
    let note = signed(&checkpoint, &signer, &key);
    let last = leaves.len() - 1;
    let path = path(&leaves, last);
    let head = LogEntry::map_head(map_root, HEAD_MS).encode();
    let parts = Parts {
        link: &link,
        map_proof: &map_proof,
        head: &head,
        path: &path,
        note: &note,
    };
    let bundles = [parts.json(&label, leaf, &key), parts.file(last as u64)];
    let read = NameBundle::parse(&bundles[0]).expect("a bundle");
    let verified = read.verify(NAME, &key).expect("a bundle that proves");
    Fixture {
        key,
        note,
        checkpoint,
        bundles,
        verified,
        map_root,
        map_proof,
        leaf,
    }
}

/// The parts of a bundle.
struct Parts<'f> {
    link: &'f [u8],
    map_proof: &'f [u8],
    head: &'f [u8],
    path: &'f [Hash],
    note: &'f str,
}

impl Parts<'_> {
    fn json(&self, label: &Hash, leaf: (u32, Hash), key: &VerifierKey) -> Vec<u8> {
        let inclusion: Vec<String> = self.path.iter().map(Hash::to_base64).collect();
        let body = json!({
            "name": NAME,
            "label": label.to_hex(),
            "present": {
                "seqno": leaf.0,
                "commitment": leaf.1.to_hex(),
                "opening": {"salt": BASE64.encode(&SALT), "link": BASE64.encode(self.link)},
            },
            "map_proof": BASE64.encode(self.map_proof),
            "map_head": {
                "index": 5,
                "entry": BASE64.encode(self.head),
                "inclusion": inclusion,
            },
            "checkpoint": self.note,
            "vkey": key.to_string(),
        });
        body.to_string().into_bytes()
    }

    /// docs/LOG-FORMAT.md has the bytes of the extra line.
    fn file(&self, index: u64) -> Vec<u8> {
        let length = u16::try_from(self.map_proof.len()).unwrap_or_default();
        let parts: [&[u8]; 7] = [
            &[1],
            self.head,
            &length.to_be_bytes(),
            self.map_proof,
            &[1],
            &SALT,
            self.link,
        ];
        let file = ProofFile {
            extra: Some(parts.concat()),
            index,
            path: self.path.to_vec(),
            checkpoint: Note::parse(self.note.as_bytes()).expect("a note"),
        };
        file.to_string().into_bytes()
    }
}

fn link() -> Vec<u8> {
    let id = "56A1ADE4B65B86BCD51CC73E2CD4E542179F47959FE3E0E21B4B0ACDADE51855D34D34D37CB5";
    let link = Link {
        label: Label(client::name::label(NAME)),
        seqno: Seqno::new(1).expect("1 is a sequence number"),
        prev: None,
        statement: Statement::SetRecord {
            tox_id: ToxId::parse(id).expect("a Tox ID"),
            bio_hash: Hash([4; 32]),
            visibility: Visibility::Searchable,
            is_proven: true,
        },
        evidence: Evidence::Boxed { kid: None },
        created_at: UnixMillis(1_400_000_000_000),
    };
    link.encode().to_vec()
}

fn entry(label: Hash, commitment: Hash) -> LogEntry {
    LogEntry {
        kind: EntryKind::Link,
        label,
        seqno: 1,
        commitment,
        time_ms: 1_400_000_000_000,
    }
}

/// A map of alice and forty others: its root, and alice's proof.
fn map(label: &Hash, (seqno, commitment): (u32, Hash)) -> (Hash, Vec<u8>) {
    let others = (0..40).map(|at| MapLeaf {
        label: client::name::label(&format!("other{at}")),
        seqno: 2,
        commitment: Hash([at; 32]),
    });
    let own = MapLeaf {
        label: *label,
        seqno,
        commitment,
    };
    let leaves = others.chain([own]).collect();
    let mut batch = MapBatch::new(leaves).expect("labels differ");
    while let wanted @ [_, ..] = &batch.wanted()[..] {
        for id in wanted {
            batch.supply(*id, None).expect("an empty map has no pages");
        }
    }
    let change = batch.finish().expect("a map");
    let mut reader = MapReader::new(*label);
    while let wanted @ [_, ..] = &reader.wanted()[..] {
        for id in wanted {
            let page = change.pages.iter().find(|(page, _)| page == id);
            let bytes = page.map(|(_, bytes)| &bytes[..]);
            reader.supply(*id, bytes).expect("the map's own page");
        }
    }
    let proof: MapProof = reader.proof().expect("a path");
    (change.root, proof.encode())
}

fn signed(checkpoint: &Checkpoint, signer: &SigningKey, key: &VerifierKey) -> String {
    let text = checkpoint.to_string();
    let signature = Signature {
        name: key.name().clone(),
        id: key.id(),
        bytes: signer.sign(text.as_bytes()).to_vec(),
    };
    let signatures = vec![signature];
    Note { text, signatures }.format()
}

/// RFC 6962, section 2.1: the root, by its definition.
pub(crate) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => merkle::empty_root(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(half(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// RFC 6962, section 2.1.1: the audit path, by its definition.
pub(crate) fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(half(leaves.len()));
    let (mut below, beside) = if index < left.len() {
        (path(left, index), root(right))
    } else {
        (path(right, index - left.len()), root(left))
    };
    below.push(beside);
    below
}

/// RFC 6962, section 2.1.2: the consistency proof, by its definition.
pub(crate) fn consistency(leaves: &[Hash], first: usize, is_whole: bool) -> Vec<Hash> {
    if first == leaves.len() {
        return if is_whole {
            Vec::new()
        } else {
            vec![root(leaves)]
        };
    }
    let (left, right) = leaves.split_at(half(leaves.len()));
    let (mut below, beside) = if first <= left.len() {
        (consistency(left, first, is_whole), root(right))
    } else {
        (consistency(right, first - left.len(), false), root(left))
    };
    below.push(beside);
    below
}

/// The largest power of two below a length of at least two.
fn half(length: usize) -> usize {
    length.div_ceil(2).next_power_of_two()
}
