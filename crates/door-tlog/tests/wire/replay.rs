//! An auditor's work over the door alone: every root from the entries.

use merkle::entry::{EntryKind, LogEntry, commit, public_label};
use merkle::map::{MapBatch, MapProof, PageId};
use merkle::note::{Checkpoint, Note};
use merkle::proof::{verify_consistency, verify_inclusion};
use merkle::proof_file::ProofFile;
use merkle::range::CompactRange;
use merkle::tile::{TILE_WIDTH, decode_bundle, tiles};
use merkle::{Hash, leaf_hash};
use serde_json::Value;

use crate::story::Story;

/// All entries, through the door.
async fn entries(story: &Story) -> Vec<LogEntry> {
    let size = newest(story).await.size;
    let mut entries = Vec::new();
    let level = tiles(size).filter(|(id, _)| id.level == 0);
    for (id, width) in level {
        let part = if width == TILE_WIDTH {
            String::new()
        } else {
            format!(".p/{width}")
        };
        let path = format!("/log/tile/entries/{:03}{part}", id.index);
        let bundle = story.get(&path).await;
        let read = decode_bundle(&bundle).unwrap();
        assert_eq!(read.len(), usize::from(width));
        entries.extend(read.iter().map(|bytes| LogEntry::decode(bytes).unwrap()));
    }
    entries
}

async fn newest(story: &Story) -> Checkpoint {
    checkpoint(&story.get("/log/checkpoint").await)
}

fn checkpoint(note: &[u8]) -> Checkpoint {
    Checkpoint::parse(&Note::parse(note).unwrap().text).unwrap()
}

fn hashes(list: &Value) -> Vec<Hash> {
    let texts = list.as_array().unwrap().iter();
    texts
        .map(|text| Hash::from_base64(text.as_str().unwrap()).unwrap())
        .collect()
}

fn bytes(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap().as_bytes();
    data_encoding::BASE64.decode(text).unwrap()
}

/// Recomputes the map root of `leaves` from nothing.
fn map_root(leaves: &std::collections::BTreeMap<Hash, (u32, Hash)>) -> Hash {
    let mut batch = MapBatch::load(leaves.keys().copied().collect());
    batch.supply(PageId::ROOT, None).unwrap();
    for (label, (seqno, commitment)) in leaves {
        batch.set(label, *seqno, *commitment).unwrap();
    }
    batch.finish().unwrap().root
}

#[tokio::test]
async fn every_root_follows_from_the_entries() {
    for story in [Story::of_three().await, Story::of_many(270).await] {
        let page = story.json("/log/checkpoints").await;
        let mut signed = page["notes"].as_array().unwrap().iter();
        let mut range = CompactRange::new();
        let mut map = std::collections::BTreeMap::new();
        for entry in entries(&story).await {
            range.push(leaf_hash(&entry.encode()));
            match entry.kind {
                EntryKind::Link => {
                    let before = map.insert(entry.label, (entry.seqno, entry.commitment));
                    assert_eq!(entry.seqno, before.map_or(0, |(seqno, _)| seqno) + 1);
                }
                EntryKind::MapHead => {
                    assert_eq!(entry.commitment, map_root(&map));
                    let note = signed.next().unwrap().as_str().unwrap();
                    let stored = checkpoint(note.as_bytes());
                    assert_eq!((stored.size, stored.root), (range.size(), range.root()));
                }
                EntryKind::KeybaseRoot => panic!("no such tree yet"),
            }
        }
        assert!(signed.next().is_none());
        assert_eq!(newest(&story).await.root, range.root());
    }
}

#[tokio::test]
async fn proofs_verify_between_all_sizes() {
    let story = Story::of_three().await;
    let mut roots = vec![merkle::empty_root()];
    let mut range = CompactRange::new();
    let leaves: Vec<Hash> = entries(&story)
        .await
        .iter()
        .map(|entry| leaf_hash(&entry.encode()))
        .collect();
    for leaf in &leaves {
        range.push(*leaf);
        roots.push(range.root());
    }
    for second in 1..=leaves.len() {
        for first in 0..=second {
            let path = format!("/log/consistency?first={first}&second={second}");
            let proof = hashes(&story.json(&path).await["consistency"]);
            let (old, new) = (&roots[first], &roots[second]);
            verify_consistency(first as u64, second as u64, old, new, &proof).unwrap();
        }
        for (index, leaf) in leaves.iter().take(second).enumerate() {
            let path = format!("/log/inclusion?leaf={index}&size={second}");
            let proof = hashes(&story.json(&path).await["audit_path"]);
            verify_inclusion(index as u64, second as u64, leaf, &proof, &roots[second]).unwrap();
        }
    }
}

#[tokio::test]
async fn bundles_prove_presence_and_absence() {
    let story = Story::of_three().await;
    for (name, links) in [("alice", 2), ("bob", 1), ("carol", 2), ("nobody", 0)] {
        let bundle = story.json(&format!("/log/names/{name}")).await;
        let tree = checkpoint(bundle["checkpoint"].as_str().unwrap().as_bytes());
        let entry = bytes(&bundle["map_head"]["entry"]);
        let index = bundle["map_head"]["index"].as_u64().unwrap();
        assert_eq!(index, tree.size - 1);
        let path = hashes(&bundle["map_head"]["inclusion"]);
        verify_inclusion(index, tree.size, &leaf_hash(&entry), &path, &tree.root).unwrap();
        let map_root = LogEntry::decode(&entry).unwrap().commitment;
        let label = public_label(1, name.as_bytes());
        assert_eq!(bundle["label"], label.to_hex());
        let proof = MapProof::decode(&bytes(&bundle["map_proof"])).unwrap();
        let found = proof.verify(&label, &map_root).unwrap();
        assert_eq!(found.map_or(0, |(seqno, _)| seqno), links, "{name}");
        let Some((_, commitment)) = found else {
            assert!(bundle["present"].is_null());
            continue;
        };
        let opening = &bundle["present"]["opening"];
        let salt: [u8; 32] = bytes(&opening["salt"]).try_into().unwrap();
        assert_eq!(commit(&salt, &bytes(&opening["link"])), commitment);
    }
}

#[tokio::test]
async fn the_proof_file_proves_the_map_head() {
    let story = Story::of_three().await;
    let file = story.get("/log/names/alice?format=tlog").await;
    let file = ProofFile::parse(&file).unwrap();
    let extra = file.extra.clone().unwrap();
    let leaf = leaf_hash(&extra[1..79]);
    assert_eq!(file.verify(&leaf).unwrap(), newest(&story).await);
}
