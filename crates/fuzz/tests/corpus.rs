//! The kept inputs, and near relatives of each, in the ordinary tests.

use std::collections::BTreeSet;
use std::fs;
use std::panic::catch_unwind;
use std::path::PathBuf;

use fuzz::{CANARY, TARGETS};

/// Most relatives of one input that are tried.
const RELATIVES_MAX: usize = 64;

fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

/// The inputs of a target, in the order of their names.
fn inputs(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fs::read_dir(corpus().join(name)).unwrap_or_else(|error| {
        unreachable!("{name} has no folder of inputs: {error}");
    });
    let mut paths: Vec<PathBuf> = folder
        .map(|entry| entry.expect("read the folder").path())
        .collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("read an input");
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

#[test]
fn every_kept_input_and_its_relatives_pass() {
    for target in TARGETS {
        let inputs = inputs(target.name);
        assert!(!inputs.is_empty(), "{} has no inputs", target.name);
        for (path, bytes) in inputs {
            assert!(bytes.len() <= target.bytes_max, "{path:?} is cut off");
            target.run(&bytes);
            let step = bytes.len().div_ceil(RELATIVES_MAX).max(1);
            for at in (0..bytes.len()).step_by(step) {
                target.run(&bytes[..at]);
                let mut flipped = bytes.clone();
                flipped[at] ^= 1;
                target.run(&flipped);
            }
        }
    }
}

/// Pushes, deletes and resets, with and without the action inside.
#[test]
fn payloads_of_every_kind_are_among_the_inputs() {
    let accepted = inputs("payload").into_iter().filter(|(_, bytes)| {
        let now = engine::types::UnixMillis(1_400_000_000_999);
        engine::parsers::sealed_payload(bytes, now)
    });
    let mut kinds = BTreeSet::new();
    for (_, bytes) in accepted {
        let read: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let action = read.get("action").and_then(serde_json::Value::as_u64);
        kinds.insert((read.get("tox_id").is_some(), action));
    }
    for kind in [
        (true, None),
        (false, None),
        (false, Some(2)),
        (false, Some(7)),
    ] {
        assert!(kinds.contains(&kind), "{kind:?} is missing: {kinds:?}");
    }
}

#[test]
fn every_folder_has_a_target() {
    let folders = fs::read_dir(corpus()).unwrap();
    let folders = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let targets = TARGETS.iter().map(|target| target.name.to_owned());
    assert_eq!(
        folders.collect::<BTreeSet<_>>(),
        targets.collect::<BTreeSet<_>>()
    );
}

#[test]
fn the_planted_fault_is_a_fault() {
    CANARY.run(b"C4n@\x07?");
    assert!(catch_unwind(|| CANARY.run(b"C4n@\x07! and more")).is_err());
}
