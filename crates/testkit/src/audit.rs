//! An auditor: checks all that a log has published with the pure functions of `merkle`, as somebody
//! would who trusts nobody. It reads through the engine's public verbs only, and panics, as a test
//! does, at the first thing that does not hold.

use std::collections::BTreeMap;

use crypto::ed25519::VerifyingKey;
use engine::Engine;
use engine::log::Bundle;
use engine::merkle::entry::{EntryKind, LogEntry, commit};
use engine::merkle::map::{MapBatch, MapLeaf, PageId};
use engine::merkle::note::{ALG_ED25519, Checkpoint, Note, VerifierKey};
use engine::merkle::proof::{verify_consistency, verify_inclusion};
use engine::merkle::range::CompactRange;
use engine::merkle::tile::{TILE_WIDTH, TileId, decode_bundle, tiles};
use engine::merkle::{HASH_LEN, Hash, leaf_hash};
use engine::types::link::Link;
use engine::types::{Label, Name};

/// A log that was found in order.
pub struct Audit {
    /// Every entry, by index.
    pub entries: Vec<LogEntry>,
    /// Every checkpoint, smallest size first.
    pub checkpoints: Vec<Checkpoint>,
}

impl Audit {
    /// How often the log has a link: `(label, seqno)` with this commitment.
    #[must_use]
    pub fn count(&self, label: Label, seqno: u32, commitment: Hash) -> usize {
        let is_it = |entry: &&LogEntry| {
            (entry.label, entry.seqno, entry.commitment) == (label.0, seqno, commitment)
        };
        self.entries.iter().filter(is_it).count()
    }

    /// Entries that are links.
    pub fn links(&self) -> impl Iterator<Item = &LogEntry> {
        let is_link = |entry: &&LogEntry| entry.kind == EntryKind::Link;
        self.entries.iter().filter(is_link)
    }
}

/// Checks the whole log: every entry against every root, every tile, every map head by replay,
/// consistency of every two neighbouring checkpoints, inclusion of every entry, every signature.
///
/// # Panics
/// When something does not hold.
pub async fn audit(engine: &Engine) -> Audit {
    let head = engine.log().head();
    let entries = read_entries(engine, head.size).await;
    let leaves: Vec<Hash> = entries
        .iter()
        .map(|entry| leaf_hash(&entry.encode()))
        .collect();
    let checkpoints = read_checkpoints(engine).await;
    check_roots(&checkpoints, &leaves);
    let newest = checkpoints.last().expect("a log has a checkpoint");
    assert_eq!((newest.size, newest.root), (head.size, head.root));
    assert_eq!(read_checkpoint(engine, &head.note), *newest);
    check_map(&checkpoints, &entries);
    assert_eq!(
        entries.last(),
        Some(&head.map_entry()),
        "the last entry is the head's"
    );
    check_tiles(engine, &leaves).await;
    check_consistency(engine, &checkpoints).await;
    check_inclusion(engine, &leaves, newest).await;
    Audit {
        entries,
        checkpoints,
    }
}

/// Checks the bundle of a name, offline but for the one entry it points to. Answers the newest
/// link's seqno, and the link unless it was erased; `None` when the bundle proves absence.
///
/// # Panics
/// When something does not hold.
pub async fn check_bundle(engine: &Engine, name: &str) -> Option<(u32, Option<Link>)> {
    let name = Name::parse(name).expect("a test's name is one");
    let bundle = engine
        .log()
        .name_bundle(&name)
        .await
        .expect("a bundle is made");
    let checkpoint = read_checkpoint(engine, &bundle.head.note);
    assert_eq!(
        (checkpoint.size, checkpoint.root),
        (bundle.head.size, bundle.head.root)
    );
    let proven = bundle
        .map_proof
        .verify(&bundle.label.0, &bundle.head.map_root)
        .expect("the map proof verifies");
    let last = leaf_hash(&bundle.head.map_entry().encode());
    let size = checkpoint.size;
    verify_inclusion(size - 1, size, &last, &bundle.inclusion, &checkpoint.root)
        .expect("the map head is the last entry");
    let present = bundle.present.as_ref();
    assert_eq!(
        proven,
        present.map(|present| (present.seqno, present.commitment))
    );
    let present = present?;
    check_entry(engine, &bundle, present.index).await;
    let link = present.opening.as_ref().map(|opening| {
        let salt: &[u8; 32] = opening
            .salt
            .as_ref()
            .try_into()
            .expect("a salt is 32 bytes");
        assert_eq!(commit(salt, &opening.link), present.commitment);
        let link = Link::decode(&opening.link).expect("a link is read");
        assert_eq!(
            (link.label, link.seqno.get()),
            (bundle.label, present.seqno)
        );
        link
    });
    Some((present.seqno, link))
}

