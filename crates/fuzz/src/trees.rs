//! The encodings of the log and the map: what is accepted has one form.

use std::str::from_utf8;

use merkle::entry::LogEntry;
use merkle::map::{MapProof, Page, PageId};
use merkle::note::{Checkpoint, KeyName, NOTE_LEN_MAX, Note, Signature, VerifierKey};
use merkle::proof::{verify_consistency, verify_inclusion};
use merkle::proof_file::ProofFile;
use merkle::range::CompactRange;
use merkle::tile::{NodeId, decode_bundle, encode_bundle, node_in_tile, parse_tile_path};
use merkle::{HASH_LEN, Hash};

/// Signed notes and the checkpoints in them.
pub(crate) fn note(data: &[u8]) {
    if let Ok(note) = Note::parse(data) {
        assert!(data.len() <= NOTE_LEN_MAX);
        assert_eq!(note.format().as_bytes(), data);
        for signature in &note.signatures {
            let line = signature.line();
            assert_eq!(Signature::parse(line.trim_end()).as_ref(), Ok(signature));
        }
        checkpoint(&note.text);
    }
    if let Ok(text) = from_utf8(data) {
        checkpoint(text);
    }
}

fn checkpoint(text: &str) {
    if let Ok(checkpoint) = Checkpoint::parse(text) {
        assert_eq!(checkpoint.to_string(), text);
    }
}

/// Verifier keys and their names.
pub(crate) fn verifier_key(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    if let Ok(key) = VerifierKey::parse(text) {
        assert_eq!(key.to_string(), text);
        let made = VerifierKey::new(key.name().clone(), key.key().to_vec());
        assert_eq!(made.as_ref(), Ok(&key), "the id follows from the rest");
    }
    if let Ok(name) = KeyName::parse(text) {
        assert_eq!(name.as_str(), text);
        assert!(!text.contains(['+', ' ', '\n']));
    }
}

/// Paths of tiles.
pub(crate) fn tile_path(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    if let Ok(path) = parse_tile_path(text) {
        assert_eq!(path.to_string(), text);
    }
}

/// Entries, alone and in bundles, and hashes in tiles.
pub(crate) fn entry_bundle(data: &[u8]) {
    if let Ok(entry) = LogEntry::decode(data) {
        assert_eq!(entry.encode(), data);
    }
    if let Ok(entries) = decode_bundle(data) {
        assert_eq!(encode_bundle(&entries).as_deref(), Ok(data));
    }
    for index in 0..8 {
        let node = NodeId { level: 0, index };
        if let Some(hash) = node_in_tile(data, node) {
            let at = usize::try_from(index).unwrap_or_default() * HASH_LEN;
            assert!(data.get(at..).is_some_and(|rest| rest.starts_with(&hash.0)));
        }
    }
}

/// Pages of the map: a page's key, behind its length, and its bytes.
pub(crate) fn map_page(data: &[u8]) {
    let Some((length, rest)) = data.split_first() else {
        return;
    };
    let Some((key, page)) = rest.split_at_checked(usize::from(length % 40)) else {
        return;
    };
    let Some(id) = PageId::from_key(key) else {
        return;
    };
    assert_eq!(id.key(), key);
    if let Some(read) = Page::decode(id, page) {
        assert_eq!(read.encode(), page);
        assert!(page.len() <= 5 + 16 * 68);
    }
}

/// Proofs of the map; one that was made up leads nowhere.
pub(crate) fn map_proof(data: &[u8]) {
    if let Ok(proof) = MapProof::decode(data) {
        assert_eq!(proof.encode(), data);
        assert!(proof.depth() <= 256);
        let answer = proof.verify(&Hash([0x5a; 32]), &Hash([0xa5; 32]));
        assert!(answer.is_err(), "a root nobody knows a preimage of");
    }
}

/// Proof files.
pub(crate) fn proof_file(data: &[u8]) {
    if let Ok(file) = ProofFile::parse(data) {
        assert_eq!(file.to_string().as_bytes(), data);
        assert!(file.path.len() <= 63);
        assert!(file.verify(&Hash([0x5a; 32])).is_err() || file.path.is_empty());
    }
}

/// Hashes as text.
pub(crate) fn hashes(data: &[u8]) {
    let Ok(text) = from_utf8(data) else { return };
    if let Some(hash) = Hash::from_hex(text) {
        assert_eq!(hash.to_hex(), text.to_ascii_lowercase());
    }
    if let Some(hash) = Hash::from_base64(text) {
        assert_eq!(hash.to_base64(), text);
    }
}

/// The edge of a log, and proofs for sizes and hashes that were made up.
pub(crate) fn range(data: &[u8]) {
    let Some((sizes, rest)) = data.split_first_chunk::<16>() else {
        return;
    };
    let number = |at: usize| {
        let bytes = sizes.get(at..).and_then(|rest| rest.first_chunk::<8>());
        bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    };
    let (first, second) = (number(0), number(8));
    let hashes: Vec<Hash> = rest.chunks(32).filter_map(Hash::from_slice).collect();
    if let Some(range) = CompactRange::from_parts(first, hashes.clone()) {
        assert_eq!((range.size(), range.hashes()), (first, &hashes[..]));
        assert_eq!(CompactRange::nodes(first).len(), hashes.len());
        let mut grown = range.clone();
        if first < merkle::SIZE_MAX {
            grown.push(Hash([7; 32]));
            assert_eq!(grown.size(), first + 1);
            let again = CompactRange::from_parts(grown.size(), grown.hashes().to_vec());
            assert_eq!(again.as_ref(), Some(&grown));
        }
    }
    let made_up = Hash([0xa5; 32]);
    assert!(verify_inclusion(first, second, &Hash([0x5a; 32]), &hashes, &made_up).is_err());
    if first != second {
        let old = Hash([0x5a; 32]);
        let taken = verify_consistency(first, second, &old, &made_up, &hashes);
        assert!(taken.is_err(), "two made-up roots are consistent");
    }
}
