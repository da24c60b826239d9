//! Mutants of valid proofs: every change is refused, or changes nothing that was proven.
//!
//! The input says what to change: groups of four bytes, an offset (two bytes), what to do there (one
//! byte: flip bits, cut out, put in, cut off) and with which byte.

use client::bundle::NameBundle;
use merkle::Hash;
use merkle::map::MapProof;
use merkle::proof::{verify_consistency, verify_inclusion};

use crate::fixture::{consistency, fixture, path, root};

/// Most changes that one input makes.
const CHANGES_MAX: usize = 8;

/// Applies the changes that an input asks for.
fn mutant(original: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for change in changes.chunks_exact(4).take(CHANGES_MAX) {
        let [high, low, action, byte] = *change else {
            break;
        };
        let length = bytes.len().max(1);
        let at = usize::from(u16::from_be_bytes([high, low])) % length;
        match action % 4 {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|it| *it ^= byte),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 if at < bytes.len() => bytes.insert(at, byte),
            3 if action == u8::MAX => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

/// A signed checkpoint: only what was signed is believed.
pub(crate) fn note(data: &[u8]) {
    let real = fixture();
    let mutant = mutant(real.note.as_bytes(), data);
    match client::checkpoint::verify(&mutant, &real.key) {
        Ok(checkpoint) => assert_eq!(checkpoint, real.checkpoint, "a forged checkpoint"),
        Err(_) => assert_ne!(mutant, real.note.as_bytes(), "the real one is refused"),
    }
}

/// A bundle in both forms: it proves the same or nothing.
pub(crate) fn bundle(data: &[u8]) {
    let real = fixture();
    let (form, changes) = data.split_first().unwrap_or((&0, &[]));
    let original = real.bundles.get(usize::from(form % 2));
    let original = original.expect("a bundle has two forms");
    let mutant = mutant(original, changes);
    let verified = NameBundle::parse(&mutant)
        .ok()
        .and_then(|bundle| bundle.verify("alice", &real.key).ok());
    match verified {
        Some(verified) => assert_eq!(verified, real.verified, "a forged bundle"),
        None => assert_ne!(&mutant, original, "the real one is refused"),
    }
}

/// A proof of the map: the same for the same label, and nothing for another one.
pub(crate) fn map_proof(data: &[u8]) {
    let real = fixture();
    let mutant = mutant(&real.map_proof, data);
    let Ok(proof) = MapProof::decode(&mutant) else {
        assert_ne!(mutant, real.map_proof, "the real one is refused");
        return;
    };
    let label = client::name::label("alice");
    match proof.verify(&label, &real.map_root) {
        Ok(answer) => {
            assert_eq!(answer, Some(real.leaf), "a forged proof");
            assert_eq!(mutant, real.map_proof, "two encodings of one proof");
        }
        Err(_) => assert_ne!(mutant, real.map_proof, "the real one is refused"),
    }
    let other = client::name::label("mallory");
    let answer = proof.verify(&other, &real.map_root);
    assert!(!matches!(answer, Ok(Some(_))), "a proof for anybody");
    let present = client::name::label("other7");
    let answer = proof.verify(&present, &real.map_root);
    assert!(
        !matches!(answer, Ok(None)),
        "a present label is proven absent"
    );
}

/// Audit paths and consistency proofs in a log of up to 64 entries.
pub(crate) fn log_proof(data: &[u8]) {
    let Some(([size, index, claimed], changes)) = data.split_first_chunk() else {
        return;
    };
    let size = usize::from(size % 64) + 1;
    let index = usize::from(*index) % size;
    let leaves: Vec<Hash> = (0..size)
        .map(|at| merkle::leaf_hash(&at.to_be_bytes()))
        .collect();
    let whole = root(&leaves);
    let (count, at) = (size as u64, index as u64);
    let leaf = leaves.get(index).copied().unwrap_or(Hash::ZERO);

    let real = path(&leaves, index);
    let forged = forged(&real, changes);
    let accepted = verify_inclusion(at, count, &leaf, &forged, &whole).is_ok();
    assert_eq!(accepted, forged == real, "an audit path");
    let claimed = u64::from(claimed % 64);
    if claimed != at {
        let accepted = verify_inclusion(claimed, count, &leaf, &forged, &whole);
        assert!(accepted.is_err(), "one leaf in two places");
    }

    let first = index + 1;
    let before = root(leaves.get(..first).unwrap_or_default());
    let real = consistency(&leaves, first, true);
    let forged = self::forged(&real, changes);
    let accepted = verify_consistency(first as u64, count, &before, &whole, &forged).is_ok();
    assert_eq!(accepted, forged == real, "a consistency proof");
}

fn forged(real: &[Hash], changes: &[u8]) -> Vec<Hash> {
    let bytes: Vec<u8> = real.iter().flat_map(|hash| hash.0).collect();
    let mutant = mutant(&bytes, changes);
    mutant.chunks(32).map(read_padded).collect()
}

/// A hash of up to 32 bytes, so that cut pieces count as hashes too.
fn read_padded(bytes: &[u8]) -> Hash {
    let mut hash = [0; 32];
    hash.iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    Hash(hash)
}