async fn check_entry(engine: &Engine, bundle: &Bundle, index: u64) {
    let present = bundle.present.as_ref().expect("the name is present");
    assert!(index < bundle.head.size, "the entry is below the head");
    let width = u64::from(TILE_WIDTH);
    let tile = TileId {
        level: 0,
        index: index / width,
    };
    let bytes = engine
        .log()
        .entries(tile.index, tile.width(bundle.head.size))
        .await;
    let bytes = bytes.expect("entries below the head are served");
    let entries = decode_bundle(&bytes).expect("a bundle is read");
    let at = usize::try_from(index % width).expect("below 256");
    let entry = LogEntry::decode(entries.get(at).expect("the bundle has the entry"));
    let entry = entry.expect("an entry is read");
    assert_eq!(
        (entry.label, entry.seqno, entry.commitment),
        (bundle.label.0, present.seqno, present.commitment)
    );
}

async fn read_entries(engine: &Engine, size: u64) -> Vec<LogEntry> {
    let mut entries = Vec::new();
    for index in 0..size.div_ceil(u64::from(TILE_WIDTH)) {
        let width = (TileId { level: 0, index }).width(size);
        let bytes = engine.log().entries(index, width).await;
        let bytes = bytes.expect("entries below the head are served");
        let read = decode_bundle(&bytes).expect("a bundle is read");
        assert_eq!(read.len(), usize::from(width));
        entries.extend(
            read.iter()
                .map(|entry| LogEntry::decode(entry).expect("an entry is read")),
        );
    }
    assert_eq!(entries.len() as u64, size);
    entries
}

async fn read_checkpoints(engine: &Engine) -> Vec<Checkpoint> {
    let (mut checkpoints, mut from): (Vec<Checkpoint>, _) = (Vec::new(), Some(0));
    while let Some(start) = from {
        let page = engine.log().checkpoints(start).await;
        let page = page.expect("a page of checkpoints is read");
        checkpoints.extend(page.notes.iter().map(|note| read_checkpoint(engine, note)));
        from = page.next;
    }
    checkpoints
}

/// Parses a signed checkpoint of the engine's log and verifies its signature.
///
/// # Panics
/// When it is none, or the signature does not verify.
#[must_use]
pub fn read_checkpoint(engine: &Engine, note: &[u8]) -> Checkpoint {
    let keys = [VerifierKey::parse(&engine.log().verifier_key()).expect("the key has its form")];
    let note = Note::parse(note).expect("a note is read");
    let verified = note.verify_with(&keys, |key, text, signature| {
        let (Ok(public), Ok(signature)) = (key.public().try_into(), signature.try_into()) else {
            return false;
        };
        key.algorithm() == ALG_ED25519
            && VerifyingKey::from_bytes(public)
                .is_ok_and(|key| key.verify_strict(text, signature).is_ok())
    });
    assert!(verified.is_ok(), "the signature verifies: {verified:?}");
    let checkpoint = Checkpoint::parse(&note.text).expect("a checkpoint is read");
    assert_eq!(checkpoint.origin, engine.log().origin());
    checkpoint
}

/// Every checkpoint's root is that of the leaves below its size, and sizes grow.
fn check_roots(checkpoints: &[Checkpoint], leaves: &[Hash]) {
    let mut range = CompactRange::new();
    let mut left = checkpoints.iter().peekable();
    for leaf in leaves {
        range.push(*leaf);
        if let Some(checkpoint) = left.next_if(|next| next.size == range.size()) {
            assert_eq!(
                checkpoint.root,
                range.root(),
                "root of size {}",
                range.size()
            );
        }
    }
    assert!(left.next().is_none(), "sizes grow, and end with the log");
}

/// Replays the map: each link continues its label's chain, each map head is the root of the map
/// after the entries before it, each checkpoint ends with a map head, and their times never fall.
fn check_map(checkpoints: &[Checkpoint], entries: &[LogEntry]) {
    let mut pages: BTreeMap<PageId, Vec<u8>> = BTreeMap::new();
    let mut newest: BTreeMap<Hash, u32> = BTreeMap::new();
    let mut changed: BTreeMap<Hash, MapLeaf> = BTreeMap::new();
    let mut heads = Vec::new();
    let mut time = 0;
    for (index, entry) in (0_u64..).zip(entries) {
        match entry.kind {
            EntryKind::Link => {
                let last = newest.insert(entry.label, entry.seqno).unwrap_or_default();
                assert_eq!(entry.seqno, last + 1, "entry {index} continues its chain");
                let leaf = MapLeaf {
                    label: entry.label,
                    seqno: entry.seqno,
                    commitment: entry.commitment,
                };
                changed.insert(entry.label, leaf);
            }
            EntryKind::MapHead => {
                let leaves = std::mem::take(&mut changed).into_values().collect();
                assert_eq!(
                    entry.commitment,
                    put(&mut pages, leaves),
                    "map head at {index}"
                );
                assert!(entry.time_ms >= time, "time of the map head at {index}");
                time = entry.time_ms;
                heads.push(index + 1);
            }
            EntryKind::KeybaseRoot => assert_eq!(index, 0, "nobody makes a Keybase root yet"),
        }
    }
    let sizes: Vec<u64> = checkpoints
        .iter()
        .map(|checkpoint| checkpoint.size)
        .collect();
    assert_eq!(sizes, heads, "one checkpoint for each map head");
}

/// Puts leaves into a map held as pages and answers its root.
fn put(pages: &mut BTreeMap<PageId, Vec<u8>>, leaves: Vec<MapLeaf>) -> Hash {
    let mut batch = MapBatch::new(leaves).expect("each label once");
    loop {
        let wanted = batch.wanted();
        if wanted.is_empty() {
            break;
        }
        for id in wanted {
            let page = pages.get(&id).map(Vec::as_slice);
            batch.supply(id, page).expect("the replayed map is whole");
        }
    }
    let change = batch.finish().expect("all pages are there");
    pages.extend(change.pages);
    change.root
}

/// Every tile of the log is served, and those of level 0 are the leaves.
async fn check_tiles(engine: &Engine, leaves: &[Hash]) {
    for (id, width) in tiles(leaves.len() as u64) {
        let bytes = engine
            .log()
            .tile(id, width)
            .await
            .expect("a tile is served");
        assert_eq!(bytes.len(), usize::from(width) * HASH_LEN);
        if id.level == 0 {
            let begin = usize::try_from(id.index).expect("small") * usize::from(TILE_WIDTH);
            let expect = leaves.iter().skip(begin).take(usize::from(width));
            assert!(bytes.iter().eq(expect.flat_map(|hash| &hash.0)));
        }
    }
}

async fn check_consistency(engine: &Engine, checkpoints: &[Checkpoint]) {
    for (old, new) in checkpoints.iter().zip(checkpoints.iter().skip(1)) {
        let proof = engine.log().consistency(old.size, new.size).await;
        let proof = proof.expect("a proof is made");
        verify_consistency(old.size, new.size, &old.root, &new.root, &proof)
            .expect("one is a prefix of the other");
    }
}

async fn check_inclusion(engine: &Engine, leaves: &[Hash], newest: &Checkpoint) {
    for (index, leaf) in (0_u64..).zip(leaves) {
        let proof = engine.log().inclusion(index, newest.size).await;
        let proof = proof.expect("a proof is made");
        verify_inclusion(index, newest.size, leaf, &proof, &newest.root)
            .expect("the entry is in the log");
    }
}
